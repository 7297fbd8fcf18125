/* SPDX-License-Identifier: MIT */
/* test_ticker.c - tickers, on every stage of stage.h. */
#include <ravel/ticker.h>

#include <errno.h>
#include <limits.h>

#include "stage.h"

enum { PARTIES = 3, TICKS = 20 };

static void make(struct rv_ticker *t, rv_time first, rv_time period)
{
    RV_CHECK(rv_ticker_init(t, first, period) == 0);
}

static void times_that_make_no_sense_are_refused(void **state)
{
    struct rv_ticker t;
    (void)state;
    assert_int_equal(rv_ticker_init(&t, 0, 0), -EINVAL);
    assert_int_equal(rv_ticker_init(&t, 0, -1), -EINVAL);
    assert_int_equal(rv_ticker_init(&t, -1, 1), -EINVAL);
}

static void ticks_are_waited_for_and_the_phase_does_not_drift(void)
{
    struct rv_ticker t;
    rv_time first = rv_after(RV_MILLISECOND), period = RV_MILLISECOND / 2;
    rv_time told = 0;
    make(&t, first, period);
    while (told < TICKS) {
        int r = rv_ticker_wait(&t, RV_NEVER);
        RV_CHECK(r >= 1);
        told += r;
        RV_CHECK(rv_now() >= first + (told - 1) * period);
        rv_yield();
    }
}

static void missed_ticks_are_counted(void)
{
    struct rv_ticker t;
    rv_time now = rv_now();
    make(&t, now - 10 * RV_SECOND, RV_MINUTE);
    RV_CHECK(rv_ticker_wait(&t, 0) == 1); /* due: a passed deadline is no matter */
    RV_CHECK(rv_ticker_wait(&t, 0) == -ETIME);
    make(&t, now - 5 * RV_MINUTE - 10 * RV_SECOND, RV_MINUTE);
    RV_CHECK(rv_ticker_wait(&t, RV_NEVER) == 6);
    RV_CHECK(rv_ticker_wait(&t, 0) == -ETIME);
}

static void more_than_an_int_holds_stay_due(void)
{
    struct rv_ticker t;
    rv_time before = rv_now();
    make(&t, before - 4 * (rv_time)INT_MAX, 2);
    RV_CHECK(rv_ticker_wait(&t, 0) == INT_MAX);
    RV_CHECK(rv_ticker_wait(&t, 0) == INT_MAX);
    RV_CHECK(rv_ticker_wait(&t, RV_NEVER) >= 1);
}

static void time_ends(void)
{
    struct rv_ticker t;
    make(&t, 0, RV_NEVER);
    RV_CHECK(rv_ticker_wait(&t, 0) == 1);
    RV_CHECK(rv_ticker_wait(&t, rv_after(RV_MILLISECOND)) == -ETIME);
    make(&t, 1, RV_NEVER);
    RV_CHECK(rv_ticker_wait(&t, 0) == 1);
    RV_CHECK(rv_ticker_wait(&t, rv_after(RV_MILLISECOND)) == -ETIME);
    make(&t, RV_NEVER, 1);
    RV_CHECK(rv_ticker_wait(&t, 0) == -ETIME);
}

static void waiting_ends_at_the_deadline_and_not_before(void)
{
    struct rv_ticker t;
    rv_time deadline = rv_after(2 * RV_MILLISECOND);
    make(&t, rv_after(RV_MINUTE), RV_MINUTE);
    RV_CHECK(rv_ticker_wait(&t, 0) == -ETIME);
    RV_CHECK(rv_ticker_wait(&t, deadline) == -ETIME);
    RV_CHECK(rv_now() >= deadline);
    until_waiting(&t, 0);
}

struct shared {
    struct rv_ticker t;
    rv_time first, period;
    _Atomic(rv_time) told;
};

static int take_ticks(void *arg)
{
    struct shared *shared = arg;
    int r;
    while ((r = rv_ticker_wait(&shared->t, RV_NEVER)) > 0) {
        rv_time told = rvi_fetch_add_relaxed(&shared->told, r) + r;
        RV_CHECK(rv_now() >= shared->first + (told - 1) * shared->period);
    }
    RV_CHECK(r == -EPIPE);
    return 0;
}

static void each_tick_is_told_to_one_waiter(void)
{
    struct shared shared = {.first = rv_now(), .period = RV_MILLISECOND / 5};
    make(&shared.t, shared.first, shared.period);
    for (int i = 0; i < PARTIES; i++)
        start(take_ticks, &shared);
    while (rvi_load_relaxed(&shared.told) < TICKS)
        rv_yield();
    rv_ticker_stop(&shared.t);
    rv_ticker_stop(&shared.t);
    finish();
}

static int wait_for_the_stop(void *arg)
{
    RV_CHECK(rv_ticker_wait(arg, RV_NEVER) == -EPIPE);
    memset(arg, 0xff, sizeof(struct rv_ticker));
    return 0;
}

static void stop_wakes_a_waiter_who_may_free_it(void)
{
    struct rv_ticker t, filled;
    memset(&filled, 0xff, sizeof(filled));
    for (int i = 0; i < TICKS; i++) {
        make(&t, rv_after(RV_MINUTE), RV_MINUTE);
        start(wait_for_the_stop, &t);
        if (i % 2 == 0)
            until_waiting(&t, 1);
        rv_ticker_stop(&t);
        finish();
        RV_CHECK(memcmp(&t, &filled, sizeof(t)) == 0);
    }
}

static void a_stopped_ticker_ticks_no_more(void)
{
    struct rv_ticker t;
    make(&t, 0, RV_SECOND);
    rv_ticker_stop(&t);
    RV_CHECK(rv_ticker_wait(&t, RV_NEVER) == -EPIPE);
}

static int wait_cancelled(void *arg)
{
    struct rv_ticker *t = arg;
    RV_CHECK(rv_ticker_wait(t, RV_NEVER) == -ECANCELED);
    make(t, 0, RV_SECOND);
    RV_CHECK(rv_ticker_wait(t, RV_NEVER) == -ECANCELED); /* though a tick is due */
    rv_ticker_stop(t);
    return 0;
}

static void cancelled_tasks_do_not_wait_but_can_stop(void)
{
    struct rv_ticker t;
    make(&t, rv_after(RV_MINUTE), RV_MINUTE);
    RV_CHECK(rv_go(now_on.scope, wait_cancelled, &t) == 0);
    until_waiting(&t, 1);
    rv_scope_cancel(now_on.scope, -EIO);
    RV_CHECK(rv_scope_close(now_on.scope) == -EIO);
    open_stage();
    RV_CHECK(rv_ticker_wait(&t, RV_NEVER) == -EPIPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_that_make_no_sense_are_refused),
        ON_EVERY_STAGE(ticks_are_waited_for_and_the_phase_does_not_drift),
        ON_EVERY_STAGE(missed_ticks_are_counted),
        ON_EVERY_STAGE(more_than_an_int_holds_stay_due),
        ON_EVERY_STAGE(time_ends),
        ON_EVERY_STAGE(waiting_ends_at_the_deadline_and_not_before),
        ON_EVERY_STAGE(each_tick_is_told_to_one_waiter),
        ON_EVERY_STAGE(stop_wakes_a_waiter_who_may_free_it),
        ON_EVERY_STAGE(a_stopped_ticker_ticks_no_more),
        ON_TASKS(cancelled_tasks_do_not_wait_but_can_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
