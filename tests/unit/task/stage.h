/* SPDX-License-Identifier: MIT */
/* stage.h - where the tests of src/task are performed.
 *
 * A play is a test that starts parties which meet at an object. The same play is performed on
 * several stages: its parties are plain threads, tasks of one worker, tasks of two, or both kinds
 * at a time. Plays check with RV_CHECK, which works on any thread and any stack. */
#pragma once

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <ravel.h>

#include "../../support/child.h"
#include "base/check.h"
#include "task/waitlist.h"

enum stage { THREADS, ONE_WORKER, TWO_WORKERS, MIXED };

enum { STAGE_THREADS_MOST = 64 };

struct party_start {
    rv_fn *fn;
    void *arg;
};

/* The performance that is on; one at a time. */
static struct {
    enum stage stage;
    rv_scope *scope;
    size_t started;
    size_t thread_count;
    pthread_t threads[STAGE_THREADS_MOST];
    struct party_start starts[STAGE_THREADS_MOST];
} now_on;

static inline void *thread_party(void *arg)
{
    struct party_start *start = arg;
    RV_CHECK(start->fn(start->arg) == 0);
    return NULL;
}

static inline void start_thread(rv_fn *fn, void *arg)
{
    size_t n = now_on.thread_count++;
    RV_CHECK(n < STAGE_THREADS_MOST);
    now_on.starts[n] = (struct party_start){fn, arg};
    RV_CHECK(pthread_create(&now_on.threads[n], NULL, thread_party, &now_on.starts[n]) == 0);
}

/* Let fn(arg) run beside the caller. It has to return 0. */
static inline void start(rv_fn *fn, void *arg)
{
    size_t n = now_on.started++;
    if (now_on.stage == THREADS || (now_on.stage == MIXED && n % 2 == 1))
        start_thread(fn, arg);
    else
        RV_CHECK(rv_go(now_on.scope, fn, arg) == 0);
}

static inline void open_stage(void)
{
    now_on.started = 0;
    now_on.thread_count = 0;
    if (now_on.stage != THREADS)
        RV_CHECK(rv_scope_open(&now_on.scope, NULL) == 0);
}

/* Tasks are waited for first: that blocks no worker, so the threads get what they need of them. */
static inline void close_stage(void)
{
    if (now_on.stage != THREADS)
        RV_CHECK(rv_scope_close(now_on.scope) == 0);
    for (size_t i = 0; i < now_on.thread_count; i++)
        RV_CHECK(pthread_join(now_on.threads[i], NULL) == 0);
}

/* Wait for all that were started; more can be started afterwards. */
static inline void finish(void)
{
    close_stage();
    open_stage();
}

typedef void play(void);

static inline int first_task(void *arg)
{
    play *fn = (play *)arg;
    open_stage();
    fn();
    close_stage();
    return 0;
}

static inline void perform(enum stage stage, play *fn)
{
    struct rv_run_opts opts = {.size = sizeof(opts), .workers = stage == ONE_WORKER ? 1 : 2};

    now_on.stage = stage;
    if (stage == THREADS)
        first_task((void *)fn);
    else
        RV_CHECK(rv_run(first_task, (void *)fn, &opts) == 0);
}

static inline void on_threads(void **state)
{
    perform(THREADS, (play *)*state);
}

static inline void on_one_worker(void **state)
{
    perform(ONE_WORKER, (play *)*state);
}

static inline void on_two_workers(void **state)
{
    perform(TWO_WORKERS, (play *)*state);
}

static inline void on_both_kinds(void **state)
{
    perform(MIXED, (play *)*state);
}

static inline struct CMUnitTest performance(const char *name, CMUnitTestFunction on, play *fn)
{
    return (struct CMUnitTest){name, on, NULL, NULL, (void *)fn};
}

/* Entries of a cmocka table. */
#define ON_ONE_WORKER(test) performance(#test, on_one_worker, test)
#define ON_TASKS(test)                                                                             \
    performance(#test "_between_tasks", on_one_worker, test),                                      \
        performance(#test "_between_workers", on_two_workers, test)
#define ON_EVERY_STAGE(test)                                                                       \
    performance(#test "_between_threads", on_threads, test),                                       \
        performance(#test "_between_both_kinds", on_both_kinds, test), ON_TASKS(test)

static inline size_t count_line(struct rvi_bias *lock, const struct rvi_waitlist *line)
{
    bool biased = rvi_bias_lock(lock);
    size_t count = 0;
    RV_CHECK(rvi_waitlist_is_valid(line));
    for (const struct rvi_link *link = line->first; link != NULL;
         link = link->next == line->first ? NULL : link->next)
        count++;
    rvi_bias_unlock(lock, biased);
    return count;
}

/* Let the others run until `count` of them stand in line. */
static inline void until_in_line(struct rvi_bias *lock, const struct rvi_waitlist *line,
                                 size_t count)
{
    while (count_line(lock, line) != count)
        rv_yield();
}

/* What mutex, condition, semaphore and event begin with. */
struct lined {
    struct rvi_bias lock;
    struct rvi_waitlist line;
};

static inline void until_waiting(void *object, size_t count)
{
    struct lined *lined = object;
    until_in_line(&lined->lock, &lined->line, count);
}

struct performance {
    enum stage stage;
    play *fn;
};

static inline void perform_it(void *arg)
{
    const struct performance *it = arg;

    perform(it->stage, it->fn);
}

/* Performed in a child on `stage`, the play has to end in a panic that contains `message`. */
static inline void assert_panics(enum stage stage, play *fn, const char *message)
{
    struct performance it = {stage, fn};
    struct ending ending = run_child(perform_it, &it);

    assert_panicked(&ending, message);
}
