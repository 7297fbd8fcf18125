/* SPDX-License-Identifier: MIT */
/* stress_timers.c - thousands of sleepers, some of them cancelled, some woken at the very moment of
 * their deadline: nobody wakes early, nobody sleeps for ever, and what is said of the end is
 * true. */
#include <errno.h>

#include "stress.h"

enum { MOST = 4 };

struct crowd {
    size_t count;
    rv_time longest;
    _Atomic(uint64_t) seed;
    _Atomic(size_t) ended;
};

static void seed_of(struct crowd *crowd, struct rvi_rng *rng)
{
    rvi_rng_seed(rng, rvi_fetch_add_relaxed(&crowd->seed, 1));
}

static int sleep_a_few_times(void *arg)
{
    struct crowd *crowd = arg;
    struct rvi_rng rng;
    seed_of(crowd, &rng);
    for (int i = 0; i < 4; i++) {
        rv_time when = rv_now() + (rv_time)rvi_rng_below(&rng, (uint64_t)crowd->longest);
        RV_CHECK(rv_sleep_until(when) == 0);
        RV_CHECK(rv_now() >= when);
    }
    rvi_fetch_add_relaxed(&crowd->ended, 1);
    return 0;
}

static int let_all_sleep(void *arg)
{
    struct crowd *crowd = arg;
    int err;
    RV_SCOPE(s, err) {
        for (size_t i = 0; i < crowd->count; i++)
            RV_CHECK(rv_go(s, sleep_a_few_times, crowd) == 0);
    }
    RV_CHECK(err == 0 && crowd->ended == crowd->count);
    return 0;
}

static void thousands_of_sleepers_all_wake_and_none_early(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= MOST; workers *= 2) {
        struct crowd crowd = {.count = fibers(scaled(20000, 100)), .longest = 20 * RV_MILLISECOND};
        run_on(workers, let_all_sleep, &crowd);
    }
}

/* --- cancelled --- */

static int sleep_until_cancelled(void *arg)
{
    struct crowd *crowd = arg;
    struct rvi_rng rng;
    seed_of(crowd, &rng);
    for (;;) {
        rv_time when = rv_now() + (rv_time)rvi_rng_below(&rng, (uint64_t)crowd->longest);
        int r = rv_sleep_until(rvi_rng_below(&rng, 8) ? when : RV_NEVER);
        RV_CHECK(r == 0 ? rv_now() >= when : r == -ECANCELED && rv_cancelled() != 0);
        if (r < 0)
            break;
        rv_yield();
    }
    rvi_fetch_add_relaxed(&crowd->ended, 1);
    return 0;
}

static int cancel_sleepers(void *arg)
{
    struct crowd *crowd = arg;
    struct rvi_rng rng;
    int err;
    rvi_rng_seed(&rng, 1);
    for (size_t i = 0; i < scaled(100, 5); i++) {
        rv_time deadline = rv_now() + (rv_time)rvi_rng_below(&rng, (uint64_t)crowd->longest * 2);
        crowd->ended = 0;
        RV_SCOPE(s, err, .deadline = i % 2 ? deadline : 0) {
            for (size_t k = 0; k < crowd->count; k++) {
                int r = rv_go(s, sleep_until_cancelled, crowd);
                RV_CHECK(r == 0 || r == -ECANCELED);
                if (r < 0)
                    rvi_fetch_add_relaxed(&crowd->ended, 1);
            }
            if (i % 2 == 0) {
                RV_CHECK(rv_sleep_until(deadline) == 0);
                rv_scope_cancel(s, -EINTR);
            }
        }
        RV_CHECK(err == (i % 2 ? -ETIME : -EINTR));
        RV_CHECK(crowd->ended == crowd->count);
    }
    return 0;
}

static void sleepers_are_cancelled_at_any_moment(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= MOST; workers *= 2) {
        struct crowd crowd = {.count = 100, .longest = RV_MILLISECOND};
        run_on(workers, cancel_sleepers, &crowd);
    }
}

/* --- deadlines and wakes at one time --- */

struct duel {
    struct rv_sem sem;
    size_t turns;
    uint64_t posted, taken, late;
    _Atomic(bool) is_over;
};

static int take_in_time(void *arg)
{
    struct duel *duel = arg;
    struct rvi_rng rng;
    rvi_rng_seed(&rng, 1);
    for (size_t i = 0; i < duel->turns; i++) {
        rv_time deadline = rv_now() + (rv_time)rvi_rng_below(&rng, 20000);
        int r = rv_sem_wait(&duel->sem, deadline);
        RV_CHECK(r == 0 || (r == -ETIME && rv_now() >= deadline));
        duel->taken += r == 0;
        duel->late += r != 0;
    }
    rvi_store_release(&duel->is_over, true); /* pairs: stress-duel */
    return 0;
}

static void *post_at_random(void *arg)
{
    struct duel *duel = arg;
    struct rvi_rng rng;
    rvi_rng_seed(&rng, 2);
    while (!rvi_load_acquire(&duel->is_over)) { /* pairs: stress-duel */
        dawdle(&rng, 20000);
        rv_sem_post(&duel->sem, 1);
        duel->posted++;
    }
    return NULL;
}

static void a_wake_at_the_deadline_is_counted_once(void **state)
{
    (void)state;
    struct duel duel = {.turns = scaled(20000, 200)};
    pthread_t thread;
    uint64_t left = 0;
    rv_sem_init(&duel.sem, 0);
    assert_int_equal(pthread_create(&thread, NULL, post_at_random, &duel), 0);
    run_on(1, take_in_time, &duel);
    pthread_join(thread, NULL);
    while (rv_sem_try_wait(&duel.sem) == 0)
        left++;
    assert_int_equal(duel.taken + left, duel.posted);
    assert_int_equal(duel.taken + duel.late, duel.turns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thousands_of_sleepers_all_wake_and_none_early),
        cmocka_unit_test(sleepers_are_cancelled_at_any_moment),
        cmocka_unit_test(a_wake_at_the_deadline_is_counted_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
