/* SPDX-License-Identifier: MIT */
/* test_latch.c - latches, on every stage of stage.h. */
#include <ravel/latch.h>

#include <errno.h>

#include "stage.h"

enum { PARTIES = 5, TURNS = 20 };

static int count_down(void *arg)
{
    rv_latch_count_down(arg, 1);
    return 0;
}

struct worker {
    struct rv_latch *l;
    _Atomic(int) *done;
};

static int work_and_count_down(void *arg)
{
    struct worker *worker = arg;
    rv_yield();
    rvi_fetch_add_relaxed(worker->done, 1);
    rv_latch_count_down(worker->l, 1);
    return 0;
}

static void zeroed_memory_is_an_open_latch(void **state)
{
    struct rv_latch zeroed = {{0}}, l;
    (void)state;
    memset(&l, 0xff, sizeof(l));
    rv_latch_init(&l, 0);
    assert_memory_equal(&l, &zeroed, sizeof(l));
    assert_int_equal(rv_latch_wait(&l, 0), 0);
    rv_latch_count_down(&l, 0);
    assert_int_equal(rv_latch_remaining(&l), 0);
}

static void waiting_ends_when_all_is_done(void)
{
    struct rv_latch l;
    _Atomic(int) done = 0;
    struct worker worker = {&l, &done};
    rv_latch_init(&l, PARTIES);
    for (int i = 0; i < PARTIES; i++)
        start(work_and_count_down, &worker);
    RV_CHECK(rv_latch_wait(&l, RV_NEVER) == 0);
    RV_CHECK(rvi_load_relaxed(&done) == PARTIES);
    finish();
}

static int wait_open(void *arg)
{
    RV_CHECK(rv_latch_wait(arg, RV_NEVER) == 0);
    RV_CHECK(rv_latch_remaining(arg) == 0);
    return 0;
}

static void all_who_wait_wake_at_nothing_and_not_before(void)
{
    struct rv_latch l;
    rv_latch_init(&l, 3);
    for (int i = 0; i < PARTIES; i++)
        start(wait_open, &l);
    until_waiting(&l, PARTIES);
    rv_latch_count_down(&l, 2);
    until_waiting(&l, PARTIES);
    RV_CHECK(rv_latch_remaining(&l) == 1);
    rv_latch_count_down(&l, 1);
    finish();
    RV_CHECK(rv_latch_wait(&l, 0) == 0);
}

static void waiting_ends_at_the_deadline_and_not_before(void)
{
    struct rv_latch l;
    rv_time deadline = rv_after(2 * RV_MILLISECOND);
    rv_latch_init(&l, 1);
    RV_CHECK(rv_latch_wait(&l, 0) == -ETIME);
    RV_CHECK(rv_latch_wait(&l, deadline) == -ETIME);
    RV_CHECK(rv_now() >= deadline);
    until_waiting(&l, 0);
}

/* Instead of freeing it, the waiter fills it: what the other still writes would show. */
static void the_woken_party_may_free_it(void)
{
    static struct rv_latch latches[TURNS];
    struct rv_latch filled;
    memset(&filled, 0xff, sizeof(filled));
    for (int i = 0; i < TURNS; i++) {
        rv_latch_init(&latches[i], 1);
        start(count_down, &latches[i]);
        if (i % 2 == 0)
            rv_yield();
        RV_CHECK(rv_latch_wait(&latches[i], RV_NEVER) == 0);
        memset(&latches[i], 0xff, sizeof(latches[i]));
    }
    finish();
    for (int i = 0; i < TURNS; i++)
        RV_CHECK(memcmp(&latches[i], &filled, sizeof(filled)) == 0);
}

static int wait_cancelled(void *arg)
{
    RV_CHECK(rv_latch_wait(arg, RV_NEVER) == -ECANCELED);
    rv_latch_count_down(arg, 1);
    RV_CHECK(rv_latch_wait(arg, RV_NEVER) == -ECANCELED); /* though it is open */
    return 0;
}

static void cancelled_tasks_do_not_wait_but_can_count_down(void)
{
    struct rv_latch l;
    rv_latch_init(&l, 1);
    RV_CHECK(rv_go(now_on.scope, wait_cancelled, &l) == 0);
    until_waiting(&l, 1);
    rv_scope_cancel(now_on.scope, -EIO);
    RV_CHECK(rv_scope_close(now_on.scope) == -EIO);
    open_stage();
    RV_CHECK(rv_latch_wait(&l, RV_NEVER) == 0);
}

static void count_too_far(void)
{
    struct rv_latch l;
    rv_latch_init(&l, 2);
    rv_latch_count_down(&l, 3);
}

static void counting_below_nothing_stops_the_program(void **state)
{
    (void)state;
    assert_panics(THREADS, count_too_far,
                  "rv_latch_count_down: counted down by 3 where 2 remained");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeroed_memory_is_an_open_latch),
        ON_EVERY_STAGE(waiting_ends_when_all_is_done),
        ON_EVERY_STAGE(all_who_wait_wake_at_nothing_and_not_before),
        ON_EVERY_STAGE(waiting_ends_at_the_deadline_and_not_before),
        ON_EVERY_STAGE(the_woken_party_may_free_it),
        ON_TASKS(cancelled_tasks_do_not_wait_but_can_count_down),
        cmocka_unit_test(counting_below_nothing_stops_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
