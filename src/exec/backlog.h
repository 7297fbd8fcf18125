/* SPDX-License-Identifier: MIT */
/* backlog.h - what the backlog's files share; what others call is in executor.h. All of it but
 * rvi_backlog_start_runner() and rvi_backlog_cancel_waiting() is under ex->lock. */
#pragma once

#include <stdbool.h>

#include "base/check.h"
#include "exec/executor.h"

/** PENDING from now on. Returns whether no runner was idle. */
RVI_INLINE bool rvi_backlog_queue_up(struct rv_executor *ex, struct rv_future *f,
                                     struct rvi_link **wakes)
{
    struct rvi_waiter *runner = rvi_waitlist_pop(&ex->idle);

    rvi_list_push_back(&ex->waiting[f->lane], &f->link);
    ex->queued++;
    if (runner)
        rvi_wakes_add(wakes, runner);
    return !runner;
}

/** Whether one more may be started. */
static inline bool rvi_backlog_wants_runner(const struct rv_executor *ex)
{
    return ex->tier->start && ex->runners + ex->ordered < ex->width;
}

/** RUNNING from now on. */
static inline void rvi_backlog_begin(struct rv_executor *ex, struct rv_future *f, rv_time now)
{
    rvi_future_begin(f, now);
    rvi_list_push_back(&ex->running, &f->link);
}

/* --- backlog.c --- */

/** The first that waits waits no more; NULL: none does. */
struct rv_future *rvi_backlog_take_first(struct rv_executor *ex);

/** Whether a job is PENDING, perhaps again, as it was taken back for this, or DELAYED. */
bool rvi_backlog_has_not_begun(struct rv_future *f);

/** End one that is PENDING or DELAYED, and never begins. Returns what rvi_backlog_end() does. */
bool rvi_backlog_end_waiting(struct rv_future *f, enum rv_outcome_kind kind,
                             struct rvi_link **wakes);

/** Cancel all that wait. Without the lock. */
void rvi_backlog_cancel_waiting(struct rv_executor *ex);

/** Of B7: one that was DELAYED is not any more. */
void rvi_backlog_let_runners_end(struct rv_executor *ex, struct rvi_link **wakes);

/** Start one that is counted as ordered already; if that fails it is not. Without the lock. */
void rvi_backlog_start_runner(struct rv_executor *ex);

/* --- backlog_time.c --- */

/** B6 for a job that is about to be handed over: DELAYED or PENDING from now on. Errors: -ENOMEM */
int rvi_backlog_set_alarm(struct rv_executor *ex, struct rv_future *f, struct rvi_link **wakes)
    __attribute__((warn_unused_result));

/** Of a job that has times of its own, before it is DONE. */
void rvi_backlog_drop_alarm(struct rv_future *f);
