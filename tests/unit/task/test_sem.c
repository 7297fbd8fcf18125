/* SPDX-License-Identifier: MIT */
/* test_sem.c - semaphores, on every stage of stage.h. */
#include <ravel/sync.h>

#include <errno.h>

#include "stage.h"

enum { LINE = 5, PARTIES = 6, UNITS = 2, ROUNDS = 100 };

static const uint64_t most = (uint64_t)1 << 63;

static void wait_for(struct rv_sem *s)
{
    RV_CHECK(rv_sem_wait(s, RV_NEVER) == 0);
}

struct taker {
    struct rv_sem *s;
    _Atomic(int) served;
};

static int take_one(void *arg)
{
    struct taker *taker = arg;
    wait_for(taker->s);
    rvi_store_release(&taker->served, 1); /* pairs: taker-served */
    return 0;
}

static void line_up(struct rv_sem *s, struct taker *takers)
{
    for (int i = 0; i < LINE; i++) {
        takers[i].s = s;
        rvi_store_relaxed(&takers[i].served, 0);
        start(take_one, &takers[i]);
        until_waiting(s, (size_t)i + 1);
    }
}

static int count_served(struct taker *takers)
{
    int count = 0;
    for (int i = 0; i < LINE; i++)
        count += rvi_load_acquire(&takers[i].served); /* pairs: taker-served */
    return count;
}

static void init_with_zero_and_zeroed_memory_are_the_same(void **state)
{
    static const struct rv_sem fresh = RV_SEM_INIT;
    struct rv_sem s;
    (void)state;
    memset(&s, 0xff, sizeof(s));
    rv_sem_init(&s, 0);
    assert_memory_equal(&s, &fresh, sizeof(s));
    assert_int_equal(rv_sem_try_wait(&s), -EAGAIN);
}

static void units_are_counted(void **state)
{
    struct rv_sem s;
    (void)state;
    rv_sem_init(&s, 2);
    rv_sem_post(&s, 0);
    rv_sem_post(&s, 3);
    for (int i = 0; i < 5; i++)
        assert_int_equal(i % 2 ? rv_sem_try_wait(&s) : rv_sem_wait(&s, 0), 0);
    assert_int_equal(rv_sem_try_wait(&s), -EAGAIN);
    rv_sem_init(&s, most);
    assert_int_equal(rv_sem_try_wait(&s), 0);
    rv_sem_post(&s, 1);
}

static void waiting_ends_at_the_deadline_and_not_before(void)
{
    struct rv_sem s = RV_SEM_INIT;
    rv_time deadline = rv_after(2 * RV_MILLISECOND);
    RV_CHECK(rv_sem_wait(&s, 0) == -ETIME);
    RV_CHECK(rv_sem_wait(&s, deadline) == -ETIME);
    RV_CHECK(rv_now() >= deadline);
    rv_sem_post(&s, 1);
    RV_CHECK(rv_sem_try_wait(&s) == 0); /* nobody was left in line to take it */
}

static void posted_units_go_to_the_line_in_order(void)
{
    struct rv_sem s = RV_SEM_INIT;
    struct taker takers[LINE];
    line_up(&s, takers);
    for (int i = 0; i < LINE; i++) {
        rv_sem_post(&s, 1);
        RV_CHECK(rv_sem_try_wait(&s) == -EAGAIN);    /* it was not for us */
        while (!rvi_load_acquire(&takers[i].served)) /* pairs: taker-served */
            rv_yield();
        RV_CHECK(count_served(takers) == i + 1);
    }
    finish();
}

static void one_post_serves_many_and_keeps_the_rest(void)
{
    struct rv_sem s = RV_SEM_INIT;
    struct taker takers[LINE];
    line_up(&s, takers);
    rv_sem_post(&s, 2);
    until_waiting(&s, LINE - 2);
    rv_sem_post(&s, LINE);
    finish();
    RV_CHECK(count_served(takers) == LINE);
    RV_CHECK(rv_sem_try_wait(&s) == 0);
    RV_CHECK(rv_sem_try_wait(&s) == 0);
    RV_CHECK(rv_sem_try_wait(&s) == -EAGAIN);
}

struct pool {
    struct rv_sem s;
    _Atomic(int) inside;
};

static int go_in_and_out(void *arg)
{
    struct pool *pool = arg;
    for (int i = 0; i < ROUNDS; i++) {
        wait_for(&pool->s);
        RV_CHECK(rvi_fetch_add_relaxed(&pool->inside, 1) < UNITS);
        if (i % 8 == 0)
            rv_yield();
        RV_CHECK(rvi_fetch_sub_relaxed(&pool->inside, 1) <= UNITS);
        rv_sem_post(&pool->s, 1);
    }
    return 0;
}

static void no_more_than_its_units_are_inside(void)
{
    struct pool pool = {RV_SEM_INIT, 0};
    rv_sem_post(&pool.s, UNITS);
    for (int i = 0; i < PARTIES; i++)
        start(go_in_and_out, &pool);
    finish();
    for (int i = 0; i < UNITS; i++)
        RV_CHECK(rv_sem_try_wait(&pool.s) == 0);
    RV_CHECK(rv_sem_try_wait(&pool.s) == -EAGAIN);
}

/* --- cancellation --- */

static int wait_cancelled(void *arg)
{
    struct rv_sem *s = arg;
    RV_CHECK(rv_sem_wait(s, RV_NEVER) == -ECANCELED);
    rv_sem_post(s, 1);
    RV_CHECK(rv_sem_wait(s, RV_NEVER) == -ECANCELED); /* though there is one */
    return 0;
}

static void cancelled_tasks_take_nothing_but_can_give(void)
{
    struct rv_sem s = RV_SEM_INIT;
    RV_CHECK(rv_go(now_on.scope, wait_cancelled, &s) == 0);
    until_waiting(&s, 1);
    rv_scope_cancel(now_on.scope, -EIO);
    RV_CHECK(rv_scope_close(now_on.scope) == -EIO);
    open_stage();
    RV_CHECK(rv_sem_try_wait(&s) == 0);
    RV_CHECK(rv_sem_try_wait(&s) == -EAGAIN);
}

/* --- misuse --- */

static void init_with_too_many(void)
{
    struct rv_sem s;
    rv_sem_init(&s, most + 1);
}

static void post_too_many(void)
{
    struct rv_sem s;
    rv_sem_init(&s, most);
    rv_sem_post(&s, 1);
}

static void too_many_units_stop_the_program(void **state)
{
    (void)state;
    assert_panics(THREADS, init_with_too_many, "rv_sem_init: a semaphore cannot hold more");
    assert_panics(THREADS, post_too_many, "rv_sem_post: a semaphore cannot hold more");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(init_with_zero_and_zeroed_memory_are_the_same),
        cmocka_unit_test(units_are_counted),
        ON_EVERY_STAGE(waiting_ends_at_the_deadline_and_not_before),
        ON_EVERY_STAGE(posted_units_go_to_the_line_in_order),
        ON_EVERY_STAGE(one_post_serves_many_and_keeps_the_rest),
        ON_EVERY_STAGE(no_more_than_its_units_are_inside),
        ON_TASKS(cancelled_tasks_take_nothing_but_can_give),
        cmocka_unit_test(too_many_units_stop_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
