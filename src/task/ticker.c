/* SPDX-License-Identifier: MIT */
/* ticker.c - ticks at even distances, taken by whoever waits.
 *
 *   T1  next is the earliest tick that nobody has taken; next - first is a multiple of the period
 *   T2  somebody waits  =>  it is not stopped
 *
 * Nothing runs while nobody waits: ticks are arithmetic, not events. A waiter's own deadline is the
 * next tick; when it has come, the waiter takes what is due under the lock, and one that finds that
 * another has been faster waits for the tick after. The line is there for stop alone. By T1 the
 * phase does not drift, however late a waiter looks.
 *
 * Rejected: a task that sends ticks into a channel, as Go's Ticker does in its way. It costs a task
 * and drops ticks without a word when nobody receives.
 * Checked by: tests/unit/task/test_ticker.c, test_every_point.c, tests/stress/stress_meet.c */
#include <ravel/ticker.h>

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "sys/clock.h"
#include "task/waitlist.h"

struct ticker {
    struct rvi_bias lock;
    struct rvi_waitlist line;
    rv_time next; /* RV_NEVER: beyond the end of time, there is none */
    rv_time period;
    bool stopped;
};
RVI_ASSERT_FITS(struct ticker, struct rv_ticker);

static struct ticker *inside(struct rv_ticker *t)
{
    return (struct ticker *)t->opaque;
}

int rv_ticker_init(struct rv_ticker *t, rv_time first, rv_time period)
{
    if (first < 0 || period <= 0)
        return -EINVAL;
    memset(t, 0, sizeof(*t));
    inside(t)->next = first;
    inside(t)->period = period;
    return 0;
}

/* The lock is held. How many ticks are due now; they are taken. */
static int take_due(struct ticker *ticker)
{
    rv_time now = rvi_clock_now();

    if (now < ticker->next)
        return 0;
    rv_time due = (now - ticker->next) / ticker->period;
    if (due > INT_MAX - 1)
        due = INT_MAX - 1;
    rv_time last = ticker->next + due * ticker->period;
    ticker->next = last > RV_NEVER - ticker->period ? RV_NEVER : last + ticker->period;
    return (int)due + 1;
}

/* One turn: what rv_ticker_wait returns, or 0: look again. */
static int take_or_wait(struct ticker *ticker, rv_time deadline)
{
    struct rvi_waiter w;
    bool biased = rvi_bias_lock(&ticker->lock);
    int r = ticker->stopped ? -EPIPE : take_due(ticker);
    bool tick_comes_first = ticker->next < deadline;
    rv_time until = tick_comes_first ? ticker->next : deadline;

    if (r != 0) {
        rvi_bias_unlock(&ticker->lock, biased);
        return r;
    }
    r = rvi_waitlist_wait(&ticker->line, &ticker->lock, biased, &w, until, RVI_WHY_TICKER);
    if (r == 0)
        return -EPIPE; /* nobody but stop wakes */
    return r == -ETIME && tick_comes_first ? 0 : r;
}

int rv_ticker_wait(struct rv_ticker *t, rv_time deadline)
{
    int r = 0;

    while (r == 0) {
        r = rvi_wait_allowed();
        if (r == 0)
            r = take_or_wait(inside(t), deadline);
    }
    return r;
}

void rv_ticker_stop(struct rv_ticker *t)
{
    struct ticker *ticker = inside(t);
    bool biased = rvi_bias_lock(&ticker->lock);

    ticker->stopped = true;
    struct rvi_link *chain = rvi_waitlist_take_all(&ticker->line);
    rvi_bias_unlock(&ticker->lock, biased);
    rvi_chain_wake(chain);
}
