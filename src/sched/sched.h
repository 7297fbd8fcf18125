/* SPDX-License-Identifier: MIT */
/* sched.h - a scheduler: its workers, its stacks, its helpers and its monitor. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <ravel/def.h>
#include <ravel/run.h>
#include <ravel/time.h>

#include "base/atomic.h"
#include "base/check.h"
#include "sched/cancel.h"
#include "sched/helpers.h"
#include "sched/monitor.h"
#include "sched/pause.h"
#include "sched/worker.h"

struct rvi_sched_opts {
    unsigned workers; /* at least 1 */
    size_t stack_bytes;
    size_t max_stacks;
    rv_time stall_ns; /* 0: no stall watch */
    bool measure_stacks;
    bool accounts;         /* keep times and counts of each task */
    uint64_t trace_events; /* a worker's ring; 0: no trace */
    bool may_record;       /* for another program, when one asks */
    enum rv_backend backend;
};

struct rvi_sched {
    unsigned worker_count;
    enum rv_backend backend; /* that is wanted */
    bool spins; /* idle workers look around before they sleep: there is more than one core */
    struct rvi_worker *workers;
    struct rvi_stack_pool *pool;
    struct rvi_helpers helpers;
    struct rvi_monitor monitor;
    struct rvi_cancel cancel;    /* of the first task, before any scope */
    struct rvi_task *first_task; /* worker 0's to write; NULL once it has ended */
    int first_result;            /* what it returned */
    /* Take a fork of another worker's task to run here; NULL: none. Set by the room above. */
    struct rvi_task *(*steal_fork)(struct rvi_worker *w);
    /* The name of the innermost scope that a task owns or is in; NULL: it has none. In a signal
     * handler on the task's thread. Set by the room above. */
    const char *(*scope_name)(const struct rvi_task *task);
    void *runtime;                /* whatever the room above keeps for this scheduler */
    _Atomic(uint32_t) crew_count; /* threads that are ready to run, or have failed to be */
    _Atomic(int) crew_error;
    struct rvi_sched *next_sched; /* in the list of those that may be paused */

    /* Written when workers change their mind about sleeping, read at every spawn. */
    _Alignas(RVI_CACHE_LINE) _Atomic(uint32_t)
        attention;               /* workers asleep, and the monitor when asleep */
    _Atomic(uint32_t) searching; /* workers awake without work, looking for it */
    _Atomic(uint32_t) visitors;  /* threads of others that are sending a message just now */
    _Atomic(bool) stopping;
    _Atomic(struct rvi_forks *) forks; /* all there are; NULL while nobody has forked */
};

/** Set up a scheduler. Errors: -ENOMEM, or what stacks and fault handlers say. */
int rvi_sched_open(struct rvi_sched **ret, const struct rvi_sched_opts *opts)
    __attribute__((warn_unused_result));

/** Run fn(arg) as the first task, the calling thread being the first worker, until it has ended.
 * Returns what it returned; -EAGAIN or -ENOMEM when threads could not be had: nothing has run. */
int rvi_sched_run(struct rvi_sched *sched, rv_fn *fn, void *arg, const struct rv_site *site);

/** Free it; nothing runs any more. NULL is fine. */
void *rvi_sched_close(struct rvi_sched *sched);

/** A worker has more fresh tasks than it will come to: wake somebody to take some, unless somebody
 * is searching already. */
void rvi_sched_wake_one(struct rvi_sched *sched);

/** Sum the workers' counters. */
void rvi_sched_stats(const struct rvi_sched *sched, struct rv_run_stats *ret);

/** The scheduler of the calling task, NULL on a plain thread. */
static inline struct rvi_sched *rvi_sched_self(void)
{
    struct rvi_worker *w = rvi_worker_self();

    return w ? w->sched : NULL;
}
