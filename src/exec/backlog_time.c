/* SPDX-License-Identifier: MIT */
/* backlog_time.c - what is due at some time: jobs that may begin, jobs whose time is over.
 *
 * A job may have a time before which it does not begin, and one at which it is over. All of these
 * are in one heap (B6), and one party looks at it: a task, a thread, or the service of worker
 * processes, which is there from the first such job on (keep_time). Whoever sets an alarm that is
 * earlier than that party knows calls it. A job without times of its own pays a test for this.
 *
 * How long a job may run by its executor's terms needs no heap: `running` is in the order of the
 * starts (B5), so the first is the first to be late.
 *
 * Checked by: tests/unit/exec/test_backlog.c */
#include "exec/backlog.h"

#include <errno.h>

#include "base/check.h"
#include "base/heap.h"
#include "sys/clock.h"

/* --- alarms, with ex->lock --- */

void rvi_backlog_hurry(struct rv_executor *ex, rv_time when, struct rvi_link **wakes)
{
    struct rvi_waiter *w;

    if (when >= ex->looked_until)
        return;
    ex->looked_until = 0;
    if (ex->tier->hurry)
        ex->tier->hurry(ex);
    while ((w = rvi_waitlist_pop(&ex->keepers)))
        rvi_wakes_add(wakes, w);
}

int rvi_backlog_set_alarm(struct rv_executor *ex, struct rv_future *f, struct rvi_link **wakes)
{
    rv_time deadline = f->deadline > 0 ? f->deadline : RV_NEVER, when = deadline;

    bool is_delayed = f->not_before > rvi_clock_now() && !ex->tier->delays_elsewhere;
    f->state = is_delayed ? RVI_FUTURE_DELAYED : RVI_FUTURE_PENDING;
    if (f->state == RVI_FUTURE_DELAYED && f->not_before < when)
        when = f->not_before;
    if (when == RV_NEVER && f->state == RVI_FUTURE_PENDING)
        return 0;
    int r = rvi_heap_insert(&ex->alarms, &f->alarm, (uint64_t)when);
    if (r == 0)
        rvi_backlog_hurry(ex, when, wakes);
    return r;
}

void rvi_backlog_drop_alarm(struct rv_future *f)
{
    if (rvi_heap_node_is_in(&f->alarm))
        rvi_heap_remove(&f->ex->alarms, &f->alarm);
}

/* --- looking --- */

rv_time rvi_backlog_stop_overdue(struct rv_executor *ex, rv_time now)
{
    if (ex->job_timeout == 0)
        return RV_NEVER;
    RVI_LIST_FOREACH(link, &ex->running) {
        struct rv_future *f = rvi_container_of(link, struct rv_future, link);
        rv_time due = rvi_executor_limit(ex, f);
        if (due > now)
            return due;
        rvi_backlog_stop(f, -ETIME);
    }
    return RV_NEVER;
}

/* It may begin. What has just left the heap has room there again. */
static __attribute__((noinline)) void undelay(struct rv_future *f, struct rvi_link **wakes)
{
    struct rv_executor *ex = f->ex;

    rvi_link_remove(&f->link);
    f->state = RVI_FUTURE_PENDING;
    if (f->deadline > 0)
        RV_CHECK(rvi_heap_insert(&ex->alarms, &f->alarm, (uint64_t)f->deadline) == 0);
    if (rvi_backlog_queue_up(ex, f, wakes) && rvi_backlog_wants_runner(ex)) {
        ex->ordered++;
        ex->to_start++;
    }
    rvi_backlog_let_runners_end(ex, wakes);
}

/* Its alarm has gone off. */
static void ring(struct rv_future *f, rv_time now, struct rvi_link **wakes, struct rvi_list *over)
{
    if (f->deadline == 0 || f->deadline > now)
        undelay(f, wakes);
    else if (!rvi_backlog_has_not_begun(f))
        rvi_backlog_stop(f, -ETIME);
    else if (rvi_backlog_end_waiting(f, RV_OUTCOME_TIMEOUT, wakes))
        rvi_list_push_back(over, &f->link);
}

rv_time rvi_backlog_look(struct rv_executor *ex, rv_time now, struct rvi_link **wakes,
                         struct rvi_list *over)
{
    while (rvi_heap_min_key(&ex->alarms) <= (uint64_t)now) {
        struct rvi_heap_node *node = rvi_heap_pop(&ex->alarms);
        ring(rvi_container_of(node, struct rv_future, alarm), now, wakes, over);
    }
    return ex->alarms.count > 0 ? (rv_time)rvi_heap_min_key(&ex->alarms) : RV_NEVER;
}

/* With the lock, and left without it. Whether there was anything. */
static bool look_once(struct rv_executor *ex, bool biased, rv_time *ret_due)
{
    struct rvi_link *wakes = NULL, *link;
    struct rvi_list over;
    rv_time now = rvi_clock_now();

    rvi_list_init(&over);
    rv_time due = rvi_backlog_look(ex, now, &wakes, &over);
    rv_time limit = rvi_backlog_stop_overdue(ex, now);
    unsigned starts = ex->to_start;
    *ret_due = due < limit ? due : limit;
    if (!wakes && starts == 0 && rvi_list_is_empty(&over))
        return false;
    ex->to_start = 0;
    rvi_bias_unlock(&ex->lock, biased);
    rvi_chain_wake(wakes);
    while (starts-- > 0)
        rvi_backlog_start_runner(ex);
    while ((link = rvi_list_pop_front(&over)))
        rvi_future_destroy(rvi_container_of(link, struct rv_future, link));
    return true;
}

/* --- who keeps time --- */

void rvi_backlog_keep_time(struct rv_executor *ex)
{
    struct rvi_waiter w;
    int r = 0;

    while (r != -ECANCELED) {
        rv_time due;
        bool biased = rvi_bias_lock(&ex->lock);
        if (ex->keepers_end) {
            rvi_bias_unlock(&ex->lock, biased);
            return;
        }
        ex->looked_until = 0;
        if (look_once(ex, biased, &due))
            continue;
        ex->looked_until = due;
        r = rvi_waitlist_wait(&ex->keepers, &ex->lock, biased, &w, due, RVI_WHY_EXECUTOR);
    }
}

void rvi_backlog_let_keepers_end(struct rv_executor *ex)
{
    struct rvi_link *wakes = NULL;
    bool biased = rvi_bias_lock(&ex->lock);

    ex->keepers_end = true;
    ex->looked_until = RV_NEVER;
    rvi_backlog_hurry(ex, 0, &wakes);
    rvi_bias_unlock(&ex->lock, biased);
    rvi_chain_wake(wakes);
}
