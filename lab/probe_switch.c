/* SPDX-License-Identifier: MIT */
/* probe_switch.c - from one to another: calls, generators, tasks, threads, processes.
 *
 * Threads and processes hand over by a futex, which is the least that the kernel offers: one says
 * that it is the other's turn, wakes it, and sleeps until it is its own. So a switch costs two
 * system calls besides the switch itself. On one processor nothing else can happen meanwhile.
 *
 * Checked by: tests/cli/test_lab.py */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ravel.h>

#include "lab/bench.h"

/* --- on one stack --- */

__attribute__((noinline)) static long add_one(long x)
{
    __asm__ volatile("" : "+r"(x));
    return x + 1;
}

static int call_some(void *arg, long ops)
{
    long x = 0;

    (void)arg;
    while (ops-- > 0)
        x = add_one(x);
    return x < 0;
}

/* Counts, and goes on behind where it was left: what compilers make of a generator. */
struct generator {
    int state;
    long i, ends;
    _Bool (*resume)(struct generator *g, long *ret);
};

__attribute__((noinline)) static _Bool count_up(struct generator *g, long *ret)
{
    switch (g->state) {
    case 0:
        for (g->i = 0; g->i < g->ends; g->i++) {
            *ret = g->i;
            g->state = 1;
            return 1;
        case 1:;
        }
    }
    g->state = 0;
    return 0;
}

static int resume_some(void *arg, long ops)
{
    struct generator g = {.ends = ops, .resume = count_up};
    long value = 0;

    (void)arg;
    __asm__ volatile("" : "+m"(g));
    while (g.resume(&g, &value)) {}
    return value != ops - 1 ? -EIO : 0;
}

static int enter_kernel(void *arg, long ops)
{
    (void)arg;
    while (ops-- > 0)
        syscall(SYS_getppid);
    return 0;
}

/* --- tasks --- */

static _Bool has_enough;

static int yield_along(void *arg)
{
    (void)arg;
    while (!has_enough)
        rv_yield();
    return 0;
}

static int yield_some(void *arg, long ops)
{
    (void)arg;
    for (; ops > 0; ops -= 2) /* there and back */
        rv_yield();
    return 0;
}

static int time_tasks(void *arg)
{
    rv_scope *s;
    int r = rv_scope_open(&s, NULL);

    if (r < 0)
        return r;
    r = rv_go(s, yield_along, NULL);
    if (r == 0)
        r = lab_time(arg, "task", LAB_NOWHERE, yield_some, NULL, 1);
    has_enough = 1;
    int closed = rv_scope_close(s);
    return r < 0 ? r : closed;
}

/* --- threads and processes --- */

enum { OURS, THEIRS, OVER };

struct table {
    _Atomic int turn;
    int processor; /* of the other one */
};

static void sleep_while(_Atomic int *turn, int value)
{
    while (atomic_load(turn) == value)
        syscall(SYS_futex, turn, FUTEX_WAIT, value, NULL, NULL, 0);
}

static void give_turn(_Atomic int *turn, int to)
{
    atomic_store(turn, to);
    syscall(SYS_futex, turn, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static int hand_back(void *arg)
{
    struct table *t = arg;
    int expected = THEIRS;

    if (t->processor >= 0 && lab_stay_on((unsigned)t->processor) < 0)
        return -EIO;
    for (;;) {
        sleep_while(&t->turn, OURS);
        if (atomic_load(&t->turn) == OVER)
            return 0;
        if (atomic_compare_exchange_strong(&t->turn, &expected, OURS))
            syscall(SYS_futex, &t->turn, FUTEX_WAKE, 1, NULL, NULL, 0);
        expected = THEIRS;
    }
}

static void *hand_back_thread(void *arg)
{
    hand_back(arg);
    return NULL;
}

static int hand_over(void *arg, long ops)
{
    struct table *t = arg;

    for (; ops > 0; ops -= 2) {
        give_turn(&t->turn, THEIRS);
        sleep_while(&t->turn, THEIRS);
    }
    return 0;
}

static int time_threads(struct lab_bench *b, struct table *t, const char *name)
{
    pthread_t other;
    int r = -pthread_create(&other, NULL, hand_back_thread, t);

    if (r < 0)
        return r;
    r = lab_time(b, name, LAB_NOWHERE, hand_over, t, 1);
    give_turn(&t->turn, OVER);
    pthread_join(other, NULL);
    return r;
}

static int time_processes(struct lab_bench *b, struct table *t, const char *name)
{
    int pid = lab_fork(hand_back, t);

    if (pid < 0)
        return pid;
    int r = lab_time(b, name, LAB_NOWHERE, hand_over, t, 1);
    give_turn(&t->turn, OVER);
    int reaped = lab_reap(pid);
    return r < 0 ? r : reaped;
}

static int time_both(struct lab_bench *b, int other, const char *threads, const char *processes)
{
    struct table *t =
        mmap(NULL, sizeof *t, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int r;

    if (t == MAP_FAILED)
        return -errno;
    *t = (struct table){.processor = other};
    r = time_threads(b, t, threads);
    atomic_store(&t->turn, OURS);
    if (r == 0)
        r = time_processes(b, t, processes);
    munmap(t, sizeof *t);
    return r;
}

int lab_switch(struct lab_bench *b)
{
    struct rv_run_opts opts = {.size = sizeof opts, .workers = 1};
    int r = lab_time(b, "call of a function", LAB_NOWHERE, call_some, NULL, 1);

    r = r < 0 ? r : lab_time(b, "generator resumed", LAB_NOWHERE, resume_some, NULL, 1);
    r = r < 0 ? r : rv_run(time_tasks, b, &opts);
    r = r < 0 ? r : lab_time(b, "system call (getppid)", LAB_NOWHERE, enter_kernel, NULL, 1);
    r = r < 0 ? r : lab_stay_on(0);
    r = r < 0 ? r : time_both(b, 0, "threads, one processor", "processes, one processor");
    if (r == 0 && lab_processors() > 1)
        r = time_both(b, 1, "threads, two processors", "processes, two processors");
    return r;
}
