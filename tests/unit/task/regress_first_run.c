/* SPDX-License-Identifier: MIT */
/* regress_first_run.c - the first simulation of a process counted the once-only setup of the fences
 * among its steps, so that what it found could not be replayed. Nothing may run before it here. */
#include <ravel.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"

static int yield_in_a_child(void *arg)
{
    (void)arg;
    rv_yield();
    return 0;
}

static int start_two(void *arg)
{
    int err;
    (void)arg;
    RV_SCOPE(scope, err) {
        RV_CHECK(rv_go(scope, yield_in_a_child, NULL) == 0);
        RV_CHECK(rv_go(scope, yield_in_a_child, NULL) == 0);
    }
    return err;
}

static struct rv_sim_result simulate(void)
{
    struct rv_sim_opts opts = {.size = sizeof(opts), .seeds = 1, .quiet = 1};
    struct rv_sim_result result = {.size = sizeof(result)};
    assert_int_equal(rv_sim_explore(start_two, NULL, &opts, &result), 0);
    return result;
}

static void the_first_run_takes_the_steps_of_the_second(void **state)
{
    (void)state;
    struct rv_sim_result first = simulate(), second = simulate();
    assert_int_equal(first.steps, second.steps);
    assert_true(first.digest == second.digest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_run_takes_the_steps_of_the_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
