/* SPDX-License-Identifier: MIT */
/* test_ticks.c - moments that are noted in ticks come out on the monotonic clock. */
#include "sys/ticks.h"

#include <time.h>

#include "sys/call.h"
#include "sys_test.h"

static const enum rvi_ticks_clock clocks[] = {RVI_TICKS_NS, RVI_TICKS_COUNTER};

/* False: this machine does not go by its counter, whose ticks say nothing then. */
static bool has(enum rvi_ticks_clock clock)
{
    return clock == RVI_TICKS_NS || rvi_ticks_clock() == clock;
}

/* Each moment lies between two looks at the real clock, but for what the marks are off: an
 * interruption in all tries of one of them could be a millisecond. */
static void a_moment_comes_out_where_it_was(void **state)
{
    enum { MOMENTS = 200, OFF_NS = 2000000 };
    struct {
        int64_t before, after;
        uint64_t ticks;
    } moments[MOMENTS];

    (void)state;
    for (int c = 0; c < 2; c++) {
        if (!has(clocks[c]))
            continue;
        struct rvi_ticks_mark first = rvi_ticks_mark(clocks[c]);
        for (int i = 0; i < MOMENTS; i++) {
            moments[i].before = rvi_clock_now();
            moments[i].ticks = rvi_ticks(clocks[c]);
            moments[i].after = rvi_clock_now();
        }
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
        struct rvi_ticks_mark last = rvi_ticks_mark(clocks[c]);
        for (int i = 0; i < MOMENTS; i++) {
            int64_t ns = rvi_ticks_ns(moments[i].ticks, &first, &last);
            assert_true(ns >= moments[i].before - OFF_NS && ns <= moments[i].after + OFF_NS);
        }
    }
}

static void the_line_goes_through_both_marks(void **state)
{
    static const struct rvi_ticks_mark a = {UINT64_MAX - 10, 1000}, b = {20, 1310}; /* it wraps */
    int64_t last = INT64_MIN;

    (void)state;
    assert_int_equal(rvi_ticks_ns(a.ticks, &a, &b), 1000);
    assert_int_equal(rvi_ticks_ns(b.ticks, &a, &b), 1310);
    assert_int_equal(rvi_ticks_ns(UINT64_MAX, &a, &b), 1100);
    assert_int_equal(rvi_ticks_ns(a.ticks - 1, &a, &b), 990);
    assert_int_equal(rvi_ticks_ns(a.ticks, &a, &a), 1000);
    for (uint64_t i = 0; i < 100; i++) {
        int64_t ns = rvi_ticks_ns(a.ticks + i, &a, &b);
        assert_true(ns >= last);
        last = ns;
    }
}

/* 100 days of 3 GHz, to some nanoseconds. */
static void a_long_time_stays_exact(void **state)
{
    const int64_t days = INT64_C(100) * 86400 * 1000000000;
    const struct rvi_ticks_mark a = {5, 7}, b = {5 + 3 * (uint64_t)days, 7 + days};

    (void)state;
    assert_in_range(rvi_ticks_ns(5 + 3 * (uint64_t)(days - 12345), &a, &b), 7 + days - 12350,
                    7 + days - 12340);
}

/* What cannot be found out is no reason to trust the counter. */
static void without_the_kernels_word_there_are_nanoseconds(void **state)
{
    static const enum rvi_call_site sites[] = {RVI_CALL_OPEN_CLOCK_SOURCE,
                                               RVI_CALL_READ_CLOCK_SOURCE, RVI_CALL_ASK_COUNTER};

    (void)state;
    if (RVI_DEBUG_CHECKS == 0 || !has(RVI_TICKS_COUNTER))
        skip();
    for (int i = 0; i < 3; i++) {
        rvi_call_fail_at(sites[i]);
        assert_int_equal(rvi_ticks_clock(), RVI_TICKS_NS);
        assert_false(rvi_call_fail_pending());
        rvi_call_fail_after(-1, 0, false);
    }
    assert_int_equal(rvi_ticks_clock(), RVI_TICKS_COUNTER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_moment_comes_out_where_it_was),
        cmocka_unit_test(the_line_goes_through_both_marks),
        cmocka_unit_test(a_long_time_stays_exact),
        cmocka_unit_test(without_the_kernels_word_there_are_nanoseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
