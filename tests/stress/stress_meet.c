/* SPDX-License-Identifier: MIT */
/* stress_meet.c - barriers, latches, onces and tickers, where parties meet for a moment: with
 * deadlines that pass, failures, and objects that are gone as soon as the last has been there. */
#include <ravel/barrier.h>
#include <ravel/latch.h>
#include <ravel/once.h>
#include <ravel/ticker.h>

#include <errno.h>

#include "parties.h"

enum { PARTIES = 5, BATCH = 20 };

/* --- barrier --- */

struct rounds {
    struct rv_barrier b;
    size_t count;
    _Atomic(size_t) arrived; /* in all rounds */
    _Atomic(size_t) last;    /* how often somebody was */
};

static int go_rounds(void *arg)
{
    struct rounds *rounds = arg;
    struct rvi_rng rng;
    seed_next(&rng);
    for (size_t i = 0; i < rounds->count; i++) {
        int r;
        rvi_fetch_add_relaxed(&rounds->arrived, 1);
        while ((r = rv_barrier_wait(&rounds->b, some_deadline(&rng))) == -ETIME)
            pause_sometimes(&rng);
        RV_CHECK(r == 0 || r == 1);
        rvi_fetch_add_relaxed(&rounds->last, (size_t)r);
        size_t arrived = rvi_load_relaxed(&rounds->arrived);
        RV_CHECK(arrived >= (i + 1) * PARTIES && arrived < (i + 2) * PARTIES);
        pause_sometimes(&rng);
    }
    return 0;
}

static void rounds_do_not_mix_whoever_gives_up_and_comes_back(void)
{
    struct rounds rounds = {.count = scaled(1000)};
    rv_barrier_init(&rounds.b, PARTIES);
    for (int i = 0; i < PARTIES; i++)
        start(go_rounds, &rounds);
    finish();
    RV_CHECK(rvi_load_relaxed(&rounds.last) == rounds.count);
}

/* --- latch --- */

static int count_down(void *arg)
{
    rv_latch_count_down(arg, 1);
    return 0;
}

/* Instead of freeing it, the waiter fills it: what the others still write would show. */
static void wait_and_fill(struct rv_latch *l, struct rvi_rng *rng)
{
    int err;
    do
        err = rv_latch_wait(l, some_deadline(rng));
    while (err == -ETIME);
    RV_CHECK(err == 0);
    memset(l, 0xff, sizeof(*l));
}

static void the_latch_is_the_waiters_once_it_is_open(void)
{
    static struct rv_latch latches[BATCH];
    struct rv_latch filled;
    struct rvi_rng rng;
    seed_next(&rng);
    memset(&filled, 0xff, sizeof(filled));
    for (size_t round = scaled(40); round > 0; round--) {
        for (int i = 0; i < BATCH; i++) {
            rv_latch_init(&latches[i], 2);
            start(count_down, &latches[i]);
            start(count_down, &latches[i]);
            wait_and_fill(&latches[i], &rng);
        }
        finish();
        for (int i = 0; i < BATCH; i++)
            RV_CHECK(memcmp(&latches[i], &filled, sizeof(filled)) == 0);
    }
}

/* --- once --- */

struct attempt {
    struct rv_once once;
    _Atomic(int) at_it; /* runners */
    int failures_left;
    int successes;
};

static int do_at_last(void *arg)
{
    struct attempt *attempt = arg;
    RV_CHECK(rvi_fetch_add_relaxed(&attempt->at_it, 1) == 0);
    rv_yield();
    int r = attempt->failures_left > 0 ? -EIO : 0;
    if (r < 0)
        attempt->failures_left--;
    else
        attempt->successes++;
    rvi_fetch_sub_relaxed(&attempt->at_it, 1);
    return r;
}

static int want_it_done(void *arg)
{
    struct attempt *attempt = arg;
    struct rvi_rng rng;
    int r;
    seed_next(&rng);
    while ((r = rv_once_do(&attempt->once, do_at_last, attempt, some_deadline(&rng))) < 0) {
        RV_CHECK(r == -EIO || r == -ETIME);
        pause_sometimes(&rng);
    }
    RV_CHECK(attempt->successes == 1 && attempt->failures_left == 0);
    return 0;
}

static void it_is_done_once_after_some_failures(void)
{
    for (size_t round = scaled(200); round > 0; round--) {
        struct attempt attempt = {.once = RV_ONCE_INIT, .failures_left = (int)(round % 4)};
        for (int i = 0; i < PARTIES; i++)
            start(want_it_done, &attempt);
        finish();
        RV_CHECK(attempt.successes == 1);
    }
}

/* --- ticker --- */

struct beat {
    struct rv_ticker t;
    rv_time first, period;
    _Atomic(rv_time) told;
};

static int take_ticks(void *arg)
{
    struct beat *beat = arg;
    struct rvi_rng rng;
    int r;
    seed_next(&rng);
    while ((r = rv_ticker_wait(&beat->t, some_deadline(&rng))) != -EPIPE) {
        RV_CHECK(r > 0 || r == -ETIME);
        if (r > 0)
            rvi_fetch_add_relaxed(&beat->told, r);
        rv_time told = rvi_load_relaxed(&beat->told);
        RV_CHECK(told == 0 || rv_now() >= beat->first + (told - 1) * beat->period);
        pause_sometimes(&rng);
    }
    return 0;
}

/* Neither before their time, nor twice; and together none is missing. */
static void all_ticks_are_told(void)
{
    for (size_t round = scaled(40); round > 0; round--) {
        struct beat beat = {.first = rv_now(), .period = 20 * RV_MICROSECOND};
        rv_time until = rv_after(RV_MILLISECOND);
        RV_CHECK(rv_ticker_init(&beat.t, beat.first, beat.period) == 0);
        for (int i = 0; i < PARTIES; i++)
            start(take_ticks, &beat);
        while (rvi_load_relaxed(&beat.told) * beat.period < until - beat.first)
            rv_yield();
        rv_ticker_stop(&beat.t);
        finish();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_STAGE(rounds_do_not_mix_whoever_gives_up_and_comes_back),
        ON_EVERY_STAGE(the_latch_is_the_waiters_once_it_is_open),
        ON_EVERY_STAGE(it_is_done_once_after_some_failures),
        ON_EVERY_STAGE(all_ticks_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
