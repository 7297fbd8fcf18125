/* SPDX-License-Identifier: MIT */
/* executor.h - what every tier shares, and what each brings of its own.
 *
 * A tier says how runners are started and how a running job is stopped. The rest is the backlog's
 * (backlog*.c): who waits for a runner, who waits for room, when all is over. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ravel/executor.h>

#include "base/atomic.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/spares.h"
#include "exec/future.h"
#include "sched/bias.h"
#include "sched/roll.h"
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

    /** Of such a tier, whose jobs end elsewhere: somebody is about to wait until is_over(arg),
     * which is asked under ex->lock. He looks for a while what has ended, as long as nobody else
     * could use his thread, not beyond the deadline, and only once if that has passed. */
    void (*help)(struct rv_executor *ex, bool (*is_over)(const void *arg), const void *arg,
                 rv_time deadline);

    /** Of such a tier: sleep until is_over(arg), if that can be without anybody in between, who
     * would hear of ends first and then wake. Returns 0: it is over, or there is another way only.
     * Errors: -ETIME, -ECANCELED. */
    int (*lead)(struct rv_executor *ex, bool (*is_over)(const void *arg), const void *arg,
                rv_time deadline);

    /** Of such a tier: somebody begins to wait. Under ex->lock. */
    void (*expect)(struct rv_executor *ex);

    /** Of such a tier: take in what a job has said, by rvi_future_note(), and see to it that what
     * it says from now on is taken in without being asked for. Under ex->lock. */
    void (*listen)(struct rv_future *f, struct rvi_link **wakes);

    /** Tell a running job to stop, once or more often; `context` is what its runner gave to
     * rvi_backlog_run. Under ex->lock. */
    void (*stop)(void *context, int why);

    /** Of a tier that sends its jobs away: those that may not begin yet are sent all the same, and
     * wait where they are. */
    bool delays_elsewhere;

    /** Before a job is handed over that has times of its own: see that rvi_backlog_look() is called
     * from now on whenever it says, or earlier on rvi_backlog_hurry(). NULL: the tier's submit sees
     * to f->not_before and f->deadline. */
    int (*keep_time)(struct rv_executor *ex);

    /** Call who keeps time: something is due earlier than it knows. Under ex->lock. NULL: it waits
     * at ex->keepers. */
    void (*hurry)(struct rv_executor *ex);

    /** Whether the caller may close: 0, or why not. */
    int (*may_close)(struct rv_executor *ex);

    /** No job is left and none will come: wait for the runners, give back what open took. */
    void (*close)(struct rv_executor *ex);
};

extern const struct rvi_tier rvi_tier_inline;
extern const struct rvi_tier rvi_tier_tasks;
extern const struct rvi_tier rvi_tier_threads;
extern const struct rvi_tier rvi_tier_processes;
extern const struct rvi_tier rvi_tier_cluster;

#define RVI_SPARE_NO_MORE ((struct rv_future *)1)

enum { RVI_LANES_HERE = RV_LANE_LOW + 1 };

struct rv_executor {
    /* Final once it is open. */
    const struct rvi_tier *tier;
    unsigned width;
    size_t limit; /* jobs in flight at one time: width and backlog */
    rv_time job_timeout;
    char choice[160]; /* empty while it is opened: tier and width; or the tier's own */

    _Atomic(uint32_t) refs;  /* its opener's and one a future */
    _Atomic(bool) has_lanes; /* some job was, or is about to be, in another than the usual one */

    /* The last future that was freed, for the next that is made; it still holds the executor's
     * memory. NULL: none. RVI_SPARE_NO_MORE: the executor is closed. */
    _Atomic(struct rv_future *) spare;

    _Atomic(const struct rv_job *) known; /* the last job found to be registered */

    struct rvi_bias lock;                    /* guards the rest, and the futures */
    struct rvi_list waiting[RVI_LANES_HERE]; /* futures PENDING, by lane, first come first served */
    struct rvi_list delayed;                 /* futures DELAYED, in no order */
    struct rvi_list running;        /* futures RUNNING, in the order in which they became so */
    struct rvi_waitlist submitters; /* who waits for room */
    struct rvi_waitlist idle;       /* runners that wait for a job */
    struct rvi_waitlist closers;    /* who waits until nothing is in flight */
    unsigned runners;               /* that have begun and not ended */
    unsigned ordered;               /* that were started and should begin */
    unsigned to_start;              /* of them: whoever keeps time is about to */
    int refusal;                    /* 0, or what rv_submit gets */
    uint64_t submitted, ended;
    uint64_t cancelled;     /* of the ended */
    uint64_t queued;        /* futures PENDING */
    struct rvi_heap alarms; /* futures with times of their own, by when the next thing is due */
    rv_time looked_until;   /* when who keeps time will look, unless called; 0: nobody does */
    bool keepers_end;
    struct rvi_waitlist keepers; /* who keeps time and waits */
    uint64_t expecting;          /* who sleep until a job of this executor ends: future.c, F3 */
    uint64_t listening;          /* of them, who wait for what it says as well */
    struct rvi_spares blocks;    /* for futures of maps, each of block_bytes */
    size_t block_bytes;

    /* Of worker processes: see struct rv_executor_stats. */
    uint64_t deaths, retried, poisoned, started, recycled;
    rv_time away_since; /* of a cluster's engine; 0: it is there */

    struct rvi_enrolled enrolled; /* for those who look from outside: exec/layout.h */
};

void rvi_executor_ref(struct rv_executor *ex);
void rvi_executor_unref(struct rv_executor *ex);

/** A block for a future; NULL: allocate one. Under ex->lock. */
void *rvi_executor_take_block(struct rv_executor *ex, size_t bytes);

/** Keep a block of so many bytes that rvi_alloc() has returned. False: free it. Under ex->lock. */
bool rvi_executor_keep_block(struct rv_executor *ex, void *block, size_t bytes);

/** Whether a job is the one that others, who are this program as well, find by its name. */
static inline bool rvi_executor_knows(struct rv_executor *ex, const struct rv_job *job)
{
    if (rvi_load_relaxed(&ex->known) == job)
        return true;
    bool is_known = rv_job_find(job->name) == job;
    if (is_known)
        rvi_store_relaxed(&ex->known, job);
    return is_known;
}

/** Wait until *what, which is set under ex->lock by who then wakes all in `list`, whatever is
 * cancelled meanwhile. */
void rvi_executor_wait_outside(struct rv_executor *ex, struct rvi_waitlist *list, const bool *what);

/** A line on stderr: this job has killed all that ran it. */
void rvi_job_report_poison(const struct rv_job *job, unsigned deaths);

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

/** When a running job has run as long as its executor allows. Its runner's, or under ex->lock. */
static inline rv_time rvi_executor_limit(const struct rv_executor *ex, const struct rv_future *f)
{
    rv_time limit = ex->job_timeout;

    return limit == 0 || f->since > RV_NEVER - limit ? RV_NEVER : f->since + limit;
}

/** When a running job's time is over, for that reason or its own. */
static inline rv_time rvi_executor_due(const struct rv_executor *ex, const struct rv_future *f)
{
    rv_time limit = rvi_executor_limit(ex, f);

    return f->deadline > 0 && f->deadline < limit ? f->deadline : limit;
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

/* --- backlog_run.c: a runner --- */

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
enum rv_outcome_kind rvi_backlog_run(struct rv_future *f, void *context);

/** End a job from rvi_backlog_next that could not be run. */
void rvi_backlog_drop(struct rv_future *f, int error);

/* --- backlog.c: instead of runners, a tier that sends jobs away; all of it under ex->lock --- */

/** Of those that wait, the one whose turn is next; NULL: none waits. */
struct rv_future *rvi_backlog_first(const struct rv_executor *ex);

/** Whether one of this lane goes before one of that. */
static inline bool rvi_lane_is_before(enum rv_lane lane, enum rv_lane other)
{
    return lane != other && (lane == RV_LANE_HIGH || other == RV_LANE_LOW);
}

/** The first that waits is RUNNING from now on, as far as anybody here knows; NULL: none waits. */
struct rv_future *rvi_backlog_send(struct rv_executor *ex);

/** A job that was sent has not begun, and is to be the first of those that wait. */
void rvi_backlog_take_back(struct rv_future *f);

/** The same, and it is to wait before those that were submitted later. */
void rvi_backlog_take_back_in_turn(struct rv_future *f);

/** Ask a job to stop that is RUNNING. */
void rvi_backlog_stop(struct rv_future *f, int why);

/** End a job. The caller owes the wakes. Returns what rvi_future_end() does. */
bool rvi_backlog_end(struct rv_future *f, const struct rv_outcome *outcome, struct rvi_link **wakes)
    __attribute__((warn_unused_result));

/* --- backlog_time.c --- */

/** Let those begin that may by `now`, end or stop those whose own time is over. Returns when to
 * look again, RV_NEVER without a reason to. Under ex->lock; the caller owes the wakes, and destroys
 * the futures in `over`, which nobody holds any more, without the lock. */
rv_time rvi_backlog_look(struct rv_executor *ex, rv_time now, struct rvi_link **wakes,
                         struct rvi_list *over);

/** Stop the jobs that have run longer than the executor allows. Returns as rvi_backlog_look().
 * Under ex->lock. */
rv_time rvi_backlog_stop_overdue(struct rv_executor *ex, rv_time now);

/** Keep the executor's time, for one that has runners, until rvi_backlog_let_keepers_end() or until
 * the calling task is cancelled. */
void rvi_backlog_keep_time(struct rv_executor *ex);
void rvi_backlog_let_keepers_end(struct rv_executor *ex);

/** Something will be due at `when`: whoever keeps time must know. Under ex->lock. */
void rvi_backlog_hurry(struct rv_executor *ex, rv_time when, struct rvi_link **wakes);
