/* SPDX-License-Identifier: MIT */
/* test_clock.c - the monotonic clock. */
#include "sys/clock.h"

#include <time.h>

#include "sys_test.h"

static void never_goes_back(void **state)
{
    (void)state;
    int64_t last = rvi_clock_now();
    for (int i = 0; i < 10000; i++) {
        int64_t now = rvi_clock_now();
        assert_true(now >= last);
        last = now;
    }
}

static void counts_nanoseconds_of_the_monotonic_clock(void **state)
{
    (void)state;
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    int64_t now = rvi_clock_now();
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true(now >= before.tv_sec * (int64_t)1000000000 + before.tv_nsec);
    assert_true(now <= after.tv_sec * (int64_t)1000000000 + after.tv_nsec);
}

static void passes_while_asleep(void **state)
{
    (void)state;
    int64_t before = rvi_clock_now();
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    assert_true(rvi_clock_now() - before >= 2000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_goes_back),
        cmocka_unit_test(counts_nanoseconds_of_the_monotonic_clock),
        cmocka_unit_test(passes_while_asleep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
