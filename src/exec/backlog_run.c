/* SPDX-License-Identifier: MIT */
/* backlog_run.c - what a runner does: comes, takes jobs, runs them, goes.
 *
 * Stopping a job goes by a context, which its runner brings before the job runs. A stop that came
 * earlier keeps the job from being run. The context is used under the lock and for RUNNING jobs
 * only, so the runner may destroy it as soon as the job is DONE.
 *
 * When the scope around a tasks executor is cancelled, its runners see it here. The first that does
 * refuses what comes and cancels what waits, so that nobody waits for runners that end.
 *
 * Checked by: tests/unit/exec/test_executor.c, tests/unit/exec/test_backlog.c */
#include "exec/backlog.h"

#include <errno.h>

#include <ravel/task.h>

#include "sys/clock.h"

/* --- coming and going --- */

bool rvi_backlog_enter(struct rv_executor *ex)
{
    bool biased = rvi_bias_lock(&ex->lock);
    bool is_needed = ex->runners < ex->width;

    if (ex->ordered > 0)
        ex->ordered--;
    ex->runners += is_needed;
    rvi_bias_unlock(&ex->lock, biased);
    return is_needed;
}

/* The runner's scope is cancelled. */
static void give_up(struct rv_executor *ex)
{
    rvi_backlog_refuse(ex, -ECANCELED);
    rvi_backlog_cancel_waiting(ex);
}

struct rv_future *rvi_backlog_next(struct rv_executor *ex, bool stays)
{
    struct rvi_waiter w;
    struct rv_future *f;
    bool biased;

    for (;;) {
        if (rvi_wait_allowed() < 0)
            give_up(ex);
        biased = rvi_bias_lock(&ex->lock);
        f = rvi_backlog_take_first(ex);
        if (f || !stays || (ex->refusal < 0 && rvi_list_is_empty(&ex->delayed)))
            break;
        ex->ordered = 0;
        (void)rvi_waitlist_wait(&ex->idle, &ex->lock, biased, &w, RV_NEVER, RVI_WHY_EXECUTOR);
    }
    if (f)
        rvi_backlog_begin(ex, f, rvi_clock_now());
    else
        ex->runners--;
    rvi_bias_unlock(&ex->lock, biased);
    return f;
}

bool rvi_backlog_relay(struct rv_executor *ex)
{
    bool biased = rvi_bias_lock(&ex->lock);
    bool is_due = ex->queued > 0;

    ex->runners -= is_due;
    ex->ordered += is_due;
    rvi_bias_unlock(&ex->lock, biased);
    if (!is_due || ex->tier->start(ex) == 0)
        return is_due;
    biased = rvi_bias_lock(&ex->lock);
    if (ex->ordered > 0)
        ex->ordered--;
    ex->runners++;
    rvi_bias_unlock(&ex->lock, biased);
    return false;
}

/* --- one job --- */

/* 0, or why the job must not be run. */
static int accept(struct rv_future *f, void *context)
{
    bool biased = rvi_bias_lock(&f->ex->lock);
    int why = f->stop;

    f->context = context;
    rvi_bias_unlock(&f->ex->lock, biased);
    return why;
}

static void conclude(struct rv_future *f, enum rv_outcome_kind kind, int result)
{
    struct rv_executor *ex = f->ex;
    struct rvi_link *wakes = NULL;
    bool biased = rvi_bias_lock(&ex->lock);
    const struct rv_outcome outcome = {
        .kind = kind,
        .error = kind == RV_OUTCOME_ERROR ? result : 0,
        .queued_ns = f->outcome.queued_ns,
        .run_ns = rvi_clock_now() - f->since,
    };

    bool is_last = rvi_backlog_end(f, &outcome, &wakes);
    rvi_bias_unlock(&ex->lock, biased);
    rvi_chain_wake(wakes);
    if (is_last)
        rvi_future_destroy(f);
}

/* What has become of a job that returned `result`, and was asked to stop if `reason` is not 0. Time
 * is judged by the clock alone: so all tiers judge alike, even the one that cannot interrupt. */
static enum rv_outcome_kind judge(const struct rv_future *f, int result, int reason)
{
    rv_time due = rvi_executor_due(f->ex, f);

    if (due != RV_NEVER && rvi_clock_now() >= due)
        return RV_OUTCOME_TIMEOUT;
    if (reason < 0 && (result == reason || result == -ECANCELED))
        return RV_OUTCOME_CANCELLED;
    return result < 0 ? RV_OUTCOME_ERROR : RV_OUTCOME_VALUE;
}

static bool is_too_late(const struct rv_future *f)
{
    return rvi_unlikely(f->deadline > 0) && f->deadline <= rvi_clock_now();
}

/* It may run others inside, by executors that are inline. */
static inline int run_job(struct rv_future *f)
{
    void **here = rvi_job_here(), *outer = *here;

    *here = f;
    int result = f->job->run(f->in, f->out);
    *here = outer;
    return result;
}

enum rv_outcome_kind rvi_backlog_run(struct rv_future *f, void *context)
{
    int reason = context ? accept(f, context) : 0;
    int result = reason == 0 && is_too_late(f) ? reason = -ETIME : reason;

    if (reason == 0) {
        result = run_job(f);
        reason = rv_cancelled();
    }
    enum rv_outcome_kind kind = judge(f, result, reason);
    conclude(f, kind, result);
    return kind;
}

void rvi_backlog_drop(struct rv_future *f, int error)
{
    conclude(f, RV_OUTCOME_ERROR, error);
}
