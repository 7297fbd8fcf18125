/* SPDX-License-Identifier: MIT */
/* test_timers.c - what is due fires, in order, once; the rest stays. */
#include "loop/timers.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../sys/sys_test.h"
#include "base/alloc.h"
#include "base/rng.h"

enum { FEW = 100 };

struct bell {
    struct rvi_timer timer;
    rv_time when;
    size_t rings;
    size_t place; /* in the order of ringing */
    struct bell *other;
};

static struct rvi_timers timers;
static size_t rung;
static rv_time last_when;

static int setup(void **state)
{
    (void)state;
    rvi_timers_init(&timers);
    rung = 0;
    last_when = INT64_MIN;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rvi_timers_fini(&timers);
    return 0;
}

static struct bell *bell_of(struct rvi_timer *timer)
{
    return rvi_container_of(timer, struct bell, timer);
}

static void ring(struct rvi_timer *timer)
{
    struct bell *bell = bell_of(timer);
    RV_CHECK(!rvi_heap_node_is_in(&timer->node));
    RV_CHECK(bell->when >= last_when);
    last_when = bell->when;
    bell->rings++;
    bell->place = rung++;
}

static void arm(struct bell *bell, rv_time when)
{
    *bell = (struct bell){.when = when};
    rvi_timer_init(&bell->timer, ring);
    assert_int_equal(rvi_timers_arm(&timers, &bell->timer, when), 0);
}

static void nothing_armed_is_due_never(void **state)
{
    (void)state;
    assert_true(rvi_timers_next(&timers) == RV_NEVER);
    rvi_timers_expire(&timers, 0);
    rvi_timers_expire(&timers, RV_NEVER);
    assert_int_equal(rung, 0);
}

static void the_next_one_is_the_earliest(void **state)
{
    (void)state;
    struct bell bells[3];
    arm(&bells[0], 30);
    assert_true(rvi_timers_next(&timers) == 30);
    arm(&bells[1], 10);
    assert_true(rvi_timers_next(&timers) == 10);
    arm(&bells[2], 20);
    assert_true(rvi_timers_next(&timers) == 10);
    rvi_timers_disarm(&timers, &bells[1].timer);
    assert_true(rvi_timers_next(&timers) == 20);
    rvi_timers_expire(&timers, 30);
}

static void they_fire_in_the_order_of_their_times(void **state)
{
    (void)state;
    struct bell bells[FEW];
    for (size_t i = 0; i < FEW; i++)
        arm(&bells[i], (rv_time)(i * 37 % FEW));
    rvi_timers_expire(&timers, FEW);
    assert_int_equal(rung, FEW);
    for (size_t i = 0; i < FEW; i++)
        assert_int_equal(bells[i].place, bells[i].when);
}

static void only_what_is_due_fires(void **state)
{
    (void)state;
    struct bell bells[FEW];
    for (size_t i = 0; i < FEW; i++)
        arm(&bells[i], (rv_time)i);
    for (rv_time now = 0; now < FEW; now++) {
        rvi_timers_expire(&timers, now);
        assert_int_equal(rung, now + 1);
        assert_int_equal(bells[now].rings, 1);
    }
    assert_true(rvi_timers_next(&timers) == RV_NEVER);
}

static void equal_times_all_fire_at_once(void **state)
{
    (void)state;
    struct bell bells[FEW];
    for (size_t i = 0; i < FEW; i++)
        arm(&bells[i], 5);
    rvi_timers_expire(&timers, 4);
    assert_int_equal(rung, 0);
    rvi_timers_expire(&timers, 5);
    for (size_t i = 0; i < FEW; i++)
        assert_int_equal(bells[i].rings, 1);
}

static void times_before_the_clock_began_are_due(void **state)
{
    (void)state;
    struct bell bells[2];
    arm(&bells[0], -1);
    arm(&bells[1], INT64_MIN);
    last_when = INT64_MIN;
    for (size_t i = 0; i < 2; i++)
        bells[i].when = 0; /* they count as equal */
    rvi_timers_expire(&timers, 0);
    assert_int_equal(rung, 2);
}

static void one_at_the_end_of_time_never_fires(void **state)
{
    (void)state;
    struct bell bell;
    arm(&bell, RV_NEVER);
    assert_true(rvi_timers_next(&timers) == RV_NEVER);
    rvi_timers_expire(&timers, RV_NEVER - 1);
    assert_int_equal(rung, 0);
    rvi_timers_disarm(&timers, &bell.timer);
}

static void a_disarmed_one_does_not_fire(void **state)
{
    (void)state;
    struct bell bells[FEW];
    for (size_t i = 0; i < FEW; i++)
        arm(&bells[i], (rv_time)(i % 10));
    for (size_t i = 0; i < FEW; i += 2)
        rvi_timers_disarm(&timers, &bells[i].timer);
    rvi_timers_expire(&timers, FEW);
    for (size_t i = 0; i < FEW; i++)
        assert_int_equal(bells[i].rings, i % 2);
}

static void disarming_twice_or_after_it_fired_is_nothing(void **state)
{
    (void)state;
    struct bell bells[2];
    arm(&bells[0], 1);
    arm(&bells[1], 1);
    rvi_timers_disarm(&timers, &bells[0].timer);
    rvi_timers_disarm(&timers, &bells[0].timer);
    rvi_timers_expire(&timers, 1);
    rvi_timers_disarm(&timers, &bells[1].timer);
    assert_int_equal(rung, 1);
}

static void ring_and_arm_again(struct rvi_timer *timer)
{
    struct bell *bell = bell_of(timer);
    ring(timer);
    bell->when += 10;
    RV_CHECK(rvi_timers_arm(&timers, timer, bell->when) == 0);
}

static void one_may_arm_itself_while_it_fires(void **state)
{
    (void)state;
    struct bell bell = {.when = 10};
    rvi_timer_init(&bell.timer, ring_and_arm_again);
    assert_int_equal(rvi_timers_arm(&timers, &bell.timer, bell.when), 0);
    rvi_timers_expire(&timers, 35);
    assert_int_equal(bell.rings, 3);
    assert_true(rvi_timers_next(&timers) == 40);
    rvi_timers_disarm(&timers, &bell.timer);
}

static void ring_and_disarm_the_other(struct rvi_timer *timer)
{
    struct bell *bell = bell_of(timer);
    ring(timer);
    rvi_timers_disarm(&timers, &bell->other->timer);
}

/* A nudged task takes its own timer back, but it may also end another one's wait. */
static void one_that_fires_may_disarm_another_that_is_due(void **state)
{
    (void)state;
    struct bell bells[2] = {{.other = &bells[1]}, {.other = &bells[0]}};
    for (size_t i = 0; i < 2; i++) {
        rvi_timer_init(&bells[i].timer, ring_and_disarm_the_other);
        assert_int_equal(rvi_timers_arm(&timers, &bells[i].timer, 1), 0);
    }
    rvi_timers_expire(&timers, 2);
    assert_int_equal(rung, 1);
}

static void without_memory_it_is_not_armed(void **state)
{
    (void)state;
    struct bell bell = {.when = 1};
    rvi_timer_init(&bell.timer, ring);
    rvi_alloc_fail_after(1);
    int result = rvi_timers_arm(&timers, &bell.timer, 1);
    rvi_alloc_fail_after(-1);
    assert_int_equal(result, -ENOMEM);
    assert_true(rvi_timers_next(&timers) == RV_NEVER);
    rvi_timers_disarm(&timers, &bell.timer);
    arm(&bell, 1);
    rvi_timers_expire(&timers, 1);
    assert_int_equal(bell.rings, 1);
}

static void a_million_come_and_go(void **state)
{
    (void)state;
    /* The second tier of checks walks the heap at each step. */
    size_t count = RVI_DEBUG_CHECKS >= 2 ? 2000 : is_under_a_tool() ? 20000 : 1000000;
    struct bell *bells = test_calloc(count, sizeof(*bells));
    struct rvi_rng rng;
    size_t disarmed = 0;

    rvi_rng_seed(&rng, 1);
    for (size_t i = 0; i < count; i++)
        arm(&bells[i], (rv_time)rvi_rng_below(&rng, count));
    for (size_t i = 0; i < count; i += 3)
        rvi_timers_disarm(&timers, &bells[rvi_rng_below(&rng, count)].timer);
    for (size_t i = 0; i < count; i++)
        disarmed += !rvi_heap_node_is_in(&bells[i].timer.node);
    for (rv_time now = 0; rvi_timers_next(&timers) != RV_NEVER; now += (rv_time)count / 100)
        rvi_timers_expire(&timers, now);
    assert_int_equal(rung, count - disarmed);
    test_free(bells);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_armed_is_due_never, setup, teardown),
        cmocka_unit_test_setup_teardown(the_next_one_is_the_earliest, setup, teardown),
        cmocka_unit_test_setup_teardown(they_fire_in_the_order_of_their_times, setup, teardown),
        cmocka_unit_test_setup_teardown(only_what_is_due_fires, setup, teardown),
        cmocka_unit_test_setup_teardown(equal_times_all_fire_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(times_before_the_clock_began_are_due, setup, teardown),
        cmocka_unit_test_setup_teardown(one_at_the_end_of_time_never_fires, setup, teardown),
        cmocka_unit_test_setup_teardown(a_disarmed_one_does_not_fire, setup, teardown),
        cmocka_unit_test_setup_teardown(disarming_twice_or_after_it_fired_is_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(one_may_arm_itself_while_it_fires, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_fires_may_disarm_another_that_is_due, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(without_memory_it_is_not_armed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_million_come_and_go, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
