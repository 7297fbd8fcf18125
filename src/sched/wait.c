/* SPDX-License-Identifier: MIT */
#include "sched/wait.h"

#include <errno.h>

#include "base/check.h"
#include "sched/alarm.h"
#include "sched/cancel.h"
#include "sched/sched.h"
#include "sched/worker.h"
#include "sys/clock.h"
#include "sys/futex.h"

#if RVI_DEBUG_CHECKS >= 1
void (*rvi_wait_hook)(bool parks);
#endif

void rvi_cancel_of_thread_set(struct rvi_cancel *cancel)
{
    rvi_here.cancel = cancel;
}

static bool is_shielded(const struct rvi_task *task)
{
    return task->shields && rvi_clock_now() < task->shield_until;
}

static int cancel_of_task(const struct rvi_task *task)
{
    int reason = rvi_cancel_reason(task->cancel);

    return rvi_likely(reason == 0) || is_shielded(task) ? 0 : reason;
}

int rvi_cancel_of_caller(void)
{
    struct rvi_task *task = rvi_task_self();

    if (task)
        return cancel_of_task(task);
    return rvi_here.cancel ? rvi_cancel_reason(rvi_here.cancel) : 0;
}

int rvi_wait_allowed_slow(void)
{
    struct rvi_task *task = rvi_task_self();

    rvi_point(RVI_POINT_LOOK);
    rvi_wait_call_hook(false);
    return task && cancel_of_task(task) ? -ECANCELED : 0;
}

/* --- a task waits --- */

/* Park once, at most until `limit`. 0, or -ENOMEM: it has not parked. */
static int park_until(const struct rvi_task *task, rv_time limit, enum rvi_why why)
{
    struct rvi_alarms *alarms = &rvi_worker_self()->alarms;
    int r = rvi_alarm_set(alarms, task->stack, limit);

    if (r < 0)
        return r;
    rvi_park(why);
    rvi_alarm_clear(alarms, task->stack);
    return 0;
}

/* With a deadline, or inside a shield, which has one. The clock is read once a turn: a shield that
 * hides a cancellation also ends the park that follows. */
static int wait_with_timer(struct rvi_waiter *w, rv_time deadline, enum rvi_why why)
{
    struct rvi_task *task = w->task;
    int r = 0;

    while (r == 0 && !rvi_load_relaxed(&w->woken)) {
        rv_time now = rvi_clock_now();
        bool is_hidden = task->shields && now < task->shield_until;
        if (!is_hidden && rvi_cancel_reason(task->cancel))
            return -ECANCELED;
        if (now >= deadline)
            return -ETIME;
        rv_time limit = is_hidden && task->shield_until < deadline ? task->shield_until : deadline;
        r = park_until(task, limit, why);
    }
    return r;
}

static int wait_as_task(struct rvi_waiter *w, rv_time deadline, enum rvi_why why)
{
    struct rvi_task *task = w->task;

    if (rvi_unlikely(deadline != RV_NEVER || task->shields))
        return wait_with_timer(w, deadline, why);
    while (!rvi_cancel_reason(task->cancel)) {
        rvi_park(why);
        if (rvi_likely(rvi_load_relaxed(&w->woken)))
            return 0;
    }
    return -ECANCELED;
}

/* --- a plain thread waits --- */

static int wait_as_thread(struct rvi_waiter *w, rv_time deadline, enum rvi_why why)
{
    int r = 0;

    rvi_here.why = why;
    while (r != -ETIME && !rvi_load_acquire(&w->woken)) /* pairs: waiter-woken */
        r = rvi_futex_wait(&w->woken, 0, deadline);
    rvi_here.why = RVI_WHY_NONE;
    return r != -ETIME || rvi_load_acquire(&w->woken) ? 0 : -ETIME; /* pairs: waiter-woken */
}

/* --- both --- */

void rvi_wait_always(struct rvi_waiter *w, enum rvi_why why)
{
    if (!w->task) {
        int r = wait_as_thread(w, RV_NEVER, why);
        RV_CHECK(r == 0);
        return;
    }
    while (!rvi_load_relaxed(&w->woken))
        rvi_park(why);
}

int rvi_wait_slow(struct rvi_waiter *w, rv_time deadline, enum rvi_why why,
                  rvi_withdraw_fn *withdraw, void *object)
{
    int r = w->task ? wait_as_task(w, deadline, why) : wait_as_thread(w, deadline, why);

    if (rvi_likely(r == 0) || withdraw(w, object))
        return r;
    rvi_wait_always(w, why);
    return 0;
}

static void deliver_wake(struct rvi_msg *msg, void *receiver)
{
    rvi_wake_here(receiver, rvi_container_of(msg, struct rvi_waiter, msg));
}

void rvi_wake_elsewhere(struct rvi_waiter *w)
{
    struct rvi_task *task = w->task;

    if (rvi_unlikely(!task)) {
        _Atomic(uint32_t) *word = &w->woken;
        rvi_store_release(word, 1); /* pairs: waiter-woken */
        rvi_futex_wake(word, 1);    /* by address: the waiter may be gone */
        return;
    }
    w->msg.deliver = deliver_wake;
    rvi_worker_send(rvi_load_relaxed(&task->home), &w->msg);
}
