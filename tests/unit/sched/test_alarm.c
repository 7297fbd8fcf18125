/* SPDX-License-Identifier: MIT */
/* test_alarm.c - an alarm that stays armed rings for nobody, for no other task, and never late. */
#include "sched/alarm.h"

#include <errno.h>

#include "sched/worker.h"
#include "sched_test.h"

enum { FEW = 1000 };

/* --- by itself: nobody is nudged where no limit is reached --- */

static struct rvi_alarms alarms;

static int setup(void **state)
{
    (void)state;
    alarms = (struct rvi_alarms){{NULL, 0, 0}};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rvi_alarms_fini(&alarms);
    return 0;
}

static void set(struct rvi_stack *stack, rv_time limit)
{
    RV_CHECK(rvi_alarm_set(&alarms, stack, limit) == 0);
}

static void expire(rv_time now)
{
    rvi_alarms_expire(&alarms, NULL, now);
}

static void one_left_behind_serves_the_next_wait(void **state)
{
    (void)state;
    struct rvi_stack stack;
    rvi_alarm_init(&stack);
    set(&stack, 100);
    rvi_alarm_clear(&alarms, &stack);
    set(&stack, 200);
    assert_true(rvi_alarms_next(&alarms) == 100);
    expire(199);
    assert_true(rvi_alarms_next(&alarms) == 200);
    rvi_alarm_drop(&alarms, &stack);
    assert_true(rvi_alarms_next(&alarms) == RV_NEVER);
}

static void an_earlier_limit_is_armed_at_once(void **state)
{
    (void)state;
    struct rvi_stack stack;
    rvi_alarm_init(&stack);
    set(&stack, 200);
    rvi_alarm_clear(&alarms, &stack);
    set(&stack, 100);
    assert_true(rvi_alarms_next(&alarms) == 100);
    assert_int_equal(alarms.heap.count, 1);
    rvi_alarm_drop(&alarms, &stack);
}

static void one_that_nobody_waits_for_is_due_once(void **state)
{
    (void)state;
    struct rvi_stack stack;
    rvi_alarm_init(&stack);
    set(&stack, 100);
    rvi_alarm_clear(&alarms, &stack);
    expire(RV_NEVER - 1);
    assert_int_equal(alarms.heap.count, 0);
    rvi_alarm_drop(&alarms, &stack);
}

static void never_is_not_armed(void **state)
{
    (void)state;
    struct rvi_stack stack;
    rvi_alarm_init(&stack);
    set(&stack, RV_NEVER);
    assert_int_equal(alarms.heap.count, 0);
    set(&stack, 100);
    set(&stack, RV_NEVER);
    expire(RV_NEVER - 1);
    assert_int_equal(alarms.heap.count, 0);
}

static void limits_before_the_clock_began_are_armed(void **state)
{
    (void)state;
    struct rvi_stack stack;
    rvi_alarm_init(&stack);
    set(&stack, INT64_MIN);
    assert_true(rvi_alarms_next(&alarms) == 0);
    set(&stack, -1);
    assert_int_equal(alarms.heap.count, 1);
    rvi_alarm_drop(&alarms, &stack);
}

/* Whoever is due too early goes back in, whatever memory there is, and in whatever order. */
static void arming_anew_takes_no_memory(void **state)
{
    (void)state;
    static struct rvi_stack stacks[FEW];
    for (size_t i = 0; i < FEW; i++) {
        rvi_alarm_init(&stacks[i]);
        set(&stacks[i], (rv_time)(i * 37 % FEW));
        set(&stacks[i], FEW + (rv_time)i);
    }
    rvi_alloc_fail_after(1);
    expire(FEW - 1);
    rvi_alloc_fail_after(-1);
    assert_int_equal(alarms.heap.count, FEW);
    assert_true(rvi_alarms_next(&alarms) == FEW);
    for (size_t i = 0; i < FEW; i++)
        rvi_alarm_drop(&alarms, &stacks[i]);
}

static void without_memory_it_is_not_set(void **state)
{
    (void)state;
    struct rvi_stack stack;
    rvi_alarm_init(&stack);
    rvi_alloc_fail_after(1);
    int r = rvi_alarm_set(&alarms, &stack, 100);
    rvi_alloc_fail_after(-1);
    assert_int_equal(r, -ENOMEM);
    rvi_alarm_drop(&alarms, &stack);
    assert_int_equal(alarms.heap.count, 0);
}

/* --- in a runtime --- */

static size_t armed_here(void)
{
    return rvi_worker_self()->alarms.heap.count;
}

static bool is_armed(void)
{
    return rvi_heap_node_is_in(&rvi_task_self()->stack->alarm);
}

static int post(void *sem)
{
    rv_sem_post(sem, 1);
    return 0;
}

/* A wait with a deadline that is over long before. */
static void wait_and_be_woken(rv_time deadline)
{
    struct rv_sem sem;
    int err;

    rv_sem_init(&sem, 0);
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, post, &sem) == 0);
        RV_CHECK(rv_sem_wait(&sem, deadline) == 0);
    }
    RV_CHECK(err == 0);
}

static void wait_in_vain(rv_time length)
{
    rv_time deadline = rv_after(length);
    struct rv_sem sem;

    rv_sem_init(&sem, 0);
    RV_CHECK(rv_sem_wait(&sem, deadline) == -ETIME);
    RV_CHECK(rv_now() >= deadline);
}

static int wait_often(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < repeats(2000); i++) {
        wait_and_be_woken(rv_after(RV_MINUTE));
        RV_CHECK(armed_here() == 1 && is_armed());
    }
    return 0;
}

static void a_thousand_waits_leave_one(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, wait_often, NULL), 0);
}

static int wait_shorter_and_longer(void *arg)
{
    (void)arg;
    wait_and_be_woken(rv_after(RV_MINUTE));
    wait_in_vain(3 * RV_MILLISECOND);
    wait_and_be_woken(rv_after(RV_SECOND / 100));
    wait_in_vain(RV_SECOND / 50);
    return 0;
}

static void a_deadline_counts_whether_earlier_or_later_than_the_last(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, wait_shorter_and_longer, NULL), 0);
}

struct sleeper {
    struct rv_event begun, end;
    struct rvi_task *task;
};

static int wait_without_deadline(void *arg)
{
    struct sleeper *sleeper = arg;

    wait_and_be_woken(rv_after(RV_MILLISECOND));
    sleeper->task = rvi_task_self();
    rv_event_set(&sleeper->begun);
    return rv_event_wait(&sleeper->end, RV_NEVER);
}

/* It stands in nobody's queue when its alarm has been due. */
static int watch_who_waits(void *arg)
{
    struct sleeper sleeper;
    int err;

    (void)arg;
    rv_event_init(&sleeper.begun);
    rv_event_init(&sleeper.end);
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, wait_without_deadline, &sleeper) == 0);
        RV_CHECK(rv_event_wait(&sleeper.begun, RV_NEVER) == 0);
        while (rvi_heap_node_is_in(&sleeper.task->stack->alarm)) {
            rvi_worker_catch_up(rvi_worker_self());
            RV_CHECK(sleeper.task->state == RVI_TASK_PARKED);
        }
        rv_event_set(&sleeper.end);
    }
    return err;
}

static void who_waits_without_a_deadline_is_not_nudged(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, watch_who_waits, NULL), 0);
}

static int wait_once(void *arg)
{
    (void)arg;
    wait_and_be_woken(rv_after(RV_MINUTE));
    RV_CHECK(is_armed());
    return 0;
}

static int start_who_waits(void *arg)
{
    int err;

    (void)arg;
    RV_SCOPE(s, err) {
        for (int i = 0; i < 100; i++)
            RV_CHECK(rv_go(s, wait_once, NULL) == 0);
    }
    RV_CHECK(err == 0 && armed_here() == 0);
    return 0;
}

static void a_task_that_ends_takes_its_alarm_along(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, start_who_waits, NULL), 0);
}

/* A wait would do, were it sure that nobody steals whoever is to end it. */
static void leave_one_armed(struct rvi_worker *w)
{
    struct rvi_stack *stack = rvi_task_self()->stack;

    RV_CHECK(rvi_alarm_set(&w->alarms, stack, rv_after(RV_MINUTE)) == 0);
    rvi_alarm_clear(&w->alarms, stack);
}

static int wait_on_both_workers(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < repeats(200); i++) {
        struct rvi_worker *before = rvi_worker_self();
        leave_one_armed(before);
        RV_CHECK(is_armed());
        RV_CHECK(rv_migrate(1 - before->index) == 0);
        RV_CHECK(rvi_worker_self() != before && !is_armed());
        wait_in_vain(100 * RV_MICROSECOND);
    }
    return 0;
}

static void a_task_that_migrates_leaves_none_behind(void **state)
{
    (void)state;
    assert_int_equal(run_on(2, wait_on_both_workers, NULL), 0);
}

static int be_cancelled(void *arg)
{
    (void)arg;
    wait_and_be_woken(rv_after(RV_MINUTE));
    RV_CHECK(rv_sleep(RV_MINUTE) == -ECANCELED && is_armed());
    RV_CHECK(rv_shield_begin(rv_after(RV_MINUTE)) == 0);
    wait_in_vain(RV_MILLISECOND);
    rv_shield_end();
    RV_CHECK(rv_sleep(0) == -ECANCELED);
    return 0;
}

static int cancel_who_waits(void *arg)
{
    int err;

    (void)arg;
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, be_cancelled, NULL) == 0);
        rv_yield();
        rv_yield();
        rv_yield();
        rv_scope_cancel(s, -EIO);
    }
    RV_CHECK(err == -EIO && armed_here() == 0);
    return 0;
}

static void a_cancelled_wait_leaves_one_that_serves_the_next(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, cancel_who_waits, NULL), 0);
}

static int wait_in_simulation(void *arg)
{
    rv_time before = rv_now();

    (void)arg;
    wait_and_be_woken(rv_after(RV_MINUTE));
    RV_CHECK(!is_armed() && armed_here() == 0);
    wait_in_vain(2 * RV_MINUTE);
    RV_CHECK(rv_now() - before < 3 * RV_MINUTE);
    return 0;
}

static void in_a_simulation_none_stays_armed(void **state)
{
    (void)state;
    assert_int_equal(rv_sim_run(wait_in_simulation, NULL, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_left_behind_serves_the_next_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(an_earlier_limit_is_armed_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_nobody_waits_for_is_due_once, setup, teardown),
        cmocka_unit_test_setup_teardown(never_is_not_armed, setup, teardown),
        cmocka_unit_test_setup_teardown(limits_before_the_clock_began_are_armed, setup, teardown),
        cmocka_unit_test_setup_teardown(arming_anew_takes_no_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(without_memory_it_is_not_set, setup, teardown),
        cmocka_unit_test(a_thousand_waits_leave_one),
        cmocka_unit_test(a_deadline_counts_whether_earlier_or_later_than_the_last),
        cmocka_unit_test(who_waits_without_a_deadline_is_not_nudged),
        cmocka_unit_test(a_task_that_ends_takes_its_alarm_along),
        cmocka_unit_test(a_task_that_migrates_leaves_none_behind),
        cmocka_unit_test(a_cancelled_wait_leaves_one_that_serves_the_next),
        cmocka_unit_test(in_a_simulation_none_stays_armed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
