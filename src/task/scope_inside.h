/* SPDX-License-Identifier: MIT */
/* scope_inside.h - the inside of a scope, for the files that make one up: scope.c (its essay has
 * the invariants) and scope_cancel.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <ravel/sync.h>

#include "base/atomic.h"
#include "base/list.h"
#include "loop/timers.h"
#include "queue/inbox.h"
#include "sched/cancel.h"
#include "sched/forks.h"
#include "sched/worker.h"
#include "task/scope.h"

/* cancel.reason of a scope that RV_FIRST_SUCCESS has ended: no error. */
enum { RVI_REASON_SUCCESS = 1 };

struct rvi_shard {
    struct rv_scope *scope;
    struct rvi_worker *worker;
    struct rvi_list children;
    _Atomic(uint64_t) started, ended, failed; /* written by the worker, read by home */

    /* Not of the home shard: */
    _Atomic(uint32_t) owed; /* what the next `quit` takes off `away` */
    struct rvi_msg quit;    /* to the home worker */
    struct rvi_msg spread;  /* to the shard's worker */
};

struct rv_scope {
    /* Of one opening */
    struct rvi_cancel cancel;
    enum rv_policy policy;
    bool is_limited;
    bool is_special; /* limited, or RV_FIRST_SUCCESS: a start or an end may concern others */
    bool is_closing; /* the owner waits for the scope to be empty */
    uint8_t outer_shields;
    _Atomic(int) first_failure;
    const char *name;
    struct rvi_task *owner;
    struct rv_scope *outer; /* the owner's next one out; NULL: the one it was started in */
    const struct rvi_cancel *outer_cancel; /* the owner's token outside */
    struct rvi_fork_slot *mark; /* the owner's forks from here on are inside; NULL: all are */
    rv_time deadline;
    rv_time outer_shield_until; /* until when the outer shields keep cancellation from this scope */

    /* Between two openings: as scope_alloc() has made them, for scopes never leave their worker.
     * Only the counts of `here` begin anew. */
    struct rvi_worker *home;
    struct rvi_timer timer; /* deadline, or the end of the shields that a cancellation waits for */
    _Atomic(uint32_t) away;
    _Atomic(_Atomic(struct rvi_shard *) *)
        elsewhere; /* by worker index; NULL until somebody else starts one */
    struct rvi_shard here;

    /* Set when used */
    struct rvi_qlink todo; /* in a work list of scopes to spread */
    struct rvi_msg cancel_msg;
    struct rv_sem room; /* how many more tasks may live, when limited */
};

/** On the shard's worker. */
static inline bool rvi_shard_has_children(const struct rvi_shard *shard)
{
    return rvi_load_relaxed(&shard->started) != rvi_load_relaxed(&shard->ended);
}

/** One more that may touch the scope from elsewhere; by whoever holds it open. */
static inline void rvi_scope_hold(struct rv_scope *scope)
{
    rvi_fetch_add_relaxed(&scope->away, 1);
}

/** Whether the owner's fork was made inside the scope. A mark in another stack is one that the task
 * had before. */
static inline bool rvi_scope_has_fork(const struct rv_scope *scope, struct rvi_fork_slot *slot)
{
    return !scope->mark || rvi_forks_of(scope->mark) != rvi_forks_of(slot) || scope->mark <= slot;
}

/** So many less, at home. The scope may be closed afterwards. */
void rvi_scope_release(struct rv_scope *scope, uint32_t count);

/** The same by the shard's worker: one less. The shard may be gone afterwards. */
void rvi_shard_give_back(struct rvi_shard *shard);

/** Cancel it, once, and see to it that it spreads. Any thread that holds the scope open. */
void rvi_scope_cancel(struct rv_scope *scope, int why);

/** It was opened inside a scope that is cancelled, or a shield that kept this from it has ended. On
 * its home worker. */
void rvi_scope_cancel_from_outside(struct rv_scope *scope);

/** What its timer does, and what a shard elsewhere does with `spread`. */
void rvi_scope_time_out(struct rvi_timer *timer);
void rvi_shard_deliver_spread(struct rvi_msg *msg, void *receiver);
