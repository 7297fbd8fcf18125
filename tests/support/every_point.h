/* SPDX-License-Identifier: MIT */
/* every_point.h - a scene that is played again and again, and cut short at another point each time.
 *
 * A scene is a task. It makes what it needs, starts tasks that wait for each other in some way,
 * takes everything down and returns 0, or -errno when something in it has failed. It has to come
 * to its end wherever it is cut:
 *
 *   cancel_at_every_point()  the n-th play cancels the scene's scope at the n-th point at which
 *                            anybody looks whether he may wait, or has just parked
 *                            (rvi_wait_hook), for n = 1, 2, 3 ... until a play comes through
 *                            uncancelled
 *   fail_every_allocation()  likewise with the n-th allocation of the whole runtime, its own
 *                            included
 *
 * After each play no task is left (the scope has ended, and the runtime's counters agree), no
 * timer (the scheduler checks that when it is closed), and no byte (rvi_alloc_live). Without
 * RVI_DEBUG_CHECKS there is no hook, and the first of the two plays the scene once. */
#pragma once

#include <errno.h>

#include <ravel.h>

#include "base/alloc.h"
#include "base/atomic.h"
#include "base/check.h"
#include "crowd.h"
#include "sched/wait.h"
#include "sched/worker.h"

static struct {
    rv_fn *scene;
    long at;              /* the point to cut at */
    _Atomic(long) passed; /* points so far */
    _Atomic(rv_scope *) scope;
    struct rvi_msg msg;
} cut;

static inline void cancel_scene(struct rvi_msg *msg, void *receiver)
{
    (void)msg;
    (void)receiver;
    rv_scope_cancel(rvi_load_relaxed(&cut.scope), -ECANCELED);
}

/* Whoever comes here belongs to the scope, or is waited for by somebody who does: it stays open.
 * A task that parks reads the message to its own worker first thing afterwards. */
static inline void pass_point(bool parks)
{
    rv_scope *scope = rvi_load_acquire(&cut.scope); /* pairs: cut-scope */

    if (scope == NULL || rvi_fetch_add_relaxed(&cut.passed, 1) + 1 != cut.at)
        return;
    if (!parks) {
        rv_scope_cancel(scope, -ECANCELED);
        return;
    }
    cut.msg.deliver = cancel_scene;
    rvi_worker_send(rvi_worker_self(), &cut.msg);
}

static inline void check_nobody_is_left(void)
{
    struct rv_run_stats stats = {.size = sizeof(stats)};

    RV_CHECK(rv_run_stats_read(&stats) == 0);
    RV_CHECK(stats.spawned - stats.finished == 1); /* the caller */
}

static inline int host_scene(void *unused)
{
    rv_scope *scope;
    int r = rv_scope_open(&scope, NULL);

    (void)unused;
    if (r < 0)
        return r;
    rvi_store_release(&cut.scope, scope); /* pairs: cut-scope */
    r = rv_go_named(scope, cut.scene, NULL, "scene");
    if (r < 0)
        rv_scope_cancel(scope, r);
    r = rv_scope_close(scope);
    rvi_store_release(&cut.scope, NULL); /* pairs: cut-scope */
    check_nobody_is_left();
    return r;
}

static inline int play_scene(rv_fn *scene, unsigned workers)
{
    struct rv_run_opts opts = {.size = sizeof(opts), .workers = workers};
    long before = rvi_alloc_live();

    cut.scene = scene;
    rvi_store_relaxed(&cut.passed, 0);
    int r = rv_run(host_scene, NULL, &opts);
    RV_CHECK(rvi_alloc_live() == before);
    return r;
}

/* Slow builds leave some points out. */
static inline long next_point(long n)
{
    return n + (scaled(100, 1) >= 50 ? 1 : 1 + n % 3);
}

static inline void set_wait_hook(void (*hook)(bool parks))
{
#if RVI_DEBUG_CHECKS >= 1
    rvi_wait_hook = hook;
#else
    (void)hook;
#endif
}

static inline void cancel_at_every_point(rv_fn *scene, unsigned workers)
{
    set_wait_hook(pass_point);
    for (cut.at = 1;; cut.at = next_point(cut.at)) {
        int r = play_scene(scene, workers);
        if (rvi_load_relaxed(&cut.passed) < cut.at) {
            RV_CHECK(r == 0);
            break;
        }
        RV_CHECK(r == -ECANCELED);
    }
    set_wait_hook(NULL);
    RV_CHECK(RVI_DEBUG_CHECKS < 1 || cut.at > 1);
}

/* A failure that is absorbed (memory that was only to be given back, a hint) may come to
 * nothing. */
static inline void fail_every_allocation(rv_fn *scene, unsigned workers)
{
    bool all_tried = false;

    for (long n = 1; !all_tried; n = next_point(n)) {
        rvi_alloc_fail_after(n);
        int r = play_scene(scene, workers);
        all_tried = rvi_alloc_fail_pending();
        rvi_alloc_fail_after(-1);
        RV_CHECK(r == 0 || (!all_tried && (r == -ENOMEM || r == -EAGAIN)));
    }
}
