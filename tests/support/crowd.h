/* SPDX-License-Identifier: MIT */
/* crowd.h - how many, and where: numbers that follow the build, tasks that are surely elsewhere,
 * and the short forms of what every test of tasks does.
 *
 * RAVEL_TEST_SCALE (percent, default 100) sets the length of a test. The crowd, tasks that have
 * a stack at one time, has a bound of its own: ThreadSanitizer cannot count beyond some 8,000
 * fibers. */
#pragma once

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include <ravel.h>

#include "base/atomic.h"
#include "base/check.h"
#include "sys/thread.h"

enum { TSAN_CROWD = 3000 };

static inline size_t scaled(size_t count, size_t least)
{
    const char *text = getenv("RAVEL_TEST_SCALE");
    size_t percent = text == NULL ? 100 : strtoul(text, NULL, 10);
    size_t result = count * percent / 100;
    return result < least ? least : result;
}

static inline size_t crowd(size_t count, size_t least)
{
    size_t result = scaled(count, least);
    return RVI_TSAN && result > TSAN_CROWD ? TSAN_CROWD : result;
}

static inline rv_scope *open_scope(const struct rv_scope_opts *opts)
{
    rv_scope *scope;
    RV_CHECK(rv_scope_open(&scope, opts) == 0);
    return scope;
}

static inline void go(rv_scope *scope, rv_fn *fn, void *arg)
{
    RV_CHECK(rv_go(scope, fn, arg) == 0);
}

/* Where the scope may be cancelled already. */
static inline void try_go(rv_scope *scope, rv_fn *fn, void *arg)
{
    int r = rv_go(scope, fn, arg);
    RV_CHECK(r == 0 || r == -ECANCELED);
}

/* Somebody who is waited for without giving the worker away. */
struct arrival {
    rv_fn *fn;
    void *arg;
    _Atomic(int) worker; /* where fn has begun; -1 before */
};

static inline int arrive_and_run(void *arg)
{
    struct arrival *self = arg;
    rv_fn *fn = self->fn;
    void *of_fn = self->arg;
    rvi_store_release(&self->worker, rv_task_worker()); /* pairs: arrival; self may be gone */
    return fn(of_fn);
}

static inline int sleep_for_ever(void *arg)
{
    (void)arg;
    return rv_sleep_until(RV_NEVER);
}

static inline int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* Start fn(arg) and hold this worker until another one has begun it. Returns which, or
 * -ECANCELED when the scope takes no more. */
static inline int start_elsewhere(rv_scope *scope, rv_fn *fn, void *arg)
{
    struct arrival arrival = {fn, arg, -1};
    int where = rv_go_named(scope, arrive_and_run, &arrival, "elsewhere");
    RV_CHECK(rv_run_workers() > 1);
    if (where == -ECANCELED)
        return where;
    RV_CHECK(where == 0);
    while ((where = rvi_load_acquire(&arrival.worker)) < 0) /* pairs: arrival */
        rvi_thread_yield();
    RV_CHECK(where != rv_task_worker());
    return where;
}

/* With two workers: let the other one run until all that it has begun wait or have ended. */
static inline void until_elsewhere_waits(void)
{
    int err;
    RV_CHECK(rv_run_workers() == 2);
    RV_SCOPE(scope, err)
        start_elsewhere(scope, do_nothing, NULL);
    RV_CHECK(err == 0 || err == -ECANCELED);
}
