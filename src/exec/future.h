/* SPDX-License-Identifier: MIT */
/* future.h - a job that has been handed over, and how the ends of one or many are waited for.
 *
 * Two parties hold a future: the submitter, until rv_future_free, and the executor, until the job
 * has ended. A future in turn holds the memory of its executor, whose lock guards it: so it can be
 * read and freed after the executor has been closed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ravel/future.h>
#include <ravel/job.h>
#include <ravel/shm.h>

#include "base/atomic.h"
#include "base/list.h"
#include "sched/wait.h"
#include "sys/lock.h"

/* PENDING -> RUNNING -> DONE, or PENDING -> DONE for a job that is cancelled before its turn. One
 * that was sent away is RUNNING; should it come back unbegun, it is PENDING again. */
enum rvi_future_state {
    RVI_FUTURE_PENDING,
    RVI_FUTURE_RUNNING,
    RVI_FUTURE_DONE,
};

struct rv_future {
    struct rv_executor *ex;
    const struct rv_job *job;
    _Atomic(uint32_t) refs;

    /* Under ex->lock. Whoever has seen DONE may read state and outcome without it: they are
     * final. */
    _Atomic(uint32_t) state; /* enum rvi_future_state */
    struct rvi_link link;    /* in ex->waiting or ex->running */
    struct rvi_list watches; /* struct rvi_watch: who is to be told of the end */
    rv_time since;           /* when it came into its state */
    int stop;                /* why the job is to stop; 0: it is not */
    void *context;           /* what its tier stops it by, once its runner has said so */
    struct rv_outcome outcome;
    struct rv_shm
        alone;      /* where input and result travel that are larger than any arena; or zeros */
    bool is_poison; /* it is set aside after its last retry */
    char *words;    /* the last of the process that died while it ran this; NULL: none */

    _Alignas(max_align_t) unsigned char bytes[]; /* the job's input, padding, its result */
};

/** A PENDING future for a copy of the input; both references are the caller's. NULL: no memory. */
struct rv_future *rvi_future_new(struct rv_executor *ex, const struct rv_job *job, const void *in);

/** Drop one reference; the last one frees it. Not under ex->lock. */
void rvi_future_unref(struct rv_future *f);

/** The job's input. */
const void *rvi_future_in(const struct rv_future *f);

/** Where the job writes its result. */
void *rvi_future_out(struct rv_future *f);

/** Copy the outcome of a future that is DONE, and its value if there is one and `ret_value` is not
 * NULL. */
void rvi_future_read(struct rv_future *f, void *ret_value, struct rv_outcome *ret_outcome);

/** Its turn has come. Under ex->lock. */
void rvi_future_begin(struct rv_future *f);

/** It has ended. Under ex->lock; the caller owes a wake to those who are put on the chain. */
void rvi_future_end(struct rv_future *f, const struct rv_outcome *outcome, struct rvi_link **wakes);

/* --- gathering: one party waits for the ends of many futures --- */

struct rvi_gather {
    struct rvi_lock lock;      /* taken under an executor's */
    struct rvi_list told;      /* watches whose futures have ended and that have not been taken */
    struct rvi_waiter *waiter; /* its owner, while that one waits */
    struct rv_executor *ex;    /* of all its futures; NULL: of several */
};

/* One future of a gather, in its owner's memory. */
struct rvi_watch {
    struct rvi_link link; /* in the future's watches, then in the gather's told */
    struct rvi_gather *gather;
    struct rv_future *future; /* NULL: it has been taken */
};

/** @param ex  whose futures alone it will watch; NULL: those of any */
void rvi_gather_init(struct rvi_gather *g, struct rv_executor *ex);

/** Let `watch` be told when `f` has ended: at once, if it has. */
void rvi_gather_watch(struct rvi_gather *g, struct rvi_watch *watch, struct rv_future *f);

/** Take the next watch that has been told, in the order of the ends, waiting while there is none.
 *
 * @return 0; its future is NULL from now on
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -ENOMEM no room for the timer
 * Threads: the gather's owner */
int rvi_gather_next(struct rvi_gather *g, struct rvi_watch **ret, rv_time deadline)
    __attribute__((warn_unused_result));

/** The same, whatever is cancelled meanwhile. */
struct rvi_watch *rvi_gather_next_always(struct rvi_gather *g);

/** From now on nobody touches the watch, whether it has been told or not. */
void rvi_watch_forget(struct rvi_watch *watch);
