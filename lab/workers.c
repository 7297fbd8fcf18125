/* SPDX-License-Identifier: MIT */
/* workers.c - work divided among threads, processes or tasks.
 *
 * Each worker does pieces / workers of the whole, the first ones one more. There is no queue: what
 * is measured is what running side by side gives, not how well it is balanced.
 *
 * The one lock is that of an interpreter: held while computing, passed on every SLICE_NS if others
 * wait, not held while waiting. It is fair, by tickets: a plain mutex would go to its last owner
 * again and again.
 *
 * Checked by: tests/cli/test_lab.py */
#include "lab/workers.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include <ravel.h>

enum { MOST = 256, SLICE_NS = 100000 };

const char *const lab_kind_names[LAB_KINDS] = {"threads", "processes", "tasks"};

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t passed;
    long next, serving;
} interpreter = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};

static void take_interpreter(void)
{
    pthread_mutex_lock(&interpreter.mutex);
    long ticket = interpreter.next++;
    while (interpreter.serving != ticket)
        pthread_cond_wait(&interpreter.passed, &interpreter.mutex);
    pthread_mutex_unlock(&interpreter.mutex);
}

static void pass_interpreter(void)
{
    pthread_mutex_lock(&interpreter.mutex);
    interpreter.serving++;
    pthread_cond_broadcast(&interpreter.passed);
    pthread_mutex_unlock(&interpreter.mutex);
}

/* --- one worker's part --- */

struct part {
    const struct lab_work *work;
    unsigned number, workers;
    bool is_task;
};

static long pieces_of(const struct part *p)
{
    return p->work->pieces / p->workers + (p->number < p->work->pieces % p->workers);
}

static long slice; /* steps; written before anybody is started */

static void compute(const struct part *p)
{
    long steps = p->work->steps;

    if (!p->work->has_lock) {
        lab_spin(steps);
        return;
    }
    while (steps > 0) {
        take_interpreter();
        lab_spin(steps < slice ? steps : slice);
        pass_interpreter();
        steps -= slice;
    }
}

static int wait_a_while(const struct part *p)
{
    struct timespec length = {0, p->work->wait_ns};

    if (p->is_task)
        return rv_sleep(p->work->wait_ns);
    while (nanosleep(&length, &length) < 0 && errno == EINTR) {}
    return 0;
}

static int do_part(void *arg)
{
    const struct part *p = arg;
    int r = 0;

    for (long left = pieces_of(p); left > 0 && r == 0; left--) {
        if (p->work->steps)
            compute(p);
        else
            r = wait_a_while(p);
        if (p->work->has_lock && !p->work->steps) {
            take_interpreter();
            pass_interpreter();
        }
    }
    return r;
}

static void *do_part_thread(void *arg)
{
    return do_part(arg) < 0 ? arg : NULL;
}

/* --- all of them --- */

static int by_threads(struct part *parts, unsigned workers)
{
    pthread_t threads[MOST];
    unsigned started = 0;
    int r = 0;

    for (; started < workers && r == 0; started += r == 0)
        r = -pthread_create(&threads[started], NULL, do_part_thread, &parts[started]);
    for (unsigned i = 0; i < started; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        r = failed ? -EIO : r;
    }
    return r;
}

static int by_processes(struct part *parts, unsigned workers)
{
    int pids[MOST], r = 0;
    unsigned started = 0;

    for (; started < workers && r == 0; started += r == 0) {
        pids[started] = lab_fork(do_part, &parts[started]);
        r = pids[started] < 0 ? pids[started] : 0;
    }
    for (unsigned i = 0; i < started; i++) {
        int reaped = lab_reap(pids[i]);
        r = r < 0 ? r : reaped;
    }
    return r;
}

static int by_tasks(struct part *parts, unsigned workers)
{
    int err;

    RV_SCOPE(s, err) {
        for (unsigned i = 0; i < workers; i++) {
            parts[i].is_task = true;
            int r = rv_go(s, do_part, &parts[i]);
            if (r < 0)
                rv_scope_cancel(s, r);
        }
    }
    return err;
}

struct run {
    struct part *parts;
    unsigned workers;
};

static int run_tasks(void *arg)
{
    struct run *run = arg;

    return by_tasks(run->parts, run->workers);
}

static int by_kind(enum lab_kind kind, struct run *run)
{
    bool computes = run->parts[0].work->steps > 0;
    struct rv_run_opts opts = {.size = sizeof opts, .workers = computes ? run->workers : 1};

    if (kind == LAB_THREADS)
        return by_threads(run->parts, run->workers);
    if (kind == LAB_PROCESSES)
        return by_processes(run->parts, run->workers);
    return rv_run(run_tasks, run, &opts);
}

double lab_divide(const struct lab_work *work, enum lab_kind kind, unsigned workers)
{
    struct part parts[MOST];
    struct run run = {parts, workers < MOST ? workers : MOST};

    if (slice == 0)
        slice = lab_steps_for(SLICE_NS);
    for (unsigned i = 0; i < run.workers; i++)
        parts[i] = (struct part){work, i, run.workers, false};
    int64_t begin = lab_now();
    int r = by_kind(kind, &run);
    return r < 0 ? r : (double)(lab_now() - begin);
}

unsigned lab_worker_counts(unsigned most, unsigned *ret)
{
    unsigned count = 0;

    for (unsigned workers = 1; workers < most && count < 15; workers *= 2)
        ret[count++] = workers;
    ret[count++] = most;
    return count;
}
