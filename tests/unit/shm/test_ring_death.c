/* SPDX-License-Identifier: MIT */
/* test_ring_death.c - a worker killed at any instruction leaves each of its jobs either never
 * begun, or begun and lost, or done: none is missing, and none runs twice.
 *
 * A child plays a worker's whole part, from its first look at the ring to its sleep, and stops
 * before each act of it by a signal to itself. A first one is stepped through, to count
 * instructions; then, for each of them, one goes as far as the act before, is stepped from there,
 * and killed. What it has left is judged by what its jobs have noted elsewhere, and what had not
 * begun is given to another worker. */
#include "shm/ring.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../support/under_tool.h"
#include "base/check.h"
#include "shm/segment.h"

enum { SLOTS = 4, JOBS = 3, RECALLED = 1, ACTS = 16, REFUSED = 7 };

/* What jobs note: in memory of its own, that no ring knows. */
struct notes {
    _Atomic(uint32_t) begun[JOBS], ended[JOBS];
};

static struct rvi_segment segment, page, notes_segment;
static struct rvi_ring ring;
static struct rvi_bell bell;
static struct notes *notes;

static struct rvi_ring_shared *shared(void)
{
    return (struct rvi_ring_shared *)(void *)segment.base;
}

static void make_all(void)
{
    assert_int_equal(rvi_segment_make(&segment, "ring", rvi_ring_bytes(SLOTS), 0), 0);
    assert_int_equal(rvi_segment_make(&page, "bell", sizeof(struct rvi_bell_shared), 0), 0);
    assert_int_equal(rvi_segment_make(&notes_segment, "notes", sizeof(*notes), 0), 0);
    assert_int_equal(rvi_bell_init(&bell, (struct rvi_bell_shared *)(void *)page.base), 0);
    notes = (struct notes *)(void *)notes_segment.base;
}

static void drop_all(void)
{
    rvi_bell_fini(&bell);
    rvi_segment_fini(&notes_segment);
    rvi_segment_fini(&page);
    rvi_segment_fini(&segment);
}

static void fill_ring(const bool *is_wanted)
{
    memset(segment.base, 0, segment.bytes);
    assert_int_equal(rvi_ring_init(&ring, segment.base, SLOTS, 1), 0);
    for (uint32_t job = 0; job < JOBS; job++) {
        struct rvi_slot *slot = rvi_ring_slot(&ring, ring.sent);
        if (!is_wanted[job])
            continue;
        slot->what = job;
        rvi_ring_send(&ring);
    }
}

static void run_job(struct rvi_slot *slot)
{
    uint32_t job = slot->what;
    rvi_fetch_add_relaxed(&notes->begun[job], 1);
    memset(slot->bytes, (int)job + 1, 16);
    rvi_fetch_add_relaxed(&notes->ended[job], 1);
}

static pid_t stepped; /* the calling process, if it is; 0: nobody looks on */

/* Not by raise(), whose own instructions would be stepped through as well. */
static void begin_act(void)
{
    if (stepped)
        kill(stepped, SIGUSR1);
}

/* All that a worker does: take, pass what was recalled, run, say so, sleep. */
static void work(void)
{
    struct rvi_taker taker;
    struct rvi_slot *slot;
    rvi_taker_init(&taker, shared(), &bell);
    begin_act();
    while (rvi_ring_take(&taker, &slot, 0) == 0) {
        begin_act();
        run_job(slot);
        rvi_ring_done(&taker, slot, (int)slot->what);
        begin_act();
    }
}

static void be_stepped(void)
{
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
        _exit(REFUSED);
    stepped = getpid();
    work();
    kill(stepped, SIGUSR2);
    _exit(0);
}

/* Let it go on, one instruction or up to its next signal, of which it does not hear. Returns which
 * one; SIGTRAP when there was none. */
static int let_go(pid_t child, enum __ptrace_request how)
{
    int status;
    assert_int_equal(ptrace(how, child, NULL, NULL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSTOPPED(status));
    return WSTOPSIG(status);
}

/* A child that stands before its first act; -1: this may not be done here. */
static pid_t start_child(void)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        be_stepped();
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == REFUSED)
        return -1;
    assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGUSR1);
    return child;
}

static void kill_child(pid_t child)
{
    int status;
    assert_int_equal(kill(child, SIGKILL), 0);
    do
        assert_int_equal(waitpid(child, &status, 0), child);
    while (!WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
}

/* The parent's part before the worker begins. */
static void set_scene(void)
{
    const bool all[JOBS] = {true, true, true};
    memset(notes_segment.base, 0, notes_segment.bytes);
    fill_ring(all);
    assert_true(rvi_ring_recall(&ring, RECALLED));
    rvi_bell_set(&bell, RVI_BELL_SERVICE);
}

static void judge(const struct rvi_ring_end *end)
{
    uint32_t begun = rvi_load_relaxed(&notes->begun[end->index]);
    uint32_t ended = rvi_load_relaxed(&notes->ended[end->index]);
    switch (end->fate) {
    case RVI_FATE_UNBEGUN:
    case RVI_FATE_RECALLED:
        assert_int_equal(begun, 0);
        break;
    case RVI_FATE_LOST:
        assert_true(ended <= begun && begun <= 1);
        break;
    case RVI_FATE_DONE:
        assert_int_equal(begun, 1);
        assert_int_equal(ended, 1);
        assert_int_equal(end->status, end->index);
        assert_int_equal(rvi_ring_slot(&ring, end->index)->bytes[15], end->index + 1);
        break;
    }
    assert_int_equal(end->index == RECALLED, end->fate == RVI_FATE_RECALLED);
}

/* What a worker's death leaves, collected as far as it goes, then buried. */
static void take_stock(enum rvi_fate *fates)
{
    struct rvi_ring_end end;
    uint64_t next = 0;
    while (rvi_ring_collect(&ring, &end) == 1 || rvi_ring_bury(&ring, &end)) {
        assert_int_equal(end.index, next++);
        judge(&end);
        fates[end.index] = end.fate;
    }
    assert_int_equal(next, JOBS);
    rvi_ring_fini(&ring);
}

/* Each job has run once but for those lost, which nobody has run again. */
static void recover(const enum rvi_fate *fates)
{
    bool is_wanted[JOBS];
    for (uint32_t job = 0; job < JOBS; job++)
        is_wanted[job] = fates[job] == RVI_FATE_UNBEGUN;
    fill_ring(is_wanted);
    work();
    rvi_ring_fini(&ring);
    for (uint32_t job = 0; job < JOBS; job++) {
        uint32_t ended = rvi_load_relaxed(&notes->ended[job]);
        if (fates[job] == RVI_FATE_LOST)
            assert_true(ended <= 1);
        else
            assert_int_equal(ended, fates[job] != RVI_FATE_RECALLED);
    }
}

/* All calls are made once, so that no child looks for them. */
static void bind_symbols(void)
{
    enum rvi_fate fates[JOBS];
    set_scene();
    work();
    take_stock(fates);
}

/* How many instructions each act takes. Returns the number of acts; 0: nobody may be traced here.
 * */
static int count_instructions(long *counts)
{
    enum rvi_fate fates[JOBS];
    int acts = 0, signal = SIGUSR1;
    set_scene();
    pid_t child = start_child();
    for (; child >= 0 && signal == SIGUSR1; acts++) {
        assert_true(acts < ACTS);
        for (counts[acts] = 0; (signal = let_go(child, PTRACE_SINGLESTEP)) == SIGTRAP;)
            counts[acts]++;
    }
    if (child >= 0)
        kill_child(child);
    take_stock(fates);
    return acts;
}

/* Kills one in an act, after so many instructions; what became of its jobs is never less than after
 * fewer. */
static void kill_in(int act, long instructions, unsigned *progress)
{
    enum rvi_fate fates[JOBS];
    unsigned now = 0;
    set_scene();
    pid_t child = start_child();
    for (int i = 0; i < act; i++)
        assert_int_equal(let_go(child, PTRACE_CONT), SIGUSR1);
    for (long i = 0; i < instructions; i++)
        assert_int_equal(let_go(child, PTRACE_SINGLESTEP), SIGTRAP);
    kill_child(child);
    take_stock(fates);
    for (int job = 0; job < JOBS; job++)
        now += fates[job] == RVI_FATE_DONE ? 2 : fates[job] == RVI_FATE_LOST;
    assert_true(now == *progress || now == *progress + 1);
    *progress = now;
    recover(fates);
}

/* Who steps and who is stepped take turns: on one core they need not wake each other across two. */
static void stay_here(void)
{
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET(sched_getcpu(), &here);
    (void)sched_setaffinity(0, sizeof(here), &here); /* it is only slower without */
}

static void killed_at_each_instruction_no_job_is_lost_or_doubled(void **state)
{
    (void)state;
    unsigned progress = 0;
    long counts[ACTS], kills = 0;
    if (is_under_a_tool()) /* their own instructions would be stepped through */
        skip();
    stay_here();
    make_all();
    bind_symbols();
    int acts = count_instructions(counts);
    for (int act = 0; act < acts; act++)
        for (long n = 0; n <= counts[act]; n++, kills++)
            kill_in(act, n, &progress);
    drop_all();
    if (acts == 0)
        skip();
    print_message("# killed %ld times\n", kills);
    assert_int_equal(acts, 1 + 2 * (JOBS - 1));
    assert_int_equal(progress, 2 * (JOBS - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_each_instruction_no_job_is_lost_or_doubled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
