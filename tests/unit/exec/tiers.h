/* SPDX-License-Identifier: MIT */
/* tiers.h - where the tests of src/exec are performed.
 *
 * A play is a test of what every tier promises. The same play is performed with each tier, from a
 * plain thread and from a task. Plays check with RV_CHECK, which works on any thread and any
 * stack. */
#pragma once

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <ravel.h>

#include "../../support/child.h"
#include "base/alloc.h"
#include "base/atomic.h"
#include "base/check.h"

typedef void play(void);

struct setting {
    const char *tier;
    unsigned workers; /* 0: the play is performed on a plain thread */
    play *play;
    size_t max_tasks;
};

/* The performance that is on; one at a time. */
static const struct setting *now_on;

/* What the jobs below share with the plays, in whatever process they run. */
struct scene {
    _Atomic(int) inside, most_inside, runs;
    _Atomic(bool) is_open; /* the gate */
};

static struct scene *scene;
static int scene_fd;
static bool is_worker;

#define inside scene->inside
#define most_inside scene->most_inside
#define runs scene->runs

/* Where a worker process finds it. */
enum { SCENE_FD = 50 };
#define SCENE_NAME "RAVEL_TEST_SCENE"

__attribute__((constructor)) static void find_scene(void)
{
    is_worker = getenv(SCENE_NAME) != NULL;
    scene_fd = is_worker ? SCENE_FD : memfd_create("scene", MFD_CLOEXEC);
    RV_CHECK(is_worker || ftruncate(scene_fd, sizeof(*scene)) == 0);
    scene = mmap(NULL, sizeof(*scene), PROT_READ | PROT_WRITE, MAP_SHARED, scene_fd, 0);
    RV_CHECK(scene != MAP_FAILED);
}

/* The gate for jobs in this process; those elsewhere look at the scene. */
static struct rv_event gate;

static inline void open_gate(void)
{
    rvi_store_relaxed(&scene->is_open, true);
    rv_event_set(&gate);
}

static inline void shut_gate(void)
{
    rvi_store_relaxed(&scene->is_open, false);
    rv_event_reset(&gate);
}

static inline int wait_at_gate(void)
{
    while (is_worker && !rvi_load_relaxed(&scene->is_open))
        usleep(50);
    return is_worker ? 0 : rv_event_wait(&gate, RV_NEVER);
}

static inline int first_task(void *arg)
{
    (void)arg;
    now_on->play();
    return 0;
}

static inline void perform(const struct setting *setting)
{
    struct rv_run_opts opts = {
        .size = sizeof(opts),
        .workers = setting->workers,
        .max_tasks = setting->max_tasks,
    };

    now_on = setting;
    rv_event_init(&gate);
    rvi_store_relaxed(&scene->is_open, false);
    rvi_store_relaxed(&inside, 0);
    rvi_store_relaxed(&most_inside, 0);
    rvi_store_relaxed(&runs, 0);
    if (setting->workers == 0)
        setting->play();
    else
        RV_CHECK(rv_run(first_task, NULL, &opts) == 0);
}

static inline void perform_test(void **state)
{
    perform(*state);
}

/* Entries of a cmocka table; the table has to be in main, where its compound literals live long
 * enough. */
#define PERFORMANCE(suffix, tier, workers, play)                                                   \
    {                                                                                              \
#play suffix, perform_test, NULL, NULL, &(struct setting)                                  \
        {                                                                                          \
            tier, workers, play, 0                                                                 \
        }                                                                                          \
    }
#define IN_LINE(play)                                                                              \
    PERFORMANCE("_inline", "inline", 0, play), PERFORMANCE("_inline_in_a_task", "inline", 1, play)
#define ON_TASKS(play)                                                                             \
    PERFORMANCE("_on_tasks", "tasks", 1, play),                                                    \
        PERFORMANCE("_on_tasks_of_two_workers", "tasks", 2, play)
#define ON_THREADS(play)                                                                           \
    PERFORMANCE("_on_threads", "threads", 0, play),                                                \
        PERFORMANCE("_on_threads_for_a_task", "threads", 1, play)
#define ON_PROCESSES(play)                                                                         \
    PERFORMANCE("_on_processes", "processes", 0, play),                                            \
        PERFORMANCE("_on_processes_for_a_task", "processes", 1, play)
#define ON_POOLS_HERE(play) ON_TASKS(play), ON_THREADS(play)
#define ON_POOLS(play) ON_POOLS_HERE(play), ON_PROCESSES(play)
#define ON_EVERY_TIER_HERE(play) IN_LINE(play), ON_POOLS_HERE(play)
#define ON_EVERY_TIER(play) IN_LINE(play), ON_POOLS(play)

static inline int is_tier(const char *tier)
{
    return strcmp(now_on->tier, tier) == 0;
}

/* Options by which worker processes find the scene; until the next call. */
static inline const struct rv_executor_opts *with_scene(const struct rv_executor_opts *opts)
{
    static const char *const changes[] = {SCENE_NAME "=", NULL};
    static struct rv_child_fd fd = {.child_fd = SCENE_FD};
    static struct rv_process_opts process;
    static struct rv_executor_opts all;

    fd.fd = scene_fd;
    all = opts ? *opts : (struct rv_executor_opts){.size = sizeof(all)};
    process = all.process ? *all.process : (struct rv_process_opts){.size = sizeof(process)};
    process.fds = &fd;
    process.fd_count = 1;
    process.env_changes = changes;
    all.process = &process;
    return &all;
}

/* An executor of the tier that is on, `width` wide where it can be. */
static inline rv_executor *open_wide(unsigned width, const struct rv_executor_opts *opts)
{
    rv_executor *ex;
    char spec[32];

    if (is_tier("inline"))
        snprintf(spec, sizeof(spec), "inline");
    else
        snprintf(spec, sizeof(spec), "%s:%u", now_on->tier, width);
    RV_CHECK(rv_executor_open(&ex, spec, with_scene(opts)) == 0);
    return ex;
}

static inline void close_waiting(rv_executor *ex)
{
    RV_CHECK(rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER) == 0);
}

/* --- jobs --- */

static int add_one(const int *in, int *out)
{
    RV_CHECK(*out == 0);
    *out = *in + 1;
    rvi_fetch_add_relaxed(&runs, 1);
    return 0;
}
RV_JOB(add_one, int, int);

/* Writes a result all the same, which nobody must see. */
static int fail_with(const int *in, int *out)
{
    *out = 12345;
    return *in;
}
RV_JOB(fail_with, int, int);

/* Stays until the gate is open; a task is cancelled out of it, a thread is not. */
static int pass_gate(const int *in, int *out)
{
    rvi_fetch_add_relaxed(&inside, 1);
    int r = wait_at_gate();
    rvi_fetch_sub_relaxed(&inside, 1);
    *out = *in;
    return r;
}
RV_JOB(pass_gate, int, int);

/* Stays until it is asked to stop, then returns what it is told to, 0 standing for the reason. */
static int stay_until_cancelled(const int *in, int *out)
{
    int r;

    rvi_fetch_add_relaxed(&inside, 1);
    while ((r = rv_cancelled()) == 0)
        rv_yield();
    rvi_fetch_sub_relaxed(&inside, 1);
    *out = 7;
    return *in == 0 ? r : *in > 0 ? 0 : *in;
}
RV_JOB(stay_until_cancelled, int, int);

static inline void until_inside(int count)
{
    while (rvi_load_relaxed(&inside) != count)
        rv_yield();
}

/* --- short forms --- */

#define submit(ex, fn, in)                                                                         \
    (__extension__({                                                                               \
        rv_future *submitted_;                                                                     \
        RV_CHECK(rv_submit((ex), &submitted_, fn, (in), RV_NEVER) == 0);                           \
        submitted_;                                                                                \
    }))

static inline struct rv_outcome outcome_of(rv_future *f)
{
    struct rv_outcome outcome;

    RV_CHECK(rv_future_get(f, NULL, &outcome, RV_NEVER) == 0);
    return outcome;
}

static inline enum rv_outcome_kind kind_of(rv_future *f)
{
    return outcome_of(f).kind;
}

static inline int value_of(rv_future *f)
{
    struct rv_outcome outcome;
    int value;

    RV_CHECK(rv_future_get(f, &value, &outcome, RV_NEVER) == 0);
    RV_CHECK(outcome.kind == RV_OUTCOME_VALUE);
    return value;
}

static inline void free_all(rv_future **futures, size_t n)
{
    for (size_t i = 0; i < n; i++)
        futures[i] = rv_future_free(futures[i]);
}

static inline struct rv_executor_stats stats_of(rv_executor *ex)
{
    struct rv_executor_stats stats = {.size = sizeof(stats)};

    RV_CHECK(rv_executor_stats_read(ex, &stats) == 0);
    return stats;
}

/* --- panics --- */

static inline void perform_setting(void *setting)
{
    perform(setting);
}

/* Performed in a child, the play has to end in a panic that contains `message`. */
static inline void assert_panics(struct setting setting, const char *message)
{
    struct ending ending = run_child(perform_setting, &setting);

    assert_panicked(&ending, message);
}
