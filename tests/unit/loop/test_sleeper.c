/* SPDX-License-Identifier: MIT */
/* test_sleeper.c - a sleep ends by its deadline or by exactly one waker, and no wake is lost. */
#include "loop/sleeper.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "../sys/sys_test.h"
#include "sys/clock.h"

static void a_past_deadline_ends_the_sleep_at_once(void **state)
{
    (void)state;
    const rv_time past[] = {INT64_MIN, -1, 0, 1, rvi_clock_now()};
    struct rvi_sleeper sleeper;
    rvi_sleeper_init(&sleeper);
    for (size_t i = 0; i < sizeof(past) / sizeof(past[0]); i++) {
        rvi_sleeper_prepare(&sleeper, RVI_SLEEPER_ASLEEP);
        assert_int_equal(rvi_sleeper_sleep(&sleeper, past[i]), RVI_SLEEPER_AWAKE);
        assert_false(rvi_sleeper_looks_asleep(&sleeper));
    }
}

static void a_sleep_does_not_end_before_its_deadline(void **state)
{
    (void)state;
    struct rvi_sleeper sleeper;
    rv_time deadline = rvi_clock_now() + 3 * RV_MILLISECOND;
    rvi_sleeper_init(&sleeper);
    rvi_sleeper_prepare(&sleeper, RVI_SLEEPER_ASLEEP);
    assert_int_equal(rvi_sleeper_sleep(&sleeper, deadline), RVI_SLEEPER_AWAKE);
    assert_true(rvi_clock_now() >= deadline);
}

static void waking_somebody_awake_does_nothing(void **state)
{
    (void)state;
    struct rvi_sleeper sleeper;
    rvi_sleeper_init(&sleeper);
    assert_false(rvi_sleeper_wake(&sleeper, RVI_SLEEPER_CALLED));
    rvi_sleeper_prepare(&sleeper, RVI_SLEEPER_ASLEEP);
    assert_int_equal(rvi_sleeper_cancel(&sleeper), RVI_SLEEPER_AWAKE);
    assert_false(rvi_sleeper_wake(&sleeper, RVI_SLEEPER_CALLED));
}

static void a_wake_that_comes_early_ends_the_sleep_at_once(void **state)
{
    (void)state;
    struct rvi_sleeper sleeper;
    rvi_sleeper_init(&sleeper);
    rvi_sleeper_prepare(&sleeper, RVI_SLEEPER_ASLEEP);
    assert_true(rvi_sleeper_wake(&sleeper, RVI_SLEEPER_ENLISTED));
    assert_int_equal(rvi_sleeper_sleep(&sleeper, RV_NEVER), RVI_SLEEPER_ENLISTED);
}

static void taking_sleep_back_tells_of_a_faster_waker(void **state)
{
    (void)state;
    struct rvi_sleeper sleeper;
    rvi_sleeper_init(&sleeper);
    rvi_sleeper_prepare(&sleeper, RVI_SLEEPER_ASLEEP);
    assert_true(rvi_sleeper_wake(&sleeper, RVI_SLEEPER_CALLED));
    assert_int_equal(rvi_sleeper_cancel(&sleeper), RVI_SLEEPER_CALLED);
    assert_false(rvi_sleeper_looks_asleep(&sleeper));
}

static void one_waker_wins_a_sleep(void **state)
{
    (void)state;
    struct rvi_sleeper sleeper;
    rvi_sleeper_init(&sleeper);
    rvi_sleeper_prepare(&sleeper, RVI_SLEEPER_ASLEEP);
    assert_true(rvi_sleeper_wake(&sleeper, RVI_SLEEPER_CALLED));
    assert_false(rvi_sleeper_wake(&sleeper, RVI_SLEEPER_ENLISTED));
    assert_int_equal(rvi_sleeper_sleep(&sleeper, RV_NEVER), RVI_SLEEPER_CALLED);
}

/* --- with several threads --- */

enum { WAKERS = 3 };

struct dormitory {
    struct rvi_sleeper sleeper;
    _Atomic(bool) is_over;
    _Atomic(size_t) wins[2]; /* by reason: CALLED, ENLISTED */
};

static void *wake_all_the_time(void *arg)
{
    struct dormitory *d = arg;
    for (unsigned i = 0; !rvi_load_relaxed(&d->is_over); i++) {
        enum rvi_sleeper_state reason = i % 2 ? RVI_SLEEPER_CALLED : RVI_SLEEPER_ENLISTED;
        if (rvi_sleeper_wake(&d->sleeper, reason))
            rvi_fetch_add_relaxed(&d->wins[i % 2 == 0], 1);
        else
            sched_yield();
    }
    return NULL;
}

static void the_reasons_of_sleeper_and_wakers_add_up(void **state)
{
    (void)state;
    struct dormitory d = {.is_over = false};
    pthread_t wakers[WAKERS];
    size_t rounds = is_under_a_tool() ? 300 : 10000, woken[2] = {0};

    rvi_sleeper_init(&d.sleeper);
    for (size_t i = 0; i < WAKERS; i++)
        assert_int_equal(pthread_create(&wakers[i], NULL, wake_all_the_time, &d), 0);
    for (size_t i = 0; i < rounds; i++) {
        rvi_sleeper_prepare(&d.sleeper, RVI_SLEEPER_ASLEEP);
        enum rvi_sleeper_state reason =
            i % 4 == 0 ? rvi_sleeper_cancel(&d.sleeper)
                       : rvi_sleeper_sleep(&d.sleeper, i % 4 == 1 ? 0 : RV_NEVER);
        if (reason != RVI_SLEEPER_AWAKE)
            woken[reason == RVI_SLEEPER_ENLISTED]++;
        else
            assert_true(i % 4 < 2);
    }
    rvi_store_relaxed(&d.is_over, true);
    for (size_t i = 0; i < WAKERS; i++)
        pthread_join(wakers[i], NULL);
    assert_int_equal(woken[0], rvi_load_relaxed(&d.wins[0]));
    assert_int_equal(woken[1], rvi_load_relaxed(&d.wins[1]));
}

struct table {
    struct rvi_sleeper sleepers[2];
    _Atomic(size_t) ball; /* whose turn: even the first player's */
    size_t rounds;
};

static void wait_for_ball(struct table *table, size_t turn)
{
    struct rvi_sleeper *self = &table->sleepers[turn % 2];
    while (rvi_load_seq_cst(&table->ball) != turn) { /* pairs: test-ball */
        rvi_sleeper_prepare(self, RVI_SLEEPER_ASLEEP);
        if (rvi_load_seq_cst(&table->ball) == turn) /* pairs: test-ball */
            rvi_sleeper_cancel(self);
        else
            rvi_sleeper_sleep(self, RV_NEVER);
    }
}

static void play(struct table *table, size_t turn)
{
    for (; turn < table->rounds; turn += 2) {
        wait_for_ball(table, turn);
        rvi_store_seq_cst(&table->ball, turn + 1); /* pairs: test-ball */
        rvi_sleeper_wake(&table->sleepers[(turn + 1) % 2], RVI_SLEEPER_CALLED);
    }
}

static void *second_player(void *table)
{
    play(table, 1);
    return NULL;
}

static void every_wake_of_thousands_arrives(void **state)
{
    (void)state;
    struct table table = {.rounds = is_under_a_tool() ? 2000 : 40000};
    pthread_t thread;
    rvi_sleeper_init(&table.sleepers[0]);
    rvi_sleeper_init(&table.sleepers[1]);
    assert_int_equal(pthread_create(&thread, NULL, second_player, &table), 0);
    play(&table, 0);
    pthread_join(thread, NULL);
    assert_int_equal(table.ball, table.rounds);
}

static void ignore(int number)
{
    (void)number;
}

static void *pester(void *arg)
{
    pthread_t sleeper = *(pthread_t *)arg;
    for (int i = 0; i < 20; i++) {
        pthread_kill(sleeper, SIGUSR1);
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
    return NULL;
}

static void a_signal_does_not_end_the_sleep(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = ignore}, old;
    struct rvi_sleeper sleeper;
    pthread_t self = pthread_self(), thread;
    rv_time deadline = rvi_clock_now() + 5 * RV_MILLISECOND;

    assert_int_equal(sigaction(SIGUSR1, &action, &old), 0);
    rvi_sleeper_init(&sleeper);
    rvi_sleeper_prepare(&sleeper, RVI_SLEEPER_ASLEEP);
    assert_int_equal(pthread_create(&thread, NULL, pester, &self), 0);
    assert_int_equal(rvi_sleeper_sleep(&sleeper, deadline), RVI_SLEEPER_AWAKE);
    assert_true(rvi_clock_now() >= deadline);
    pthread_join(thread, NULL);
    sigaction(SIGUSR1, &old, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_past_deadline_ends_the_sleep_at_once),
        cmocka_unit_test(a_sleep_does_not_end_before_its_deadline),
        cmocka_unit_test(waking_somebody_awake_does_nothing),
        cmocka_unit_test(a_wake_that_comes_early_ends_the_sleep_at_once),
        cmocka_unit_test(taking_sleep_back_tells_of_a_faster_waker),
        cmocka_unit_test(one_waker_wins_a_sleep),
        cmocka_unit_test(the_reasons_of_sleeper_and_wakers_add_up),
        cmocka_unit_test(every_wake_of_thousands_arrives),
        cmocka_unit_test(a_signal_does_not_end_the_sleep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
