/* SPDX-License-Identifier: MIT */
/* test_event.c - events, on every stage of stage.h. */
#include <ravel/sync.h>

#include <errno.h>

#include "stage.h"

enum { LINE = 5, ROUNDS = 50 };

static int wait_for(void *arg)
{
    RV_CHECK(rv_event_wait(arg, RV_NEVER) == 0);
    return 0;
}

static void line_up(struct rv_event *e)
{
    for (size_t i = 0; i < LINE; i++) {
        start(wait_for, e);
        until_waiting(e, i + 1);
    }
}

static void init_and_zeroed_memory_are_the_same(void **state)
{
    static const struct rv_event fresh = RV_EVENT_INIT;
    struct rv_event e;
    (void)state;
    memset(&e, 0xff, sizeof(e));
    rv_event_init(&e);
    assert_memory_equal(&e, &fresh, sizeof(e));
    assert_int_equal(rv_event_is_set(&e), 0);
}

static void it_stays_set_until_it_is_reset(void **state)
{
    struct rv_event e = RV_EVENT_INIT;
    (void)state;
    for (int i = 0; i < 2; i++) {
        rv_event_set(&e);
        rv_event_set(&e);
        assert_int_equal(rv_event_is_set(&e), 1);
        assert_int_equal(rv_event_wait(&e, RV_NEVER), 0);
        assert_int_equal(rv_event_wait(&e, 0), 0);
        rv_event_reset(&e);
        assert_int_equal(rv_event_is_set(&e), 0);
        assert_int_equal(rv_event_wait(&e, 0), -ETIME);
    }
}

static void waiting_ends_at_the_deadline_and_not_before(void)
{
    struct rv_event e = RV_EVENT_INIT;
    rv_time deadline = rv_after(2 * RV_MILLISECOND);
    RV_CHECK(rv_event_wait(&e, deadline) == -ETIME);
    RV_CHECK(rv_now() >= deadline);
    until_waiting(&e, 0);
}

static void set_wakes_everybody(void)
{
    struct rv_event e = RV_EVENT_INIT;
    line_up(&e);
    rv_event_set(&e);
    finish();
    RV_CHECK(rv_event_is_set(&e));
}

static void a_reset_does_not_take_it_back_from_those_who_waited(void)
{
    struct rv_event e = RV_EVENT_INIT;
    line_up(&e);
    rv_event_set(&e);
    rv_event_reset(&e);
    finish();
    RV_CHECK(!rv_event_is_set(&e));
}

static int wait_and_free(void *arg)
{
    struct rv_event *e = arg;
    RV_CHECK(rv_event_wait(e, RV_NEVER) == 0);
    memset(e, 0xff, sizeof(*e));
    free(e);
    return 0;
}

static void the_woken_may_free_the_event(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        struct rv_event *e = calloc(1, sizeof(*e));
        RV_CHECK(e != NULL);
        start(wait_and_free, e);
        if (i % 2 == 0)
            until_waiting(e, 1);
        rv_event_set(e);
        finish();
    }
}

static int wait_cancelled(void *arg)
{
    struct rv_event *e = arg;
    RV_CHECK(rv_event_wait(e, RV_NEVER) == -ECANCELED);
    rv_event_set(e);
    RV_CHECK(rv_event_wait(e, RV_NEVER) == -ECANCELED); /* though it has happened */
    RV_CHECK(rv_event_is_set(e));
    return 0;
}

static void cancelled_tasks_do_not_wait_but_can_set(void)
{
    struct rv_event e = RV_EVENT_INIT;
    RV_CHECK(rv_go(now_on.scope, wait_cancelled, &e) == 0);
    until_waiting(&e, 1);
    rv_scope_cancel(now_on.scope, -EIO);
    RV_CHECK(rv_scope_close(now_on.scope) == -EIO);
    open_stage();
    RV_CHECK(rv_event_wait(&e, RV_NEVER) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(init_and_zeroed_memory_are_the_same),
        cmocka_unit_test(it_stays_set_until_it_is_reset),
        ON_EVERY_STAGE(waiting_ends_at_the_deadline_and_not_before),
        ON_EVERY_STAGE(set_wakes_everybody),
        ON_EVERY_STAGE(a_reset_does_not_take_it_back_from_those_who_waited),
        ON_EVERY_STAGE(the_woken_may_free_the_event),
        ON_TASKS(cancelled_tasks_do_not_wait_but_can_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
