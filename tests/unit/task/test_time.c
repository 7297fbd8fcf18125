/* SPDX-License-Identifier: MIT */
/* test_time.c - the clock, deadlines at the ends of the range, sleeping in order. */
#include <ravel/time.h>

#include <errno.h>

#include "../../support/crowd.h"
#include "base/alloc.h"
#include "stage.h"

enum { FEW = 10, SLEEPERS = 20000 };

static void the_clock_never_goes_back(void **state)
{
    rv_time last = rv_now();
    (void)state;
    assert_true(last > 0);
    for (int i = 0; i < 1000; i++) {
        rv_time now = rv_now();
        assert_true(now >= last);
        last = now;
    }
}

static void after_lies_ahead_by_the_length(void **state)
{
    rv_time before = rv_now();
    rv_time then = rv_after(RV_SECOND);
    (void)state;
    assert_true(then >= before + RV_SECOND && then <= rv_now() + RV_SECOND);
}

static void after_a_negative_length_is_now(void **state)
{
    static const rv_time lengths[] = {0, -1, -RV_MINUTE, INT64_MIN};
    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        rv_time before = rv_now();
        rv_time then = rv_after(lengths[i]);
        assert_true(then >= before && then <= rv_now());
    }
}

static void after_too_long_a_length_is_never(void **state)
{
    (void)state;
    assert_true(rv_after(RV_NEVER) == RV_NEVER);
    assert_true(rv_after(RV_NEVER - 1) == RV_NEVER);
    assert_true(rv_after(RV_NEVER - rv_now() + RV_MINUTE) == RV_NEVER);
    assert_true(rv_after(RV_NEVER - rv_now() - RV_MINUTE) < RV_NEVER);
}

static void sleep_lasts_until_its_time(void)
{
    rv_time when = rv_after(2 * RV_MILLISECOND), before = rv_now();
    RV_CHECK(rv_sleep_until(when) == 0);
    RV_CHECK(rv_now() >= when);
    RV_CHECK(rv_sleep(RV_MILLISECOND) == 0);
    RV_CHECK(rv_now() >= before + 3 * RV_MILLISECOND);
}

static void a_time_that_is_past_does_not_wait(void)
{
    static const rv_time pasts[] = {0, 1, -1, INT64_MIN};
    for (size_t i = 0; i < sizeof(pasts) / sizeof(pasts[0]); i++)
        RV_CHECK(rv_sleep_until(pasts[i]) == 0);
    RV_CHECK(rv_sleep_until(rv_now()) == 0);
    RV_CHECK(rv_sleep(0) == 0 && rv_sleep(-1) == 0 && rv_sleep(INT64_MIN) == 0);
}

struct dream {
    rv_time when;
    int *place; /* how many have woken before */
    int expected;
    bool is_in_order;
};

static int sleep_in_order(void *arg)
{
    struct dream *dream = arg;
    RV_CHECK(rv_sleep_until(dream->when) == 0);
    dream->is_in_order = (*dream->place)++ == dream->expected;
    return 0;
}

/* Returns whether all had gone to sleep in time; then their order counts. */
static bool sleep_together_from(rv_time start)
{
    struct dream dreams[FEW];
    bool in_time = false;
    int woken = 0, err;
    RV_SCOPE(scope, err) {
        for (int i = 0; i < FEW; i++) {
            int rank = i * 7 % FEW; /* all ranks, mixed */
            dreams[i] = (struct dream){start + rank * RV_MICROSECOND, &woken, rank, false};
            go(scope, sleep_in_order, &dreams[i]);
        }
        for (int i = 0; i < FEW; i++) /* each turn lets one begin, at least */
            rv_yield();
        in_time = rv_now() < start;
        while (rv_now() < start) /* the first ten wake at once */
            rv_yield();
    }
    RV_CHECK(err == 0);
    for (int i = 0; in_time && i < FEW; i++)
        RV_CHECK(dreams[i].is_in_order);
    return in_time;
}

/* A machine that is busy with other things gets a longer start. */
static int sleep_together(void *arg)
{
    rv_time lead = 5 * RV_MILLISECOND;
    (void)arg;
    while (!sleep_together_from(rv_after(lead)))
        lead *= 2;
    return 0;
}

static void sleepers_wake_in_the_order_of_their_times(void **state)
{
    struct rv_run_opts opts = {.size = sizeof(opts), .workers = 1};
    (void)state;
    assert_int_equal(rv_run(sleep_together, NULL, &opts), 0);
}

static int sleep_some_time(void *arg)
{
    rv_time when = rv_after((rv_time)(uintptr_t)arg);
    RV_CHECK(rv_sleep_until(when) == 0);
    RV_CHECK(rv_now() >= when);
    return 0;
}

static void thousands_sleep(void)
{
    rv_scope *scope = open_scope(NULL);
    for (size_t i = 0; i < crowd(SLEEPERS, 1000); i++)
        go(scope, sleep_some_time, (void *)(uintptr_t)(i * 7919 % 10000 * 1000));
    RV_CHECK(rv_scope_close(scope) == 0);
}

static int sleep_long(void *arg)
{
    (void)arg;
    RV_CHECK(rv_sleep(RV_MINUTE) == -ECANCELED);
    return 0;
}

/* Timers leave in any order: the heap must not care. */
static void thousands_are_cancelled_in_their_sleep(void)
{
    rv_scope *scope = open_scope(NULL), *others = open_scope(NULL);
    for (size_t i = 0; i < crowd(SLEEPERS, 1000) / 2; i++) {
        go(scope, sleep_some_time, (void *)(uintptr_t)(i * 7919 % 10000 * 1000));
        go(others, sleep_long, NULL);
    }
    RV_CHECK(rv_sleep(RV_MILLISECOND) == 0);
    rv_scope_cancel(others, 0);
    RV_CHECK(rv_scope_close(others) == -ECANCELED);
    RV_CHECK(rv_scope_close(scope) == 0);
}

static void the_sleep_of_the_cancelled_fails_though_its_time_has_come(void)
{
    rv_scope *scope = open_scope(NULL);
    rv_scope_cancel(scope, 0);
    RV_CHECK(rv_sleep(0) == -ECANCELED && rv_sleep_until(0) == -ECANCELED);
    RV_CHECK(rv_sleep(RV_MINUTE) == -ECANCELED && rv_sleep_until(RV_NEVER) == -ECANCELED);
    RV_CHECK(rv_scope_close(scope) == -ECANCELED);
    RV_CHECK(rv_sleep(0) == 0);
}

static int sleep_without_memory(void *arg)
{
    (void)arg;
    rvi_alloc_fail_after(1); /* this worker's first timer needs memory */
    RV_CHECK(rv_sleep(RV_MINUTE) == -ENOMEM);
    RV_CHECK(rv_sleep(1) == 0);
    rvi_alloc_fail_after(1);
    RV_CHECK(rv_sleep(1) == 0 && rvi_alloc_fail_pending()); /* the second does not */
    rvi_alloc_fail_after(-1);
    return 0;
}

static void without_memory_nobody_sleeps(void **state)
{
    struct rv_run_opts opts = {.size = sizeof(opts), .workers = 1};
    (void)state;
    assert_int_equal(rv_run(sleep_without_memory, NULL, &opts), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_clock_never_goes_back),
        cmocka_unit_test(after_lies_ahead_by_the_length),
        cmocka_unit_test(after_a_negative_length_is_now),
        cmocka_unit_test(after_too_long_a_length_is_never),
        ON_EVERY_STAGE(sleep_lasts_until_its_time),
        ON_EVERY_STAGE(a_time_that_is_past_does_not_wait),
        cmocka_unit_test(sleepers_wake_in_the_order_of_their_times),
        ON_TASKS(thousands_sleep),
        ON_TASKS(thousands_are_cancelled_in_their_sleep),
        ON_TASKS(the_sleep_of_the_cancelled_fails_though_its_time_has_come),
        cmocka_unit_test(without_memory_nobody_sleeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
