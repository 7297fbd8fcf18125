/* SPDX-License-Identifier: MIT */
/* executor.h - what every tier shares, and what each brings of its own.
 *
 * A tier says how runners are started and how a running job is stopped. The rest is the backlog's
 * (backlog.c): who waits for a runner, who waits for room, when all is over. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ravel/executor.h>

#include "base/atomic.h"
#include "base/list.h"
#include "base/spares.h"
#include "exec/future.h"
#include "sched/bias.h"
#include "sched/wait.h"
#include "task/waitlist.h"

/* The kinds of executors. `ex` is the first member of a structure of the tier's own. */
struct rvi_tier {
    const char *name; /* what a spec begins with */
    size_t bytes;     /* of the tier's structure; it is zeroed before open */

    /** Set the width and start what must be there; `arg` is what follows the spec's colon, or NULL.
     * On error nothing is left behind. */
    int (*open)(struct rv_executor *ex, const char *arg, const struct rv_executor_opts *opts);

    /** Before a job is handed over: see that it can be. NULL: each can. */
    int (*prepare)(struct rv_executor *ex, struct rv_future *f);

    /** Take a job over. */
    int (*submit)(struct rv_executor *ex, struct rv_future *f, rv_time deadline);

    /** Start one runner more; an error is no harm, there are others. NULL: there are no runners. */
    int (*start)(struct rv_executor *ex);

    /** Of a tier that sends its jobs away instead: send what can be sent of those that wait. Under
     * ex->lock, whenever a job has come or gone. */
    void (*dispatch)(struct rv_executor *ex);

    /** Of such a tier: take a job back that was sent and has not begun. True: it never will where
     * it is, and is the first of those that wait. Under ex->lock. */
    bool (*recall)(struct rv_future *f);

    /** Of such a tier: how many jobs have begun. Under ex->lock. */
    uint64_t (*running)(struct rv_executor *ex);

    /** Of such a tier, whose jobs end elsewhere: somebody is about to wait until is_over(arg), which
     * is asked under ex->lock. He looks for a while what has ended, as long as nobody else could
     * use his thread, not beyond the deadline, and only once if that has passed. */
    void (*help)(struct rv_executor *ex, bool (*is_over)(const void *arg), const void *arg,
                 rv_time deadline);

    /** Of such a tier: sleep until is_over(arg), if that can be without anybody in between, who
     * would hear of ends first and then wake. Returns 0: it is over, or there is another way only.
     * Errors: -ETIME, -ECANCELED. */
    int (*lead)(struct rv_executor *ex, bool (*is_over)(const void *arg), const void *arg,
                rv_time deadline);

    /** Of such a tier: somebody begins to wait. Under ex->lock. */
    void (*expect)(struct rv_executor *ex);

    /** Tell a running job to stop, once or more often; `context` is what its runner gave to
     * rvi_backlog_run. Under ex->lock. */
    void (*stop)(void *context, int why);

    /** Whether the caller may close: 0, or why not. */
    int (*may_close)(struct rv_executor *ex);

    /** No job is left and none will come: wait for the runners, give back what open took. */
    void (*close)(struct rv_executor *ex);
};

extern const struct rvi_tier rvi_tier_inline;
extern const struct rvi_tier rvi_tier_tasks;
extern const struct rvi_tier rvi_tier_threads;
extern const struct rvi_tier rvi_tier_processes;

#define RVI_SPARE_NO_MORE ((struct rv_future *)1)

struct rv_executor {
    /* Final once it is open. */
    const struct rvi_tier *tier;
    unsigned width;
    size_t limit; /* jobs in flight at one time: width and backlog */
    rv_time job_timeout;
    char choice[96];

    _Atomic(uint32_t) refs; /* its opener's and one a future */

    /* The last future that was freed, for the next that is made; it still holds the executor's
     * memory. NULL: none. RVI_SPARE_NO_MORE: the executor is closed. */
    _Atomic(struct rv_future *) spare;

    struct rvi_bias lock;           /* guards the rest, and the futures */
    struct rvi_list waiting;        /* futures PENDING, first come first served */
    struct rvi_list running;        /* futures RUNNING, in the order in which they became so */
    struct rvi_waitlist submitters; /* who waits for room */
    struct rvi_waitlist idle;       /* runners that wait for a job */
    struct rvi_waitlist closers;    /* who waits until nothing is in flight */
    unsigned runners;               /* that have begun and not ended */
    unsigned ordered;               /* that were started and should begin */
    int refusal;                    /* 0, or what rv_submit gets */
    uint64_t submitted, ended;
    uint64_t cancelled;       /* of the ended */
    uint64_t queued;          /* the length of `waiting` */
    uint64_t expecting;       /* who sleep until a job of this executor ends: future.c, F3 */
    struct rvi_spares blocks; /* for futures of maps, each of block_bytes */
    size_t block_bytes;

    /* Of worker processes: see struct rv_executor_stats. */
    uint64_t deaths, retried, poisoned, started, recycled;
};

void rvi_executor_ref(struct rv_executor *ex);
void rvi_executor_unref(struct rv_executor *ex);

/** A block for a future; NULL: allocate one. Under ex->lock. */
void *rvi_executor_take_block(struct rv_executor *ex, size_t bytes);

/** Keep a block of so many bytes that rvi_alloc() has returned. False: free it. Under ex->lock. */
bool rvi_executor_keep_block(struct rv_executor *ex, void *block, size_t bytes);

/** Set the width by a spec's argument, or by `usual` when there is none. Errors: -EINVAL. */
int rvi_executor_set_width(struct rv_executor *ex, const char *arg, unsigned usual)
    __attribute__((warn_unused_result));

/** Jobs handed over and not ended. Under ex->lock. */
static inline uint64_t rvi_executor_in_flight(const struct rv_executor *ex)
{
    return ex->submitted - ex->ended;
}

/** Whether there is a queue: not where who submits a job runs it. */
static inline bool rvi_tier_has_backlog(const struct rvi_tier *tier)
{
    return tier->start || tier->dispatch;
}

/** When a running job's time is over. Its runner's, or under ex->lock. */
static inline rv_time rvi_executor_due(const struct rv_executor *ex, const struct rv_future *f)
{
    rv_time limit = ex->job_timeout;

    return limit == 0 || f->since > RV_NEVER - limit ? RV_NEVER : f->since + limit;
}

/** What comes before a tier's submit. Errors: why the job cannot be handed over. */
static inline int rvi_executor_prepare(struct rv_executor *ex, struct rv_future *f)
{
    return ex->tier->prepare ? ex->tier->prepare(ex, f) : 0;
}

/** Owe a waiter a wake; it has been taken off whatever it was on. */
static inline void rvi_wakes_add(struct rvi_link **wakes, struct rvi_waiter *w)
{
    w->link.next = *wakes;
    *wakes = &w->link;
}

/** Before a wait for the end of jobs: nothing, or the tier's help. Without the lock. */
static inline void rvi_executor_help(struct rv_executor *ex, bool (*is_over)(const void *arg),
                                     const void *arg, rv_time deadline)
{
    if (ex->tier->help)
        ex->tier->help(ex, is_over, arg, deadline);
}

/** Somebody begins to wait for an end. Under ex->lock. */
static inline void rvi_executor_expect(struct rv_executor *ex)
{
    if (ex->tier->expect)
        ex->tier->expect(ex);
}

/* --- backlog.c: the submitting side --- */

/** A tier's submit: queue a job, waiting in line while there is no room, and see to a runner. */
int rvi_backlog_submit(struct rv_executor *ex, struct rv_future *f, rv_time deadline);

/** Hand several futures over that are on a list by their links, in one go where the tier sends its
 * jobs away. On error those that were not are still on it. */
int rvi_backlog_submit_all(struct rv_executor *ex, struct rvi_list *futures, rv_time deadline)
    __attribute__((warn_unused_result));

/** For a submit that runs the job itself: RUNNING at once, without queue or limit. Errors: the
 * refusal. */
int rvi_backlog_admit(struct rv_executor *ex, struct rv_future *f);

/** Cancel one job, if it has not ended. */
void rvi_backlog_cancel(struct rv_future *f);

/** Take no job any more: whoever submits, or waits to, gets `why`. Runners without a job end. */
void rvi_backlog_refuse(struct rv_executor *ex, int why);

/** Cancel all that wait, ask all that run to stop. */
void rvi_backlog_cancel_all(struct rv_executor *ex);

/** Wait until nothing is in flight. Errors: -ETIME, -ECANCELED, -ENOMEM. */
int rvi_backlog_wait_idle(struct rv_executor *ex, rv_time deadline)
    __attribute__((warn_unused_result));

/** The same, whatever is cancelled meanwhile. */
void rvi_backlog_wait_idle_always(struct rv_executor *ex);

/* --- backlog.c: the running side --- */

/** A runner's first act. False: it is not needed and must end. */
bool rvi_backlog_enter(struct rv_executor *ex);

/** Start a runner that has not begun in place of the calling one, if jobs wait. True: the caller
 * must end; it is counted no more. */
bool rvi_backlog_relay(struct rv_executor *ex);

/** A runner's next job, RUNNING. NULL: the runner must end; it is counted no more.
 *
 * @param stays  wait for a job while there is none; otherwise the runner ends then */
struct rv_future *rvi_backlog_next(struct rv_executor *ex, bool stays);

/** Run a job from rvi_backlog_next to its end, on the calling task or thread.
 *
 * @param context  what the tier's stop is told, until this returns; NULL when jobs cannot be
 *                 stopped */
void rvi_backlog_run(struct rv_future *f, void *context);

/** End a job from rvi_backlog_next that could not be run. */
void rvi_backlog_drop(struct rv_future *f, int error);

/* --- backlog.c: instead of runners, a tier that sends jobs away; all of it under ex->lock --- */

/** The first that waits is RUNNING from now on, as far as anybody here knows; NULL: none waits. */
struct rv_future *rvi_backlog_send(struct rv_executor *ex);

/** A job that was sent has not begun, and is to be the first of those that wait. */
void rvi_backlog_take_back(struct rv_future *f);

/** Ask a job to stop that is RUNNING. */
void rvi_backlog_stop(struct rv_future *f, int why);

/** End a job. The caller owes the wakes. Returns what rvi_future_end() does. */
bool rvi_backlog_end(struct rv_future *f, const struct rv_outcome *outcome, struct rvi_link **wakes)
    __attribute__((warn_unused_result));

/* --- backlog.c: time --- */

/** Stop the jobs whose time is over at `now`. Returns when the next one's is, RV_NEVER without one.
 * Under ex->lock. */
rv_time rvi_backlog_stop_overdue(struct rv_executor *ex, rv_time now);
