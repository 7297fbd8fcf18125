/* SPDX-License-Identifier: MIT */
/* test_roll.c - what is on the roll, seen as others see it: from its list alone. */
#include "sched/roll.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ravel.h>

#include "base/check.h"

enum { THREADS = 4, ROUNDS = 2000 };

static const struct rvi_layout_part part;

static size_t length(void)
{
    size_t count = 0;

    RVI_LIST_FOREACH(link, &rvi_roll)
        count++;
    return count;
}

static void what_is_added_is_found_until_it_is_removed(void **state)
{
    struct rvi_enrolled one = {0}, other = {0};
    int things[2];

    (void)state;
    assert_int_equal(length(), 0);
    rvi_roll_add(&one, RVI_ROLL_EXECUTOR, &part, &things[0]);
    rvi_roll_add(&other, RVI_ROLL_QUEUE, &part, &things[1]);
    struct rvi_enrolled *first =
        rvi_container_of(rvi_list_first(&rvi_roll), struct rvi_enrolled, link);
    assert_ptr_equal(first->thing, &things[0]);
    assert_ptr_equal(first->part, &part);
    assert_int_equal(first->kind, RVI_ROLL_EXECUTOR);
    assert_int_not_equal(one.number, other.number);
    assert_int_equal(length(), 2);
    rvi_roll_remove(&one);
    rvi_roll_remove(&one);
    assert_int_equal(length(), 1);
    uint64_t before = one.number;
    rvi_roll_add(&one, RVI_ROLL_EXECUTOR, &part, &things[0]);
    assert_int_not_equal(one.number, before);
    rvi_roll_remove(&one);
    rvi_roll_remove(&other);
    assert_int_equal(length(), 0);
}

static void what_was_never_added_is_removed_all_the_same(void **state)
{
    struct rvi_enrolled never = {0};

    (void)state;
    rvi_roll_remove(&never);
    assert_int_equal(length(), 0);
}

static void *come_and_go(void *arg)
{
    struct rvi_enrolled place = {0};

    for (int i = 0; i < ROUNDS; i++) {
        rvi_roll_add(&place, RVI_ROLL_CHAN, &part, arg);
        rvi_roll_remove(&place);
    }
    return NULL;
}

static void regress_neighbours_leave_at_the_same_time(void **state)
{
    pthread_t threads[THREADS];
    int thing;

    (void)state;
    for (int i = 0; i < THREADS; i++)
        RV_CHECK(pthread_create(&threads[i], NULL, come_and_go, &thing) == 0);
    for (int i = 0; i < THREADS; i++)
        RV_CHECK(pthread_join(threads[i], NULL) == 0);
    assert_int_equal(length(), 0);
}

static int enrol(void *arg)
{
    struct rvi_enrolled simulated = {0};

    rvi_roll_add(&simulated, RVI_ROLL_QUEUE, &part, arg);
    RV_CHECK(length() == 0);
    rvi_roll_remove(&simulated);
    return 0;
}

static void a_simulation_is_looked_into_by_nobody(void **state)
{
    (void)state;
    assert_int_equal(rv_sim_run(enrol, NULL, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_added_is_found_until_it_is_removed),
        cmocka_unit_test(what_was_never_added_is_removed_all_the_same),
        cmocka_unit_test(regress_neighbours_leave_at_the_same_time),
        cmocka_unit_test(a_simulation_is_looked_into_by_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
