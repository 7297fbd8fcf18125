/* SPDX-License-Identifier: MIT */
/* test_queue.c - queues of work, on every stage of stage.h. */
#include <ravel/queue.h>

#include <errno.h>

#include "queue_test.h"

#include "base/alloc.h"
#include "task/chan.h"

/* How a queue begins: see queue.c. */
struct inside {
    struct rv_chan chan;
    struct rvi_waitlist joiners;
};

static void until_joiners(rv_queue *q, size_t count)
{
    struct inside *inside = (struct inside *)q;
    until_in_line(&inside->chan.lock, &inside->joiners, count);
}

static void until_getters(rv_queue *q, size_t count)
{
    struct inside *inside = (struct inside *)q;
    until_in_line(&inside->chan.lock, &inside->chan.receivers, count);
}

static void until_putters(rv_queue *q, size_t count)
{
    struct inside *inside = (struct inside *)q;
    until_in_line(&inside->chan.lock, &inside->chan.senders, count);
}

static rv_queue *new_int_queue(size_t capacity)
{
    rv_queue *q = NULL;
    RV_CHECK(rv_queue_new(&q, sizeof(int), capacity) == 0);
    return q;
}

/* --- without waiting --- */

static void new_refuses_what_makes_no_sense(void **state)
{
    (void)state;
    check_new_refuses_what_makes_no_sense(rv_queue_new);
}

static void new_without_memory_leaves_nothing_behind(void **state)
{
    rv_queue *q = NULL;
    long live = rvi_alloc_live();
    (void)state;
    rvi_alloc_fail_after(1);
    assert_int_equal(rv_queue_new(&q, 8, 8), -ENOMEM);
    assert_false(rvi_alloc_fail_pending());
    assert_null(q);
    assert_int_equal(rvi_alloc_live(), live);
}

static void free_takes_null_and_returns_null(void **state)
{
    long live = rvi_alloc_live();
    (void)state;
    assert_null(rv_queue_free(NULL));
    rv_queue *q = new_int_queue(3);
    put_int(q, 1);
    assert_null(rv_queue_free(q));
    assert_int_equal(rvi_alloc_live(), live);
}

static void items_are_unfinished_until_done(void **state)
{
    rv_queue *q = new_int_queue(2);
    int item = 3;
    (void)state;
    assert_true(stats_are(q, 0, 0));
    assert_int_equal(rv_queue_join(q, RV_NEVER), 0);
    put_int(q, 1);
    put_int(q, 2);
    assert_int_equal(rv_queue_try_put(q, &item), -EAGAIN);
    assert_int_equal(rv_queue_put(q, &item, 0), -ETIME);
    assert_true(stats_are(q, 2, 2));
    assert_int_equal(get_int(q), 1);
    assert_int_equal(rv_queue_try_get(q, &item), 0);
    assert_int_equal(item, 2);
    assert_int_equal(rv_queue_try_get(q, &item), -EAGAIN);
    assert_int_equal(rv_queue_get(q, &item, 0), -ETIME);
    assert_true(stats_are(q, 0, 2));
    assert_int_equal(rv_queue_join(q, 0), -ETIME);
    assert_int_equal(rv_queue_done(q), 0);
    assert_true(stats_are(q, 0, 1));
    assert_int_equal(rv_queue_done(q), 0);
    assert_int_equal(rv_queue_join(q, 0), 0);
    rv_queue_free(q);
}

static void done_is_refused_when_nothing_is_unfinished(void **state)
{
    rv_queue *q = new_int_queue(2);
    (void)state;
    assert_int_equal(rv_queue_done(q), -EINVAL);
    put_int(q, 1);
    assert_int_equal(rv_queue_done(q), 0);
    assert_int_equal(rv_queue_done(q), -EINVAL);
    assert_true(stats_are(q, 1, 0));
    rv_queue_free(q);
}

static void closed_queue_gives_what_it_has_and_can_be_joined(void **state)
{
    rv_queue *q = new_int_queue(2);
    int item = 7;
    (void)state;
    put_int(q, 1);
    rv_queue_close(q);
    rv_queue_close(q);
    assert_int_equal(rv_queue_put(q, &item, RV_NEVER), -EPIPE);
    assert_int_equal(rv_queue_try_put(q, &item), -EPIPE);
    assert_int_equal(rv_queue_join(q, 0), -ETIME);
    assert_int_equal(get_int(q), 1);
    assert_int_equal(rv_queue_get(q, &item, RV_NEVER), -EPIPE);
    assert_int_equal(rv_queue_try_get(q, &item), -EPIPE);
    assert_int_equal(item, 7);
    assert_int_equal(rv_queue_done(q), 0);
    assert_int_equal(rv_queue_join(q, RV_NEVER), 0);
    rv_queue_free(q);
}

/* --- together --- */

static void the_last_done_wakes_all_joiners(void)
{
    rv_queue *q = new_int_queue(2);
    put_int(q, 1);
    put_int(q, 2);
    for (size_t i = 0; i < LINE; i++) {
        start(join, q);
        until_joiners(q, i + 1);
    }
    RV_CHECK(rv_queue_done(q) == 0);
    put_int(q, get_int(q));
    until_joiners(q, LINE);
    RV_CHECK(rv_queue_done(q) == 0);
    until_joiners(q, LINE);
    RV_CHECK(rv_queue_done(q) == 0);
    finish();
    rv_queue_free(q);
}

static void joining_gives_up_at_its_deadline_and_not_before(void)
{
    check_joining_gives_up_at_its_deadline(new_int_queue(1));
}

static void a_put_that_waits_for_room_is_not_counted_yet(void)
{
    rv_queue *q = new_int_queue(1);
    put_int(q, 1);
    start(put_two, q);
    until_putters(q, 1);
    RV_CHECK(stats_are(q, 1, 1));
    RV_CHECK(get_int(q) == 1);
    RV_CHECK(stats_are(q, 1, 2));
    RV_CHECK(get_int(q) == 2);
    finish();
    RV_CHECK(rv_queue_done(q) == 0 && rv_queue_done(q) == 0 && rv_queue_done(q) == -EINVAL);
    rv_queue_free(q);
}

static void join_means_that_all_is_done(void)
{
    rv_queue *q = new_int_queue(3);
    for (size_t i = 0; i < LINE; i++)
        start(serve_until_closed, q);
    for (int i = 0; i < ITEMS; i++) {
        put_int(q, i);
        if (i % 10 == 0) {
            RV_CHECK(rv_queue_join(q, RV_NEVER) == 0);
            RV_CHECK(stats_are(q, 0, 0));
        }
    }
    RV_CHECK(rv_queue_join(q, RV_NEVER) == 0);
    RV_CHECK(stats_are(q, 0, 0));
    until_getters(q, LINE);
    rv_queue_close(q);
    finish();
    rv_queue_free(q);
}

static int join_cancelled(void *arg)
{
    int err = rv_queue_join(arg, RV_NEVER);
    RV_CHECK(err == -ECANCELED);
    RV_CHECK(rv_queue_done(arg) == 0);
    RV_CHECK(rv_queue_join(arg, RV_NEVER) == -ECANCELED); /* though nothing is unfinished */
    rv_queue_close(arg);
    return err;
}

static void daemons_are_cancelled_once_joined(void)
{
    check_daemons_are_cancelled_once_joined(new_int_queue(2));
}

static void a_cancelled_task_stops_joining_but_can_say_done(void)
{
    rv_queue *q = new_int_queue(2);
    put_int(q, 1);
    RV_CHECK(rv_go(now_on.scope, join_cancelled, q) == 0);
    until_joiners(q, 1);
    rv_scope_cancel(now_on.scope, -ECANCELED);
    RV_CHECK(rv_scope_close(now_on.scope) == -ECANCELED);
    open_stage();
    RV_CHECK(stats_are(q, 1, 0));
    rv_queue_free(q);
}

/* --- misuse --- */

static void free_with_a_joiner(void)
{
    rv_queue *q = new_int_queue(1);
    put_int(q, 1);
    start(join, q);
    until_joiners(q, 1);
    rv_queue_free(q);
}

static void free_with_a_getter(void)
{
    rv_queue *q = new_int_queue(1);
    start(serve_until_closed, q);
    until_getters(q, 1);
    rv_queue_free(q);
}

static void free_while_somebody_waits_stops_the_program(void **state)
{
    (void)state;
    assert_panics(THREADS, free_with_a_joiner, "rv_queue_free: somebody still waits in");
    assert_panics(ONE_WORKER, free_with_a_joiner, "rv_queue_free: somebody still waits in");
    assert_panics(ONE_WORKER, free_with_a_getter, "rv_queue_free: somebody still waits on it");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_refuses_what_makes_no_sense),
        cmocka_unit_test(new_without_memory_leaves_nothing_behind),
        cmocka_unit_test(free_takes_null_and_returns_null),
        cmocka_unit_test(items_are_unfinished_until_done),
        cmocka_unit_test(done_is_refused_when_nothing_is_unfinished),
        cmocka_unit_test(closed_queue_gives_what_it_has_and_can_be_joined),
        ON_EVERY_STAGE(the_last_done_wakes_all_joiners),
        ON_EVERY_STAGE(joining_gives_up_at_its_deadline_and_not_before),
        ON_EVERY_STAGE(a_put_that_waits_for_room_is_not_counted_yet),
        ON_EVERY_STAGE(join_means_that_all_is_done),
        ON_TASKS(daemons_are_cancelled_once_joined),
        ON_TASKS(a_cancelled_task_stops_joining_but_can_say_done),
        cmocka_unit_test(free_while_somebody_waits_stops_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
