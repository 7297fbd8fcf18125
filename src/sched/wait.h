/* SPDX-License-Identifier: MIT */
/* wait.h - how a task or a plain thread waits for an object, and how it is woken.
 *
 * The protocol of every object (channel, mutex, future ...):
 *
 *     waiting side                              waking side
 *     r = rvi_wait_allowed(); if (r < 0) ...    lock the object
 *     lock the object                           take a waiter off the object's list
 *     if it need not wait: done                 give it what it waits for (write into its frame)
 *     rvi_waiter_init(&w); link w.link          unlock the object
 *     unlock the object                         rvi_wake(w): exactly once; w may be gone after it
 *     r = rvi_wait(&w, deadline, why,
 *                  withdraw, object)
 *
 * `withdraw` locks the object, and if w is still on the list takes it off and returns true;
 * otherwise somebody has taken it off and is about to wake it: rvi_wait then waits for that wake
 * and returns 0, so a grant is never lost and a waiter's frame never dies under its waker.
 *
 * A woken task is touched by its home worker only: a waker elsewhere sends the waiter itself as a
 * message to that worker's inbox. Hence no task state is shared between threads. */
#pragma once

#include <stdbool.h>

#include <ravel/time.h>

#include "base/atomic.h"
#include "base/list.h"
#include "queue/inbox.h"
#include "sched/cancel.h"
#include "sched/here.h"
#include "sched/task.h"
#include "sched/why.h"
#include "sched/worker.h"

/** One waiting party, in the waiting function's frame. */
struct rvi_waiter {
    struct rvi_msg msg;      /* carries the wake to another worker; the waker's */
    struct rvi_link link;    /* the object's list; under the object's lock */
    struct rvi_task *task;   /* NULL: a plain thread waits */
    _Atomic(uint32_t) woken; /* of a task: its home worker's; of a thread: the futex word */
};

#if RVI_DEBUG_CHECKS >= 1
/** Testing: called by whoever is about to look whether it may wait, and by a task that is about to
 * park, with no lock held, so that a test can cut in at every such point. It may cancel scopes at a
 * look; what it does to a task that parks has to come as a message. Set while nothing runs; NULL:
 * nothing is called. */
extern void (*rvi_wait_hook)(bool parks);
#endif

static inline void rvi_wait_call_hook(bool parks)
{
#if RVI_DEBUG_CHECKS >= 1
    if (rvi_wait_hook)
        rvi_wait_hook(parks);
#else
    (void)parks;
#endif
}

/** Park the calling task: it comes back when it is woken, or for no reason. */
static inline void rvi_park(enum rvi_why why)
{
    rvi_wait_call_hook(true);
    rvi_worker_park(rvi_worker_self(), why);
}

/** Take a waiter back from its object; true when it was still there. */
typedef bool rvi_withdraw_fn(struct rvi_waiter *w, void *object);

/* The slow half of rvi_wait_allowed(). */
int rvi_wait_allowed_slow(void);

/** Whether rvi_wait_allowed() would say 0, as far as can be said without a call: for paths that
 * want no frame. */
static inline bool rvi_wait_is_clearly_allowed(void)
{
    const struct rvi_task *task = rvi_task_self();

    return task && rvi_cancel_reason(task->cancel) == 0 && RVI_DEBUG_CHECKS == 0;
}

/** 0, or -ECANCELED when the calling task is cancelled and not shielded. Plain threads: 0. */
static inline int rvi_wait_allowed(void)
{
    return rvi_likely(rvi_wait_is_clearly_allowed()) ? 0 : rvi_wait_allowed_slow();
}

/** Prepare a waiter for the calling task or thread, but for its link: whoever links it at once
 * writes that anyway. */
static inline void rvi_waiter_fill(struct rvi_waiter *w)
{
    w->task = rvi_task_self();
    rvi_store_relaxed(&w->woken, 0);
}

/** Prepare a waiter for the calling task or thread. */
static inline void rvi_waiter_init(struct rvi_waiter *w)
{
    rvi_waiter_fill(w);
    rvi_link_init(&w->link);
}

/** Tell whoever records what the caller is about to wait for: the address that stands for it. */
static inline void rvi_wait_tells(const void *object, enum rvi_why why)
{
    struct rvi_worker *w = rvi_worker_self();

    if (rvi_unlikely(w && w->probes))
        rvi_probe_tell(&w->probing, object, why);
}

/** The same of what has a name that lasts, and no address that others know; NULL: none. */
static inline void rvi_wait_tells_name(const char *name, enum rvi_why why)
{
    struct rvi_worker *w = rvi_worker_self();

    if (rvi_unlikely(w && w->probes))
        rvi_probe_tell_name(w, name, why);
}

/** Tell them also who has it, a party or NULL, which holds on to it meanwhile. */
static inline void rvi_wait_tells_holder(const void *party)
{
    struct rvi_worker *w = rvi_worker_self();

    if (rvi_unlikely(w && w->probes))
        rvi_probe_holder(w, rvi_party_task(party));
}

/* All cases; call the inline function below, which is the shortest of them. */
int rvi_wait_slow(struct rvi_waiter *w, rv_time deadline, enum rvi_why why,
                  rvi_withdraw_fn *withdraw, void *object);

/** Wait until rvi_wake(w); see the protocol above: the caller has asked rvi_wait_allowed() and let
 * nobody else run since.
 *
 * Returns 0 woken; -ETIME, -ECANCELED or -ENOMEM (no room for the timer): withdrawn, nobody will
 * wake w. */
static inline int rvi_wait(struct rvi_waiter *w, rv_time deadline, enum rvi_why why,
                           rvi_withdraw_fn *withdraw, void *object)
{
    const struct rvi_task *task = w->task;

    if (rvi_likely(task && deadline == RV_NEVER && !task->shields &&
                   rvi_cancel_reason(task->cancel) == 0)) {
        rvi_park(why);
        if (rvi_likely(rvi_load_relaxed(&w->woken)))
            return 0;
    }
    return rvi_wait_slow(w, deadline, why, withdraw, object);
}

/** The same for a task without a deadline, and its token is not looked at before it parks: whoever
 * has cancelled it since rvi_wait_allowed() nudges it by a message, which is read after that. */
static inline int rvi_wait_in_task(struct rvi_waiter *w, enum rvi_why why,
                                   rvi_withdraw_fn *withdraw, void *object)
{
    const struct rvi_task *task = w->task;

    RV_DCHECK(task);
    if (rvi_likely(!task->shields)) {
        rvi_park(why);
        if (rvi_likely(rvi_load_relaxed(&w->woken)))
            return 0;
    }
    return rvi_wait_slow(w, RV_NEVER, why, withdraw, object);
}

/** Wait until rvi_wake(w), whatever is cancelled meanwhile. */
void rvi_wait_always(struct rvi_waiter *w, enum rvi_why why);

/* On the home worker of the waiting task. */
static inline void rvi_wake_here(struct rvi_worker *self, struct rvi_waiter *w)
{
    struct rvi_task *task = w->task;

    rvi_store_relaxed(&w->woken, 1); /* the same thread reads it */
    rvi_worker_nudge(self, task);
}

/* A plain thread, or a task of another worker. */
void rvi_wake_elsewhere(struct rvi_waiter *w);

/** Wake a waiter that the caller has taken off its object's list: once, outside the object's
 * lock. */
static inline void rvi_wake(struct rvi_waiter *w)
{
    struct rvi_task *task = w->task;
    struct rvi_worker *self = rvi_worker_self();

    if (rvi_likely(task && rvi_load_relaxed(&task->home) == self))
        rvi_wake_here(self, w);
    else
        rvi_wake_elsewhere(w);
}
