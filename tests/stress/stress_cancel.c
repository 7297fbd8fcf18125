/* SPDX-License-Identifier: MIT */
/* stress_cancel.c - tasks on several workers wait for anything at all while they are cancelled from
 * anywhere at all: every one of them comes back, and what they shared is whole afterwards.
 *
 * RAVEL_TEST_SCALE (percent, default 100) sets the number of rounds. */
#include <ravel/scope.h>

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "../support/crowd.h"
#include "base/rng.h"

enum {
    ROUNDS = 400,
    TASKS = 24,
    FRIENDS = 24,
    UNITS = 3,
    INSIDE_MOST = 2,
    MOST_DEPTH = 3,
};

/* What the tasks of one round share. */
struct market {
    rv_scope *scope; /* of the round */
    rv_chan *chan;
    rv_queue *queue;
    rv_limiter *limiter;
    struct rv_mutex mutex;
    struct rv_cond cond;
    struct rv_sem units;
    struct rv_event never;
    _Atomic(int) inside; /* of the limiter */
    _Atomic(int) invited;
    int owners; /* under the mutex */
};

struct customer {
    struct market *market;
    struct rvi_rng rng;
    int depth;
};

static rv_time any_deadline(struct customer *c)
{
    return rvi_rng_below(&c->rng, 4) == 0
               ? rv_after((rv_time)rvi_rng_below(&c->rng, 100) * RV_MICROSECOND)
               : RV_NEVER;
}

/* --- one visit each; 0, -ETIME or -EPIPE and the like mean: go on --- */

static int visit_sleep(struct customer *c)
{
    return rv_sleep_until(any_deadline(c));
}

static int visit_chan(struct customer *c)
{
    char item = 1;
    return rvi_rng_below(&c->rng, 2) ? rv_chan_send(c->market->chan, &item, any_deadline(c))
                                     : rv_chan_recv(c->market->chan, &item, any_deadline(c));
}

static int visit_queue(struct customer *c)
{
    char item = 1;
    if (rvi_rng_below(&c->rng, 2))
        return rv_queue_put(c->market->queue, &item, any_deadline(c));
    int r = rv_queue_get(c->market->queue, &item, any_deadline(c));
    if (r == 0)
        RV_CHECK(rv_queue_done(c->market->queue) == 0);
    return r;
}

static int visit_join(struct customer *c)
{
    return rv_queue_join(c->market->queue, any_deadline(c));
}

static int visit_mutex(struct customer *c)
{
    struct market *market = c->market;
    int r = rv_mutex_lock(&market->mutex, any_deadline(c));
    if (r < 0)
        return r;
    RV_CHECK(market->owners++ == 0);
    if (rvi_rng_below(&c->rng, 2))
        rv_yield();
    RV_CHECK(market->owners-- == 1);
    if (rvi_rng_below(&c->rng, 2))
        r = rv_cond_wait(&market->cond, &market->mutex, any_deadline(c));
    RV_CHECK(market->owners == 0);
    rv_cond_signal(&market->cond);
    rv_mutex_unlock(&market->mutex);
    return r;
}

static int visit_units(struct customer *c)
{
    int r = rv_sem_wait(&c->market->units, any_deadline(c));
    if (r < 0)
        return r;
    r = rv_sleep(RV_MICROSECOND);
    rv_sem_post(&c->market->units, 1);
    return r;
}

static int visit_event(struct customer *c)
{
    return rv_event_wait(&c->market->never, any_deadline(c));
}

static int be_inside(void *arg)
{
    struct market *market = arg;
    RV_CHECK(rvi_fetch_add_relaxed(&market->inside, 1) < INSIDE_MOST);
    rvi_thread_yield();
    rvi_fetch_sub_relaxed(&market->inside, 1);
    return 0;
}

static int visit_limiter(struct customer *c)
{
    return rv_blocking(be_inside, c->market, c->market->limiter);
}

static int visit_worker(struct customer *c)
{
    int r = rv_migrate((unsigned)rvi_rng_below(&c->rng, rv_run_workers()));
    return r == -EBUSY ? 0 : r;
}

/* One more comes in, on the books of the worker where this one is. */
static int shop_and_leave(void *arg);

static int visit_friend(struct customer *c)
{
    struct customer *invited = malloc(sizeof(*invited));
    RV_CHECK(invited != NULL);
    *invited = (struct customer){.market = c->market};
    rvi_rng_seed(&invited->rng, rvi_rng_next(&c->rng));
    int r = rvi_fetch_add_relaxed(&c->market->invited, 1) < FRIENDS
                ? rv_go(c->market->scope, shop_and_leave, invited)
                : -EAGAIN;
    if (r < 0)
        free(invited);
    return 0;
}

/* Cancelled or not, it can clean up, and waits no longer than it may. */
static int visit_shielded(struct customer *c)
{
    rv_time until = rv_after((rv_time)rvi_rng_below(&c->rng, 200) * RV_MICROSECOND);
    RV_CHECK(rv_shield_begin(until) == 0);
    int r = rvi_rng_below(&c->rng, 2) ? visit_event(c) : visit_chan(c);
    RV_CHECK(r != -ECANCELED || rv_now() >= until);
    rv_shield_end();
    return r;
}

static int shop(void *arg);

static int visit_below(struct customer *c)
{
    struct customer below[2];
    struct rv_scope_opts opts = {.size = sizeof(opts), .limit = rvi_rng_below(&c->rng, 2)};
    rv_scope *scope;
    if (c->depth == 0)
        return 0;
    opts.policy = (enum rv_policy)rvi_rng_below(&c->rng, 3);
    opts.deadline = rv_after((rv_time)rvi_rng_below(&c->rng, 300) * RV_MICROSECOND);
    RV_CHECK(rv_scope_open(&scope, &opts) == 0);
    for (int i = 0; i < 2; i++) {
        below[i] = (struct customer){c->market, c->rng, c->depth - 1};
        rvi_rng_seed(&below[i].rng, rvi_rng_next(&c->rng));
        try_go(scope, shop, &below[i]);
    }
    if (rvi_rng_below(&c->rng, 4) == 0)
        rv_scope_cancel(scope, -ESTALE);
    int r = rv_scope_close(scope);
    return rv_cancelled() < 0 ? -ECANCELED : r == -ECANCELED ? 0 : r;
}

static int (*const visits[])(struct customer *) = {
    visit_sleep, visit_chan,  visit_queue,   visit_join,   visit_mutex,    visit_units,
    visit_event, visit_below, visit_limiter, visit_worker, visit_shielded, visit_friend,
};

/* Until it is cancelled. */
static int shop(void *arg)
{
    struct customer *c = arg;
    int r;
    do
        r = visits[rvi_rng_below(&c->rng, sizeof(visits) / sizeof(visits[0]))](c);
    while (r != -ECANCELED);
    RV_CHECK(rv_cancelled() < 0);
    RV_CHECK(rv_sleep(0) == -ECANCELED);
    return rvi_rng_below(&c->rng, 8) == 0 ? -EIO : 0;
}

static int shop_and_leave(void *arg)
{
    struct customer customer = *(struct customer *)arg;
    free(arg);
    return shop(&customer);
}

/* --- who ends the round --- */

static int cancel_from_a_task(void *arg)
{
    rv_scope_cancel(arg, -EIO);
    return 0;
}

static int fail_with_eio(void *arg)
{
    (void)arg;
    return -EIO;
}

static void *cancel_from_a_thread(void *arg)
{
    rv_scope_cancel(arg, -EIO);
    return NULL;
}

static int cancel_from_helpers(void *arg)
{
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        RV_CHECK(pthread_create(&threads[i], NULL, cancel_from_a_thread, arg) == 0);
    for (int i = 0; i < 2; i++)
        RV_CHECK(pthread_join(threads[i], NULL) == 0);
    return 0;
}

/* One way or another; a round's deadline is another way still. */
static void end_round(rv_scope *scope, struct rvi_rng *rng)
{
    switch (rvi_rng_below(rng, 6)) {
    case 0:
        try_go(scope, cancel_from_a_task, scope);
        break;
    case 1:
        try_go(scope, fail_with_eio, NULL);
        break;
    case 2:
        RV_CHECK(rv_shield_begin(rv_after(60 * RV_MINUTE)) == 0);
        RV_CHECK(rv_blocking(cancel_from_helpers, scope, NULL) == 0);
        rv_shield_end();
        break;
    case 3:
        if (rv_run_workers() > 1)
            start_elsewhere(scope, cancel_from_a_task, scope);
        break;
    default:
        break;
    }
}

static void check_market(struct market *market)
{
    RV_CHECK(rv_mutex_try_lock(&market->mutex) == 0);
    rv_mutex_unlock(&market->mutex);
    for (int i = 0; i < UNITS; i++)
        RV_CHECK(rv_sem_try_wait(&market->units) == 0);
    RV_CHECK(rv_sem_try_wait(&market->units) == -EAGAIN);
    RV_CHECK(market->owners == 0 && rvi_load_relaxed(&market->inside) == 0);
    rv_chan_free(market->chan);
    rv_queue_free(market->queue);
    rv_limiter_free(market->limiter);
}

static void open_market(struct market *market)
{
    *market = (struct market){.mutex = RV_MUTEX_INIT};
    RV_CHECK(rv_chan_new(&market->chan, 1, 1) == 0 && rv_queue_new(&market->queue, 1, 2) == 0);
    RV_CHECK(rv_limiter_new(&market->limiter, INSIDE_MOST) == 0);
    rv_sem_init(&market->units, UNITS);
}

static int play_round(void *arg)
{
    struct rvi_rng *rng = arg;
    struct rv_scope_opts opts = {.size = sizeof(opts), .deadline = rv_after(2 * RV_MILLISECOND)};
    struct customer customers[TASKS];
    struct market market;
    rv_scope *scope;
    open_market(&market);
    opts.policy = (enum rv_policy)rvi_rng_below(rng, 2);
    RV_CHECK(rv_scope_open(&scope, &opts) == 0);
    market.scope = scope;
    for (int i = 0; i < TASKS; i++) {
        customers[i] = (struct customer){.market = &market, .depth = MOST_DEPTH};
        rvi_rng_seed(&customers[i].rng, rvi_rng_next(rng));
        try_go(scope, shop, &customers[i]);
    }
    (void)!rv_sleep((rv_time)rvi_rng_below(rng, 300) * RV_MICROSECOND);
    end_round(scope, rng);
    int r = rv_scope_close(scope);
    RV_CHECK(r == -EIO || r == -ETIME);
    check_market(&market);
    return 0;
}

static void whoever_is_cancelled_comes_back(void **state)
{
    struct rvi_rng rng;
    (void)state;
    rvi_rng_seed(&rng, 1);
    for (size_t i = 0; i < scaled(ROUNDS, 30); i++) {
        struct rv_run_opts opts = {.size = sizeof(opts), .workers = 1 + i % 4};
        assert_int_equal(rv_run(play_round, &rng, &opts), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_is_cancelled_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
