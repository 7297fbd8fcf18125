/* SPDX-License-Identifier: MIT */
/* future.h - a job that has been handed over, and how the ends of one or many are waited for.
 *
 * Two parties hold a future: the submitter, until rv_future_free, and the executor, until the job
 * has ended. Who parts last destroys it. A future in turn holds the memory of its executor, whose
 * lock guards it: so it can be read and freed after the executor has been closed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ravel/executor.h>
#include <ravel/future.h>
#include <ravel/job.h>
#include <ravel/shm.h>

#include "base/atomic.h"
#include "base/heap.h"
#include "base/list.h"
#include "sched/here.h"
#include "sched/task.h"
#include "sched/wait.h"
#include "sys/lock.h"
#include "sys/stack.h"

/* PENDING -> RUNNING -> DONE, or PENDING -> DONE for a job that is cancelled before its turn. One
 * that was sent away is RUNNING; should it come back unbegun, it is PENDING again. One that may not
 * begin yet is DELAYED before that. */
enum rvi_future_state {
    RVI_FUTURE_PENDING,
    RVI_FUTURE_DELAYED,
    RVI_FUTURE_RUNNING,
    RVI_FUTURE_DONE,
};

/* Who holds it no more. */
enum rvi_future_parted {
    RVI_PARTED_NOBODY,
    RVI_PARTED_EXECUTOR, /* its job has ended */
    RVI_PARTED_SUBMITTER,
};

struct rv_future {
    struct rv_executor *ex;
    const struct rv_job *job;
    const void *in; /* the job's input */
    void *out;      /* where its result belongs */

    /* As handed over: struct rv_submit_opts. */
    enum rv_lane lane;
    rv_time not_before; /* 0: at once */
    rv_time deadline;   /* 0: none */

    _Atomic(uint32_t) parted; /* enum rvi_future_parted: who was first to */

    /* Under ex->lock. Whoever has seen that the executor has parted may read all without it: it is
     * final. */
    enum rvi_future_state state;
    int stop;                   /* why the job is to stop; 0: it is not */
    struct rvi_link link;       /* in ex->waiting, ex->delayed or ex->running */
    struct rvi_heap_node alarm; /* in ex->alarms; of one without a time of its own: nothing */
    struct rvi_list watches;    /* struct rvi_watch: who is to be told of the end */
    rv_time since;              /* when it came into its state; of one that was sent away: to ex */
    void *context;              /* what its tier stops it by, once its runner has said so */
    struct rv_outcome outcome;
    struct rv_shm alone; /* where input and result travel that no arena could hold; or zeros */
    char *words;         /* the last of the process that died while it ran this; NULL: none */
    struct rvi_progress *progress; /* NULL: nobody has told or asked yet; see progress.c */

    _Alignas(max_align_t) unsigned char bytes[]; /* for input, padding, result */
};

/** A PENDING future for a copy of the input, whose submitter the caller is. NULL: no memory. */
struct rv_future *rvi_future_new(struct rv_executor *ex, const struct rv_job *job, const void *in);

/** Free a future that was never handed over, or that both parties have parted from. Not under
 * ex->lock. */
void rvi_future_destroy(struct rv_future *f);

/** Free what is kept of futures of an executor that closes, and keep nothing more. */
void rvi_futures_spare_no_more(struct rv_executor *ex);

/** Whether it has times of its own. */
static inline bool rvi_future_is_timed(const struct rv_future *f)
{
    return (f->not_before | f->deadline) != 0;
}

/** Whether its job has ended, and all of it is final. */
static inline bool rvi_future_is_done(const struct rv_future *f)
{
    return rvi_load_acquire(&f->parted) == RVI_PARTED_EXECUTOR; /* pairs: future-parted */
}

/** What a future of that job takes. False: more than there could be. */
bool rvi_future_measure(const struct rv_job *job, size_t *ret_bytes)
    __attribute__((warn_unused_result));

/** The same as rvi_future_new() in a block of that size, for one that ends while its executor is
 * open: it does not hold that one's memory. */
struct rv_future *rvi_future_init(void *block, struct rv_executor *ex, const struct rv_job *job,
                                  const void *in);

/** The same in a block of sizeof(struct rv_future), for a tier that sends its jobs away: input and
 * result stay the caller's and are used in place, the latter if the outcome is a value. */
struct rv_future *rvi_future_init_in_place(void *block, struct rv_executor *ex,
                                           const struct rv_job *job, const void *in, void *out);

/** Free what such a future has, but for its block. */
void rvi_future_fini(struct rv_future *f);

/** Copy the outcome of a future that has ended, and its value if there is one and `ret_value` is
 * not NULL. */
void rvi_future_read(struct rv_future *f, void *ret_value, struct rv_outcome *ret_outcome);

/** Its turn has come. Under ex->lock. */
void rvi_future_begin(struct rv_future *f, rv_time now);

/** It has ended, and the executor parts from it. Under ex->lock; the caller owes a wake to those
 * who are put on the chain.
 *
 * @return whether its submitter had parted: then it is the caller's to destroy, and otherwise not
 *         to be touched any more */
bool rvi_future_end(struct rv_future *f, const struct rv_outcome *outcome, struct rvi_link **wakes)
    __attribute__((warn_unused_result));

/* --- progress.c: what a job says while it runs; under ex->lock --- */

/** A job has said something; it is not DONE. The caller owes the wakes. Errors: -ENOMEM nobody
 * hears of it. */
int rvi_future_note(struct rv_future *f, const void *bytes, size_t count, struct rvi_link **wakes);

/** Whether somebody waits for that. */
bool rvi_future_is_listened_to(const struct rv_future *f);

/** Wake who waits for that: there is something, or the job is DONE. */
void rvi_progress_wake(struct rv_future *f, struct rvi_link **wakes);

/** Of a worker process: where what is said goes that is no executor's of its own. Before any job
 * runs. */
void rvi_progress_lead_to(int (*tell)(const void *bytes, size_t count));

/** Where it stands which job the calling task or thread runs: its struct rv_future, or NULL. */
static inline void **rvi_job_here(void)
{
    struct rvi_task *task = rvi_task_self();

    return task ? rvi_stack_pocket(task->stack) : &rvi_here.job;
}

/* --- gathering: one party waits for the ends of many futures --- */

/* What others touch is guarded by its executor's lock, or by its own if it has several. */
struct rvi_gather {
    struct rv_executor *ex;    /* of all its futures; NULL: of several */
    struct rvi_lock lock;      /* taken under an executor's */
    struct rvi_list told;      /* watches whose futures have ended */
    struct rvi_waiter *waiter; /* its owner, while that one waits */
    struct rvi_list fetched;   /* the owner's: of those told, what it has not taken yet */
};

/* One future of a gather, in its owner's memory. */
struct rvi_watch {
    struct rvi_link link; /* in the future's watches, then in the gather's told, then fetched */
    struct rvi_gather *gather;
    struct rv_future *future; /* NULL: it has been taken */
};

/** @param ex  whose futures alone it will watch; NULL: those of any */
void rvi_gather_init(struct rvi_gather *g, struct rv_executor *ex);

/** Let `watch` be told when `f` has ended: at once, if it has. */
void rvi_gather_watch(struct rvi_gather *g, struct rvi_watch *watch, struct rv_future *f);

/** The same before `f` is handed over to g->ex, without a lock. */
void rvi_gather_watch_first(struct rvi_gather *g, struct rvi_watch *watch, struct rv_future *f);

/** Take the next watch that has been told, in the order of the ends, waiting while there is none.
 *
 * @return 0; its future is NULL from now on
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -ENOMEM no room for the timer
 * Threads: the gather's owner */
int rvi_gather_next(struct rvi_gather *g, struct rvi_watch **ret, rv_time deadline)
    __attribute__((warn_unused_result));

/** The next watch that came along with one that rvi_gather_next() gave; NULL: it has to be asked
 * again. */
struct rvi_watch *rvi_gather_more(struct rvi_gather *g);

/** As rvi_gather_next(), whatever is cancelled meanwhile. */
struct rvi_watch *rvi_gather_next_always(struct rvi_gather *g);

/** From now on nobody touches the watch, whether it has been told or not. */
void rvi_watch_forget(struct rvi_watch *watch);
