/* SPDX-License-Identifier: MIT */
/* test_spin.c - how long somebody looks follows what has come of it. */
#include "shm/spin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "sys/clock.h"

static void nobody_spins_on_one_core(void **state)
{
    (void)state;
    struct rvi_spin spin;
    struct rvi_spin_turn turn = {0};
    rvi_spin_init(&spin, 1);
    assert_false(rvi_spin_again(&spin, &turn));
    rvi_spin_end(&spin, true);
    assert_false(rvi_spin_again(&spin, &turn));
}

static void a_turn_lasts_as_long_as_its_limit(void **state)
{
    (void)state;
    struct rvi_spin spin;
    struct rvi_spin_turn turn = {0};
    rvi_spin_init(&spin, 2);
    int64_t began = rvi_clock_now();
    while (rvi_spin_again(&spin, &turn))
        continue;
    assert_true(rvi_clock_now() - began >= spin.limit_ns);
    assert_true(turn.looks > 1);
}

static void the_limit_falls_in_vain_and_rises_with_success(void **state)
{
    (void)state;
    struct rvi_spin spin;
    rvi_spin_init(&spin, 2);
    int64_t most = spin.limit_ns;
    rvi_spin_end(&spin, true);
    assert_int_equal(spin.limit_ns, most);
    for (int i = 0; i < 20; i++)
        rvi_spin_end(&spin, false);
    int64_t least = spin.limit_ns;
    assert_true(least > 0 && least < most);
    rvi_spin_end(&spin, true);
    assert_int_equal(spin.limit_ns, 2 * least);
    for (int i = 0; i < 20; i++)
        rvi_spin_end(&spin, true);
    assert_int_equal(spin.limit_ns, most);
}

static void two_that_sleep_try_again_now_and_then(void **state)
{
    (void)state;
    struct rvi_spin spin;
    rvi_spin_init(&spin, 2);
    int64_t most = spin.limit_ns;
    int tries = 0;
    for (int i = 0; i < 100; i++) {
        rvi_spin_end(&spin, false);
        tries += spin.limit_ns == most;
    }
    assert_true(tries >= 2 && tries <= 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_spins_on_one_core),
        cmocka_unit_test(a_turn_lasts_as_long_as_its_limit),
        cmocka_unit_test(two_that_sleep_try_again_now_and_then),
        cmocka_unit_test(the_limit_falls_in_vain_and_rises_with_success),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
