/* SPDX-License-Identifier: MIT */
/* backlog.c - from submission to the end of a job: queue, back-pressure, cancellation.
 *
 * What a runner does is in backlog_run.c, what is due at some time in backlog_time.c; the
 * invariants are of all three.
 *
 * Invariants (ex->lock held):
 *   B1  in flight <= limit = width + backlog
 *   B2  somebody waits for room  =>  in flight == limit and nothing is refused
 *   B3  a job waits  =>  a runner is awake that looks at the queue once more before it waits or
 *       ends, or the first one has not begun yet
 *   B4  a future is on `waiting` of its lane while PENDING (or its submitter still waits for room,
 *       and nobody else knows it), on `delayed` while DELAYED, on `running` while RUNNING, on none
 *       of them when DONE
 *   B5  `running` is in the order of the starts
 *   B6  a future that has times of its own and is not DONE is in `alarms` by when the next thing is
 *       due; who keeps time looks then, or sooner
 *   B7  a runner that stays ends only when nothing is DELAYED
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
 * Rejected: a queue in each tier, because processes and cluster need the same one; cancelled
 * jobs left in the queue until their turn, because they would take up room. */
#include "exec/backlog.h"

#include <errno.h>

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

struct rv_future *rvi_backlog_first(const struct rv_executor *ex)
{
    struct rv_future *f = first_of(&ex->waiting[RV_LANE_HIGH]);

    if (!f)
        f = first_of(&ex->waiting[RV_LANE_NORMAL]);
    return f ? f : first_of(&ex->waiting[RV_LANE_LOW]);
}

/* There is room. Returns 1: no runner was idle; 0. Errors: -ENOMEM it was not handed over. */
RVI_INLINE int enqueue(struct rv_executor *ex, struct rv_future *f, struct rvi_link **wakes)
{
    if (rvi_unlikely(rvi_future_is_timed(f)) && ex->tier->keep_time) {
        int r = rvi_backlog_set_alarm(ex, f, wakes);
        if (r < 0)
            return r;
    }
    ex->submitted++;
    RV_DCHECK(rvi_executor_in_flight(ex) <= ex->limit);
    if (f->state == RVI_FUTURE_PENDING)
        return rvi_backlog_queue_up(ex, f, wakes);
    rvi_list_push_back(&ex->delayed, &f->link);
    return 0;
}

/* The room of a job that has ended goes to the first in line. */
static void hand_on_room(struct rv_executor *ex, struct rvi_link **wakes)
{
    struct rvi_waiter *w;
    int r = -ENOMEM;

    while (r < 0 && (w = rvi_waitlist_pop(&ex->submitters))) {
        struct submission *first = rvi_container_of(w, struct submission, waiter);
        first->future->since = rvi_clock_now();
        r = enqueue(ex, first->future, wakes);
        first->result = r < 0 ? r : 0;
        rvi_wakes_add(wakes, w);
    }
}

/* To DONE, from wherever it is. */
bool rvi_backlog_end(struct rv_future *f, const struct rv_outcome *outcome, struct rvi_link **wakes)
{
    struct rv_executor *ex = f->ex;
    struct rvi_waiter *closer;

    rvi_link_remove(&f->link);
    if (rvi_unlikely(rvi_future_is_timed(f)))
        rvi_backlog_drop_alarm(f);
    bool is_last = rvi_future_end(f, outcome, wakes);
    ex->ended++;
    ex->cancelled += outcome->kind == RV_OUTCOME_CANCELLED;
    hand_on_room(ex, wakes);
    while (rvi_executor_in_flight(ex) == 0 && (closer = rvi_waitlist_pop(&ex->closers)))
        rvi_wakes_add(wakes, closer);
    return is_last;
}

void rvi_backlog_let_runners_end(struct rv_executor *ex, struct rvi_link **wakes)
{
    struct rvi_waiter *runner;

    if (ex->refusal == 0 || !rvi_list_is_empty(&ex->delayed))
        return;
    while ((runner = rvi_waitlist_pop(&ex->idle)))
        rvi_wakes_add(wakes, runner);
}

bool rvi_backlog_end_waiting(struct rv_future *f, enum rv_outcome_kind kind,
                             struct rvi_link **wakes)
{
    struct rv_executor *ex = f->ex;
    const struct rv_outcome outcome = {
        .kind = kind,
        .deaths = f->outcome.deaths,
        .queued_ns = rvi_clock_now() - f->since,
    };

    ex->queued -= f->state == RVI_FUTURE_PENDING;
    bool is_last = rvi_backlog_end(f, &outcome, wakes);
    rvi_backlog_let_runners_end(ex, wakes);
    return is_last;
}

struct rv_future *rvi_backlog_take_first(struct rv_executor *ex)
{
    struct rv_future *f = rvi_backlog_first(ex);

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

void rvi_backlog_start_runner(struct rv_executor *ex)
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
    int r = enqueue(ex, f, &wakes);
    bool starts = r > 0 && rvi_backlog_wants_runner(ex);
    ex->ordered += starts;
    if (ex->tier->dispatch)
        ex->tier->dispatch(ex);
    f->since = rvi_clock_now(); /* what was sent is on its way meanwhile */
    rvi_bias_unlock(&ex->lock, biased);
    rvi_chain_wake(wakes);
    if (starts)
        rvi_backlog_start_runner(ex);
    return r < 0 ? r : 0;
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
        (void)enqueue(ex, f, &wakes); /* of a map: no times of their own */
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
        rvi_backlog_begin(ex, f, f->since);
    }
    rvi_bias_unlock(&ex->lock, biased);
    return refusal;
}

/* --- cancelling --- */

bool rvi_backlog_has_not_begun(struct rv_future *f)
{
    if (f->state == RVI_FUTURE_RUNNING && f->ex->tier->recall)
        return f->ex->tier->recall(f);
    return f->state == RVI_FUTURE_PENDING || f->state == RVI_FUTURE_DELAYED;
}

/* The caller holds it. */
void rvi_backlog_cancel(struct rv_future *f)
{
    struct rvi_link *wakes = NULL;
    bool biased = rvi_bias_lock(&f->ex->lock);

    if (rvi_backlog_has_not_begun(f))
        RV_CHECK(!rvi_backlog_end_waiting(f, RV_OUTCOME_CANCELLED, &wakes));
    else if (f->state == RVI_FUTURE_RUNNING)
        rvi_backlog_stop(f, -ECANCELED);
    leave(f->ex, biased, wakes);
}

/* With the lock: recall them, or ask them to stop. */
static void cancel_running(struct rv_executor *ex)
{
    RVI_LIST_FOREACH_SAFE(link, &ex->running) {
        struct rv_future *f = rvi_container_of(link, struct rv_future, link);
        if (!rvi_backlog_has_not_begun(f))
            rvi_backlog_stop(f, -ECANCELED);
    }
}

/* In one go: what is taken back, or comes back from a worker that has died, may be sent once more
 * when the lock is free. */
static void cancel_many(struct rv_executor *ex, bool running_too)
{
    struct rvi_link *wakes = NULL, *link;
    struct rvi_list over;
    struct rv_future *f;
    bool biased = rvi_bias_lock(&ex->lock);

    rvi_list_init(&over);
    if (running_too)
        cancel_running(ex);
    while ((f = rvi_backlog_first(ex)) || (f = first_of(&ex->delayed))) {
        if (rvi_backlog_end_waiting(f, RV_OUTCOME_CANCELLED, &wakes))
            rvi_list_push_back(&over, &f->link);
    }
    leave(ex, biased, wakes);
    while ((link = rvi_list_pop_front(&over)))
        rvi_future_destroy(rvi_container_of(link, struct rv_future, link));
}

void rvi_backlog_cancel_waiting(struct rv_executor *ex)
{
    cancel_many(ex, false);
}

void rvi_backlog_cancel_all(struct rv_executor *ex)
{
    cancel_many(ex, true);
}

/* --- the end --- */

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

/* --- sending away --- */

struct rv_future *rvi_backlog_send(struct rv_executor *ex)
{
    struct rv_future *f = rvi_backlog_take_first(ex);

    if (f) {
        f->state = RVI_FUTURE_RUNNING;
        rvi_list_push_back(&ex->running, &f->link);
    }
    return f;
}

static void take_back_behind(struct rv_future *f, struct rvi_link *place)
{
    RV_DCHECK(f->state == RVI_FUTURE_RUNNING);
    f->state = RVI_FUTURE_PENDING;
    rvi_link_remove(&f->link);
    rvi_link_insert_after(place, &f->link);
    f->ex->queued++;
}

void rvi_backlog_take_back(struct rv_future *f)
{
    take_back_behind(f, &f->ex->waiting[f->lane].head);
}

/* Who comes back in turn is among the oldest, so those behind are passed. */
void rvi_backlog_take_back_in_turn(struct rv_future *f)
{
    struct rvi_link *head = &f->ex->waiting[f->lane].head, *place = head;

    while (place->next != head &&
           rvi_container_of(place->next, struct rv_future, link)->since <= f->since)
        place = place->next;
    take_back_behind(f, place);
}
