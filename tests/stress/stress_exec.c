/* SPDX-License-Identifier: MIT */
/* stress_exec.c - tasks and threads hand over, wait, cancel, map and close at one time.
 *
 * A round opens an executor and lets customers loose on it: some are tasks, some are plain threads.
 * Each makes random steps; every future that it gets must end, with an outcome that its job can
 * have had. At the end of a round the books must balance: what was handed over has ended, and as
 * many jobs ran to their end as futures say so. Some rounds are cut short: by a time limit for
 * jobs, by a deadline on the scope around everything, by closing with cancellation.
 *
 * RAVEL_TEST_SCALE (percent, default 100) sets the number of rounds. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ravel.h>

#include "base/alloc.h"
#include "base/atomic.h"
#include "base/check.h"
#include "base/rng.h"

enum {
    TASKS = 3,
    THREADS = 2,
    STEPS = 40, /* of each customer in a round */
    BATCH = 8,
};

/* What a job is to do. */
struct order {
    int number;
    int result; /* to return in the end */
    int yields; /* -1: until it is asked to stop */
    int sleeps; /* microseconds */
};

static _Atomic(uint64_t) returned_zero;

static int obey(const struct order *in, int *out)
{
    int r = 0;

    for (int i = 0; i != in->yields && (r = rv_cancelled()) == 0; i++)
        rv_yield();
    if (r == 0 && in->sleeps > 0)
        r = rv_sleep(in->sleeps * RV_MICROSECOND);
    if (r < 0)
        return r;
    *out = in->number + 1;
    if (in->result == 0)
        rvi_fetch_add_relaxed(&returned_zero, 1);
    return in->result;
}
RV_JOB(obey, struct order, int);

struct round {
    const char *spec;
    rv_time job_timeout;
    rv_time scope_deadline; /* from the start; 0: none */
    enum rv_close_mode close_mode;
    uint64_t seed;
};

struct customer {
    const struct round *round;
    rv_executor *ex;
    struct rvi_rng rng;
    uint64_t submitted, values, timeouts;
    pthread_t thread;
};

static bool toss(struct customer *c, unsigned one_in)
{
    return rvi_rng_below(&c->rng, one_in) == 0;
}

static bool is_inline(const struct customer *c)
{
    return strcmp(c->round->spec, "inline") == 0;
}

static struct order random_order(struct customer *c)
{
    struct order order = {
        .number = (int)rvi_rng_below(&c->rng, 1000),
        .result = toss(c, 8) ? -EDOM : 0,
        .yields = (int)rvi_rng_below(&c->rng, 20),
        .sleeps = toss(c, 8) ? (int)rvi_rng_below(&c->rng, 200) : 0,
    };
    return order;
}

/* What is possible for a job that obeys `order`. */
static void check_outcome(struct customer *c, const struct order *order,
                          const struct rv_outcome *outcome, int value)
{
    switch (outcome->kind) {
    case RV_OUTCOME_VALUE:
        RV_CHECK(order->result == 0 && value == order->number + 1);
        c->values++;
        break;
    case RV_OUTCOME_ERROR:
        RV_CHECK(outcome->error == order->result);
        break;
    case RV_OUTCOME_TIMEOUT:
        RV_CHECK(c->round->job_timeout > 0 && outcome->run_ns >= c->round->job_timeout);
        c->timeouts++;
        break;
    case RV_OUTCOME_CANCELLED:
        break;
    default:
        rvi_panic("impossible outcome %d", (int)outcome->kind);
    }
}

/* Wait to the end, even in a cancelled scope: every future ends. */
static void finish(struct customer *c, rv_future *f, const struct order *order)
{
    struct rv_outcome outcome;
    int value = -1;
    bool is_task = rv_shield_begin(rv_after(60 * RV_MINUTE)) == 0;

    RV_CHECK(rv_future_get(f, &value, &outcome, RV_NEVER) == 0);
    if (is_task)
        rv_shield_end();
    check_outcome(c, order, &outcome, value);
    RV_CHECK(rv_future_free(f) == NULL);
}

/* NULL when the executor refuses, or there was no room in time. */
static rv_future *hand_over(struct customer *c, const struct order *order)
{
    rv_future *f;
    rv_time deadline = toss(c, 4) ? rv_after(20 * RV_MICROSECOND) : RV_NEVER;
    int r = rv_submit(c->ex, &f, obey, order, deadline);

    RV_CHECK(r == 0 || r == -ECANCELED || (r == -ETIME && deadline != RV_NEVER));
    c->submitted += r == 0;
    return r == 0 ? f : NULL;
}

/* --- steps --- */

static size_t hand_over_batch(struct customer *c, rv_future **futures, struct order *orders)
{
    size_t n = 0;

    for (int i = 0; i < BATCH; i++) {
        orders[n] = random_order(c);
        futures[n] = hand_over(c, &orders[n]);
        n += futures[n] != NULL;
    }
    return n;
}

static void finish_batch(struct customer *c, rv_future **futures, const struct order *orders,
                         size_t n)
{
    for (size_t i = 0; i < n; i++)
        finish(c, futures[i], &orders[i]);
}

static void wait_in_some_way(struct customer *c)
{
    rv_future *futures[BATCH];
    struct order orders[BATCH];
    size_t n = hand_over_batch(c, futures, orders);
    enum rv_wait_mode mode = (enum rv_wait_mode)rvi_rng_below(&c->rng, 3);
    rv_time deadline = toss(c, 2) ? rv_after(50 * RV_MICROSECOND) : RV_NEVER;

    if (n > 0) {
        long r = rv_wait(futures, n, mode, deadline);
        RV_CHECK((r >= 0 && r <= (long)n) || r == -ETIME || r == -ECANCELED);
        RV_CHECK(r < 0 || r == (long)n || rv_future_is_done(futures[r]));
    }
    finish_batch(c, futures, orders, n);
}

static void cancel_some(struct customer *c)
{
    rv_future *futures[BATCH];
    struct order orders[BATCH];
    size_t n = hand_over_batch(c, futures, orders);

    for (size_t i = 0; i < n; i++) {
        if (toss(c, 2))
            rv_future_cancel(futures[i]);
    }
    finish_batch(c, futures, orders, n);
}

static void cancel_one_that_stays(struct customer *c)
{
    struct order order = {.number = 1, .yields = -1};
    rv_future *f = is_inline(c) ? NULL : hand_over(c, &order);

    if (!f)
        return;
    for (uint64_t i = rvi_rng_below(&c->rng, 10); i > 0; i--)
        rv_yield();
    rv_future_cancel(f);
    finish(c, f, &order);
}

static void take_as_completed(struct customer *c)
{
    rv_future *futures[BATCH];
    struct order orders[BATCH];
    size_t n = hand_over_batch(c, futures, orders), index;
    rv_completions *it;

    RV_CHECK(rv_as_completed(&it, futures, n) == 0);
    while (!toss(c, BATCH)) {
        int r = rv_completions_next(it, &index, RV_NEVER);
        if (r < 0) {
            RV_CHECK(r == -ENOENT || r == -ECANCELED);
            break;
        }
        RV_CHECK(rv_future_is_done(futures[index]));
    }
    it = rv_completions_free(it);
    finish_batch(c, futures, orders, n);
}

static void map_some(struct customer *c)
{
    enum { ELEMENTS = 30 };
    struct order orders[ELEMENTS];
    struct rv_outcome outcomes[ELEMENTS];
    int out[ELEMENTS];
    bool tells = toss(c, 2);

    for (int i = 0; i < ELEMENTS; i++)
        orders[i] = random_order(c);
    int r = rv_map(c->ex, obey, orders, ELEMENTS, out, tells ? outcomes : NULL, RV_NEVER);
    RV_CHECK(r == 0 || r == -ECANCELED || (!tells && (r == -EDOM || r == -ETIME)));
    for (int i = 0; tells && i < ELEMENTS; i++)
        check_outcome(c, &orders[i], &outcomes[i], out[i]);
}

static void (*const steps[])(struct customer *c) = {
    wait_in_some_way, cancel_some, cancel_one_that_stays, take_as_completed, map_some,
};

static int shop(void *arg)
{
    struct customer *c = arg;

    for (int i = 0; i < STEPS; i++)
        steps[rvi_rng_below(&c->rng, sizeof(steps) / sizeof(steps[0]))](c);
    return 0;
}

static void *shop_in_thread(void *arg)
{
    RV_CHECK(shop(arg) == 0);
    return NULL;
}

/* --- rounds --- */

static int join_all(void *arg)
{
    struct customer *customers = arg;

    for (int i = TASKS; i < TASKS + THREADS; i++)
        RV_CHECK(pthread_join(customers[i].thread, NULL) == 0);
    return 0;
}

static void let_customers_in(struct customer *customers, const struct round *round, rv_executor *ex)
{
    rv_scope *scope;

    RV_CHECK(rv_scope_open(&scope, NULL) == 0);
    for (int i = 0; i < TASKS + THREADS; i++) {
        customers[i] = (struct customer){.round = round, .ex = ex};
        rvi_rng_seed(&customers[i].rng, round->seed * 100 + (uint64_t)i);
        if (i >= TASKS)
            RV_CHECK(pthread_create(&customers[i].thread, NULL, shop_in_thread, &customers[i]) ==
                     0);
        else if (rv_go(scope, shop, &customers[i]) < 0)
            RV_CHECK(rv_cancelled() < 0);
    }
    RV_CHECK(rv_shield_begin(rv_after(60 * RV_MINUTE)) == 0); /* the threads must be joined */
    RV_CHECK(rv_blocking(join_all, customers, NULL) == 0);
    rv_shield_end();
    int r = rv_scope_close(scope);
    RV_CHECK(r == 0 || r == -ECANCELED);
}

static void balance(rv_executor *ex, const struct round *round, const struct customer *customers,
                    uint64_t returned)
{
    struct rv_executor_stats stats = {.size = sizeof(stats)};
    uint64_t submitted = 0, values = 0, timeouts = 0;

    for (int i = 0; i < TASKS + THREADS; i++) {
        submitted += customers[i].submitted;
        values += customers[i].values;
        timeouts += customers[i].timeouts;
    }
    RV_CHECK(rv_executor_stats_read(ex, &stats) == 0);
    RV_CHECK(stats.submitted == stats.ended && stats.waiting == 0 && stats.running == 0);
    RV_CHECK(stats.submitted >= submitted); /* maps submit on their own */
    RV_CHECK(values <= returned);           /* maps without outcomes are in the latter only */
    RV_CHECK(timeouts == 0 || round->job_timeout > 0);
}

static void play_round(const struct round *round)
{
    struct customer customers[TASKS + THREADS];
    struct rv_executor_opts opts = {
        .size = sizeof(opts),
        .backlog = 1 + round->seed % 7,
        .job_timeout = round->job_timeout,
    };
    uint64_t before = rvi_load_relaxed(&returned_zero);
    rv_future *left[BATCH];
    rv_executor *ex;
    int r;

    RV_CHECK(rv_executor_open(&ex, round->spec, &opts) == 0);
    let_customers_in(customers, round, ex);
    balance(ex, round, customers, rvi_load_relaxed(&returned_zero) - before);
    for (int i = 0; i < BATCH; i++) { /* something for closing to deal with */
        struct order order = random_order(&customers[0]);
        left[i] = hand_over(&customers[0], &order);
    }
    r = rv_executor_close(ex, round->close_mode, RV_NEVER);
    RV_CHECK(r == 0 || r == -ECANCELED);
    for (int i = 0; i < BATCH; i++) {
        RV_CHECK(!left[i] || rv_future_is_done(left[i]));
        left[i] = rv_future_free(left[i]);
    }
}

static int play_rounds(void *arg)
{
    const char *scale = getenv("RAVEL_TEST_SCALE");
    int rounds = 8 * (scale ? atoi(scale) : 100) / 100 + 4;

    for (int i = 0; i < rounds; i++) {
        struct round round = {
            .spec = arg,
            .job_timeout = i % 4 == 1 ? 150 * RV_MICROSECOND : 0,
            .scope_deadline = i % 4 == 2 ? rv_after(i * 300 * RV_MICROSECOND) : 0,
            .close_mode = i % 4 == 3 ? RV_CLOSE_CANCEL : RV_CLOSE_WAIT,
            .seed = (uint64_t)i,
        };
        int err;
        RV_SCOPE(s, err, .deadline = round.scope_deadline) {
            if (round.scope_deadline == 0 || rv_cancelled() == 0)
                play_round(&round);
        }
        RV_CHECK(err == 0 || (err == -ETIME && round.scope_deadline > 0));
    }
    return 0;
}

static void play(const char *spec, unsigned workers)
{
    struct rv_run_opts opts = {.size = sizeof(opts), .workers = workers};
    char text[32];
    long live = rvi_alloc_live();

    snprintf(text, sizeof(text), "%s", spec);
    assert_int_equal(rv_run(play_rounds, text, &opts), 0);
    assert_int_equal(rvi_alloc_live(), live);
}

static void customers_of_tasks_on_one_worker(void **state)
{
    (void)state;
    play("tasks:3", 1);
}

static void customers_of_tasks_on_two_workers(void **state)
{
    (void)state;
    play("tasks:3", 2);
}

static void customers_of_threads(void **state)
{
    (void)state;
    play("threads:3", 2);
}

static void customers_of_inline(void **state)
{
    (void)state;
    play("inline", 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(customers_of_tasks_on_one_worker),
        cmocka_unit_test(customers_of_tasks_on_two_workers),
        cmocka_unit_test(customers_of_threads),
        cmocka_unit_test(customers_of_inline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
