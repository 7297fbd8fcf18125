/* SPDX-License-Identifier: MIT */
/* backlog.c - from submission to the end of a job: queue, back-pressure, runners, cancellation.
 *
 * Invariants (ex->lock held):
 *   B1  in flight <= limit = width + backlog
 *   B2  somebody waits for room  =>  in flight == limit and nothing is refused
 *   B3  a job waits  =>  a runner is awake that looks at the queue once more before it waits or
 *       ends, or the first one has not begun yet
 *   B4  a future is on `waiting` while PENDING (or its submitter still waits for room, and nobody
 *       else knows it), on `running` while RUNNING, on neither when DONE
 *   B5  `running` is in the order of the starts
 *
 * Room is counted by what is in flight, not by what waits: so it does not depend on how quickly a
 * runner wakes up, and a submission is let in exactly when a job ends. Whoever ends a job gives its
 * room to the first in line, by queueing that one's job. This keeps B3 by itself: that somebody is
 * in line means that jobs wait, and that a runner is awake.
 *
 * Runners are started by submissions, one for each that finds none idle, up to the width. The first
 * one stays until the executor closes, so a start that fails, or is lost without a word (a task
 * that finds no stack), costs width and never a job. `ordered` are the ones on their way; when a
 * runner finds nothing to do, what has not begun by then is struck off, and should it come after
 * all it counts when it comes.
 *
 * Stopping a job goes by a context, which its runner brings before the job runs. A stop that came
 * earlier keeps the job from being run. The context is used under the lock and for RUNNING jobs
 * only, so the runner may destroy it as soon as the job is DONE.
 *
 * When the scope around a tasks executor is cancelled, its runners see it here. The first that does
 * refuses what comes and cancels what waits, so that nobody waits for runners that end.
 *
 * Rejected: a queue in each tier, because processes and cluster will need the same one; cancelled
 * jobs left in the queue until their turn, because they would take up room. */
#include "exec/executor.h"

#include <errno.h>

#include <ravel/task.h>

#include "base/check.h"
#include "sys/clock.h"

/* Who waits for room, with what. */
struct submission {
    struct rvi_waiter waiter;
    struct rv_future *future;
    int result;
};

/* --- with ex->lock --- */

static struct rv_future *first_of(const struct rvi_list *list)
{
    struct rvi_link *link = rvi_list_first(list);

    return link ? rvi_container_of(link, struct rv_future, link) : NULL;
}

/* There is room. Returns whether no runner was idle. */
static bool enqueue(struct rv_executor *ex, struct rv_future *f, struct rvi_link **wakes)
{
    struct rvi_waiter *runner = rvi_waitlist_pop(&ex->idle);

    rvi_list_push_back(&ex->waiting, &f->link);
    ex->queued++;
    ex->submitted++;
    RV_DCHECK(rvi_executor_in_flight(ex) <= ex->limit);
    if (runner)
        rvi_wakes_add(wakes, runner);
    return !runner;
}

/* The room of a job that has ended goes to the first in line. */
static void hand_on_room(struct rv_executor *ex, struct rvi_link **wakes)
{
    struct rvi_waiter *w = rvi_waitlist_pop(&ex->submitters);

    if (!w)
        return;
    struct submission *first = rvi_container_of(w, struct submission, waiter);
    first->result = 0;
    first->future->since = rvi_clock_now();
    (void)enqueue(ex, first->future, wakes);
    rvi_wakes_add(wakes, w);
}

/* PENDING or RUNNING -> DONE. */
bool rvi_backlog_end(struct rv_future *f, const struct rv_outcome *outcome, struct rvi_link **wakes)
{
    struct rv_executor *ex = f->ex;
    struct rvi_waiter *closer;

    rvi_link_remove(&f->link);
    bool is_last = rvi_future_end(f, outcome, wakes);
    ex->ended++;
    ex->cancelled += outcome->kind == RV_OUTCOME_CANCELLED;
    hand_on_room(ex, wakes);
    while (rvi_executor_in_flight(ex) == 0 && (closer = rvi_waitlist_pop(&ex->closers)))
        rvi_wakes_add(wakes, closer);
    return is_last;
}

/* Returns what rvi_backlog_end() does. */
static bool cancel_waiting(struct rv_future *f, struct rvi_link **wakes)
{
    const struct rv_outcome outcome = {
        .kind = RV_OUTCOME_CANCELLED,
        .deaths = f->outcome.deaths,
        .queued_ns = rvi_clock_now() - f->since,
    };

    f->ex->queued--;
    return rvi_backlog_end(f, &outcome, wakes);
}

static void begin(struct rv_executor *ex, struct rv_future *f)
{
    rvi_future_begin(f);
    rvi_list_push_back(&ex->running, &f->link);
}

/* The first that waits waits no more. */
static struct rv_future *take_first(struct rv_executor *ex)
{
    struct rv_future *f = first_of(&ex->waiting);

    if (f) {
        rvi_link_remove(&f->link);
        ex->queued--;
    }
    return f;
}

void rvi_backlog_stop(struct rv_future *f, int why)
{
    if (f->stop == 0)
        f->stop = why;
    if (f->context)
        f->ex->tier->stop(f->context, f->stop);
}

/* Whoever has changed what waits or runs leaves by this. */
static void leave(struct rv_executor *ex, bool biased, struct rvi_link *wakes)
{
    if (ex->tier->dispatch)
        ex->tier->dispatch(ex);
    rvi_bias_unlock(&ex->lock, biased);
    rvi_chain_wake(wakes);
}

/* --- submitting --- */

static int wait_for_room(struct rv_executor *ex, bool biased, struct rv_future *f, rv_time deadline)
{
    struct submission self = {.future = f};

    rvi_executor_expect(ex);
    int r = rvi_waitlist_wait(&ex->submitters, &ex->lock, biased, &self.waiter, deadline,
                              RVI_WHY_EXECUTOR);

    return r < 0 ? r : self.result;
}

static void start_runner(struct rv_executor *ex)
{
    if (ex->tier->start(ex) == 0)
        return;
    bool biased = rvi_bias_lock(&ex->lock);
    if (ex->ordered > 0)
        ex->ordered--;
    rvi_bias_unlock(&ex->lock, biased);
}

static bool has_room(const void *arg)
{
    const struct rv_executor *ex = arg;

    return rvi_executor_in_flight(ex) < ex->limit || ex->refusal < 0;
}

static bool is_idle(const void *arg)
{
    return rvi_executor_in_flight(arg) == 0;
}

/* If it can be had by looking for it. */
static bool lock_with_room(struct rv_executor *ex, rv_time deadline)
{
    bool biased = rvi_bias_lock(&ex->lock);

    if (has_room(ex) || !ex->tier->help)
        return biased;
    rvi_bias_unlock(&ex->lock, biased);
    ex->tier->help(ex, has_room, ex, deadline);
    return rvi_bias_lock(&ex->lock);
}

int rvi_backlog_submit(struct rv_executor *ex, struct rv_future *f, rv_time deadline)
{
    struct rvi_link *wakes = NULL;
    bool biased = lock_with_room(ex, deadline);
    int refusal = ex->refusal;

    if (refusal < 0) {
        rvi_bias_unlock(&ex->lock, biased);
        return refusal;
    }
    if (!has_room(ex))
        return wait_for_room(ex, biased, f, deadline);
    bool starts =
        enqueue(ex, f, &wakes) && ex->tier->start && ex->runners + ex->ordered < ex->width;
    ex->ordered += starts;
    if (ex->tier->dispatch)
        ex->tier->dispatch(ex);
    f->since = rvi_clock_now(); /* what was sent is on its way meanwhile */
    rvi_bias_unlock(&ex->lock, biased);
    rvi_chain_wake(wakes);
    if (starts)
        start_runner(ex);
    return 0;
}

/* As many as there is room for, in one go. Returns whether there was any. */
static bool submit_some(struct rv_executor *ex, struct rvi_list *futures)
{
    struct rvi_link *wakes = NULL, *link;
    bool biased = rvi_bias_lock(&ex->lock);
    rv_time now = rvi_clock_now();
    bool is_any = false;

    while (ex->refusal == 0 && has_room(ex) && (link = rvi_list_pop_front(futures))) {
        struct rv_future *f = rvi_container_of(link, struct rv_future, link);
        f->since = now;
        (void)enqueue(ex, f, &wakes);
        is_any = true;
    }
    leave(ex, biased, wakes);
    return is_any;
}

static int submit_first(struct rv_executor *ex, struct rvi_list *futures, rv_time deadline)
{
    struct rvi_link *link = rvi_list_pop_front(futures);
    int r = ex->tier->submit(ex, rvi_container_of(link, struct rv_future, link), deadline);

    if (r < 0)
        rvi_list_push_front(futures, link);
    return r;
}

int rvi_backlog_submit_all(struct rv_executor *ex, struct rvi_list *futures, rv_time deadline)
{
    int r = 0;

    while (r == 0 && !rvi_list_is_empty(futures)) {
        if (!ex->tier->dispatch || !submit_some(ex, futures))
            r = submit_first(ex, futures, deadline);
    }
    return r;
}

int rvi_backlog_admit(struct rv_executor *ex, struct rv_future *f)
{
    bool biased = rvi_bias_lock(&ex->lock);
    int refusal = ex->refusal;

    if (refusal == 0) {
        ex->submitted++;
        f->since = rvi_clock_now();
        begin(ex, f);
    }
    rvi_bias_unlock(&ex->lock, biased);
    return refusal;
}

/* --- cancelling --- */

/* PENDING, perhaps again. */
static bool has_not_begun(struct rv_future *f)
{
    if (f->state == RVI_FUTURE_RUNNING && f->ex->tier->recall)
        return f->ex->tier->recall(f);
    return f->state == RVI_FUTURE_PENDING;
}

/* The caller holds it. */
void rvi_backlog_cancel(struct rv_future *f)
{
    struct rvi_link *wakes = NULL;
    bool biased = rvi_bias_lock(&f->ex->lock);

    if (has_not_begun(f))
        RV_CHECK(!cancel_waiting(f, &wakes));
    else if (f->state == RVI_FUTURE_RUNNING)
        rvi_backlog_stop(f, -ECANCELED);
    leave(f->ex, biased, wakes);
}

/* One of those who wait; false when nobody does. */
static bool cancel_first_waiting(struct rv_executor *ex)
{
    struct rvi_link *wakes = NULL;
    bool biased = rvi_bias_lock(&ex->lock);
    struct rv_future *f = first_of(&ex->waiting);
    bool is_last = f && cancel_waiting(f, &wakes);

    leave(ex, biased, wakes);
    if (is_last)
        rvi_future_destroy(f);
    return f;
}

/* In one go, as what is taken back may be sent once more when the lock is free. */
static void recall_or_stop_all(struct rv_executor *ex)
{
    struct rvi_link *wakes = NULL, *link;
    struct rvi_list over;
    bool biased = rvi_bias_lock(&ex->lock);

    rvi_list_init(&over);
    RVI_LIST_FOREACH_SAFE(running, &ex->running) {
        struct rv_future *f = rvi_container_of(running, struct rv_future, link);
        if (!has_not_begun(f))
            rvi_backlog_stop(f, -ECANCELED);
        else if (cancel_waiting(f, &wakes))
            rvi_list_push_back(&over, &f->link);
    }
    leave(ex, biased, wakes);
    while ((link = rvi_list_pop_front(&over)))
        rvi_future_destroy(rvi_container_of(link, struct rv_future, link));
}

void rvi_backlog_cancel_all(struct rv_executor *ex)
{
    while (cancel_first_waiting(ex))
        ;
    recall_or_stop_all(ex);
}

rv_time rvi_backlog_stop_overdue(struct rv_executor *ex, rv_time now)
{
    RVI_LIST_FOREACH(link, &ex->running) {
        struct rv_future *f = rvi_container_of(link, struct rv_future, link);
        rv_time due = rvi_executor_due(ex, f);
        if (due > now)
            return due;
        rvi_backlog_stop(f, -ETIME);
    }
    return RV_NEVER;
}

void rvi_backlog_refuse(struct rv_executor *ex, int why)
{
    struct rvi_link *wakes = NULL;
    struct rvi_waiter *w;
    bool biased = rvi_bias_lock(&ex->lock);

    if (ex->refusal == 0)
        ex->refusal = why;
    while ((w = rvi_waitlist_pop(&ex->submitters))) {
        rvi_container_of(w, struct submission, waiter)->result = ex->refusal;
        rvi_wakes_add(&wakes, w);
    }
    while ((w = rvi_waitlist_pop(&ex->idle)))
        rvi_wakes_add(&wakes, w);
    rvi_bias_unlock(&ex->lock, biased);
    rvi_chain_wake(wakes);
}

int rvi_backlog_wait_idle(struct rv_executor *ex, rv_time deadline)
{
    struct rvi_waiter w;
    int r = rvi_wait_allowed();

    if (r < 0)
        return r;
    rvi_executor_help(ex, is_idle, ex, deadline);
    bool biased = rvi_bias_lock(&ex->lock);
    rvi_executor_expect(ex);
    if (rvi_executor_in_flight(ex) > 0)
        return rvi_waitlist_wait(&ex->closers, &ex->lock, biased, &w, deadline, RVI_WHY_EXECUTOR);
    rvi_bias_unlock(&ex->lock, biased);
    return 0;
}

void rvi_backlog_wait_idle_always(struct rv_executor *ex)
{
    struct rvi_waiter w;
    bool biased = rvi_bias_lock(&ex->lock);
    bool waits = rvi_executor_in_flight(ex) > 0;

    if (waits) {
        rvi_waiter_init(&w);
        rvi_waitlist_push(&ex->closers, &w);
        rvi_executor_expect(ex);
    }
    rvi_bias_unlock(&ex->lock, biased);
    if (waits)
        rvi_wait_always(&w, RVI_WHY_EXECUTOR);
}

/* --- running --- */

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
    while (cancel_first_waiting(ex))
        ;
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
        f = take_first(ex);
        if (f || ex->refusal < 0 || !stays)
            break;
        ex->ordered = 0;
        (void)rvi_waitlist_wait(&ex->idle, &ex->lock, biased, &w, RV_NEVER, RVI_WHY_EXECUTOR);
    }
    if (f)
        begin(ex, f);
    else
        ex->runners--;
    rvi_bias_unlock(&ex->lock, biased);
    return f;
}

bool rvi_backlog_relay(struct rv_executor *ex)
{
    bool biased = rvi_bias_lock(&ex->lock);
    bool is_due = !rvi_list_is_empty(&ex->waiting);

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

void rvi_backlog_run(struct rv_future *f, void *context)
{
    int reason = accept(f, context);
    int result = reason;

    if (reason == 0) {
        result = f->job->run(f->in, f->out);
        reason = rv_cancelled();
    }
    conclude(f, judge(f, result, reason), result);
}

void rvi_backlog_drop(struct rv_future *f, int error)
{
    conclude(f, RV_OUTCOME_ERROR, error);
}

/* --- sending away --- */

struct rv_future *rvi_backlog_send(struct rv_executor *ex)
{
    struct rv_future *f = take_first(ex);

    if (f) {
        f->state = RVI_FUTURE_RUNNING;
        rvi_list_push_back(&ex->running, &f->link);
    }
    return f;
}

void rvi_backlog_take_back(struct rv_future *f)
{
    RV_DCHECK(f->state == RVI_FUTURE_RUNNING);
    f->state = RVI_FUTURE_PENDING;
    rvi_link_remove(&f->link);
    rvi_list_push_front(&f->ex->waiting, &f->link);
    f->ex->queued++;
}
