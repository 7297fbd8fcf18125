/* SPDX-License-Identifier: MIT */
/* test_fds.c - a number is ours from the call that made it to its close, and each time another. */
#include "loop/fds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { FD = 4711 };

static void a_number_is_ours_until_it_is_closed(void **state)
{
    (void)state;
    assert_int_equal(rvi_fds_generation(FD), 0);
    rvi_fds_made(FD, true);
    uint32_t first = rvi_fds_generation(FD);
    assert_int_not_equal(first, 0);
    assert_int_equal(rvi_fds_generation(FD + 1), 0);
    rvi_fds_closing(FD);
    assert_int_equal(rvi_fds_generation(FD), 0);
    rvi_fds_made(FD, true);
    assert_true(rvi_fds_generation(FD) != 0 && rvi_fds_generation(FD) != first);
    rvi_fds_closing(FD);
}

static void one_that_was_closed_behind_our_back_is_another(void **state)
{
    (void)state;
    rvi_fds_made(FD, true);
    uint32_t first = rvi_fds_generation(FD);
    rvi_fds_made(FD, true);
    assert_true(rvi_fds_generation(FD) != 0 && rvi_fds_generation(FD) != first);
    rvi_fds_made(FD, false);
    assert_int_equal(rvi_fds_generation(FD), 0);
    rvi_fds_made(FD, false);
    assert_int_equal(rvi_fds_generation(FD), 0);
}

static void numbers_out_of_range_are_never_ours(void **state)
{
    const int numbers[] = {-1, INT32_MIN, RVI_FDS_MOST, INT32_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        rvi_fds_made(numbers[i], true);
        assert_int_equal(rvi_fds_generation(numbers[i]), 0);
        rvi_fds_closing(numbers[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_ours_until_it_is_closed),
        cmocka_unit_test(one_that_was_closed_behind_our_back_is_another),
        cmocka_unit_test(numbers_out_of_range_are_never_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
