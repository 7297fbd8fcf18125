/* SPDX-License-Identifier: MIT */
/* sched_test.h - what the tests of src/sched share: a runtime to run in, ways to hold a worker, and
 * ways to count what the process holds.
 *
 * What runs in tasks checks by RV_CHECK: cmocka's assertions jump to the frame of the test, which
 * no task may do. */
#pragma once

#include <stdio.h>

#include <ravel.h>

#include "../../support/held.h"
#include "../sys/sys_test.h"
#include "base/alloc.h"
#include "sched/sched.h"
#include "sys/thread.h"

/* As many repetitions as the tools have patience for. */
static inline size_t repeats(size_t count)
{
    return is_under_a_tool() ? count / 20 + 1 : count;
}

static inline int run_on(unsigned workers, rv_fn *fn, void *arg)
{
    struct rv_run_opts opts = {.size = sizeof(opts), .workers = workers};
    return rv_run(fn, arg, &opts);
}

typedef _Atomic(bool) flag;

static inline void raise_flag(flag *f)
{
    rvi_store_seq_cst(f, true); /* pairs: test-flag */
}

static inline bool is_raised(flag *f)
{
    return rvi_load_seq_cst(f); /* pairs: test-flag */
}

/* A task that does this holds its worker: other threads run, other tasks of this one do not. */
static inline void hold_until(flag *f)
{
    while (!is_raised(f))
        rvi_thread_yield();
}

static inline void yield_until(flag *f)
{
    while (!is_raised(f))
        rv_yield();
}

static inline int raise_it(void *f)
{
    raise_flag(f);
    return 0;
}

static inline struct rv_run_stats stats_now(void)
{
    struct rv_run_stats stats = {.size = sizeof(stats)};
    RV_CHECK(rv_run_stats_read(&stats) == 0);
    return stats;
}

/* --- no more threads ---
 *
 * In a child, which becomes a user that has nothing else running, and whose limit then counts the
 * child's own threads. Not for ThreadSanitizer, which starts threads of its own. */

static inline bool can_forbid_threads(void)
{
    return geteuid() == 0 && !RVI_TSAN;
}

/* Nor a child of another test that runs at the same time. */
static inline void become_nobody_else(void)
{
    uid_t uid = 20000 + (uid_t)getpid() % 40000;
    RV_CHECK(setresuid(uid, uid, uid) == 0);
}

static inline void allow_threads(rlim_t most)
{
    const struct rlimit limit = {most, most};
    become_nobody_else();
    RV_CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
}

/* --- what the process holds --- */

static inline size_t count_mappings(void)
{
    FILE *file = fopen("/proc/self/maps", "re");
    size_t count = 0;
    int c;
    RV_CHECK(file != NULL);
    while ((c = getc(file)) != EOF)
        count += c == '\n';
    fclose(file);
    return count;
}

struct holdings {
    size_t files, threads, mappings;
    long memory;
};

static inline struct holdings holdings_now(void)
{
    return (struct holdings){
        .files = open_descriptors(),
        .threads = count_entries("/proc/self/task"),
        .mappings = count_mappings(),
        .memory = rvi_alloc_live(),
    };
}

/* A thread that was joined may still be counted: the kernel wakes the joiner first and takes the
 * thread off the list after. Whatever was held before may so have been one less. */
static inline size_t count_threads_above(size_t expected)
{
    enum { PATIENCE_MS = 20000 };
    size_t count = count_entries("/proc/self/task");
    for (int waited = 0; count > expected && waited < PATIENCE_MS; waited++) {
        const struct timespec millisecond = {0, 1000000};
        nanosleep(&millisecond, NULL);
        count = count_entries("/proc/self/task");
    }
    return count > expected ? count - expected : 0;
}

/* The C library keeps some stacks of ended threads, and the tools map as they like. */
static inline void assert_no_more_is_held(const struct holdings *before)
{
    assert_int_equal(count_threads_above(before->threads), 0);
    struct holdings now = holdings_now();
    assert_int_equal(now.files, before->files);
    assert_int_equal(now.memory, before->memory);
    if (!is_under_a_tool())
        assert_in_range(now.mappings, 0, before->mappings + 4);
}
