/* SPDX-License-Identifier: MIT */
/* test_every_point.c - scenes of all kinds of waiting, cancelled at every point, and with every
 * allocation failing in turn: support/every_point.h. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <ravel.h>

#include "../../support/crowd.h"
#include "../../support/every_point.h"

enum { ITEMS = 5, UNITS = 2, DEPTH = 3, BURST = 300 };

#define MOMENT (10 * RV_MICROSECOND)

/* Start tasks until one cannot be started: then the scope fails with the reason. */
static void go_all(rv_scope *scope, int count, rv_fn *fn, void *arg)
{
    int r = 0;
    for (int i = 0; i < count && r == 0; i++)
        r = rv_go(scope, fn, arg);
    if (r < 0)
        rv_scope_cancel(scope, r);
}

/* --- channels --- */

struct pipeline {
    rv_chan *raw, *cooked;
    int eaten;
};

static int produce(void *arg)
{
    struct pipeline *line = arg;
    int r = 0;
    for (int i = 1; i <= ITEMS && r == 0; i++)
        r = rv_chan_send(line->raw, &i, RV_NEVER);
    rv_chan_close(line->raw);
    return r;
}

static int cook(void *arg)
{
    struct pipeline *line = arg;
    int item, r;
    while ((r = rv_chan_recv(line->raw, &item, rv_after(RV_MINUTE))) == 0) {
        item *= 10;
        r = rv_chan_send(line->cooked, &item, RV_NEVER);
        if (r < 0)
            break;
    }
    rv_chan_close(line->cooked);
    return r == -EPIPE ? 0 : r;
}

static int eat(void *arg)
{
    struct pipeline *line = arg;
    int item, r;
    while ((r = rv_chan_recv(line->cooked, &item, RV_NEVER)) == 0)
        line->eaten += item;
    return r == -EPIPE ? 0 : r;
}

static int pipeline(void *unused)
{
    struct pipeline line = {0};
    int err = rv_chan_new(&line.raw, sizeof(int), 2);
    (void)unused;
    if (err < 0)
        return err;
    err = rv_chan_new(&line.cooked, sizeof(int), 0);
    if (err == 0) {
        RV_SCOPE(scope, err) {
            go_all(scope, 1, produce, &line);
            go_all(scope, 1, cook, &line);
            go_all(scope, 1, eat, &line);
        }
        RV_CHECK(err < 0 || line.eaten == 10 * ITEMS * (ITEMS + 1) / 2);
        rv_chan_free(line.cooked);
    }
    rv_chan_free(line.raw);
    return err;
}

/* --- mutex and condition --- */

struct buffer {
    struct rv_mutex mutex;
    struct rv_cond changed;
    int count, put, got;
};

static int add(struct buffer *buffer, int change)
{
    int r = rv_mutex_lock(&buffer->mutex, RV_NEVER);
    if (r < 0)
        return r;
    while (r == 0 && (buffer->count + change < 0 || buffer->count + change > UNITS))
        r = rv_cond_wait(&buffer->changed, &buffer->mutex, RV_NEVER);
    if (r == 0) {
        buffer->count += change;
        rv_cond_broadcast(&buffer->changed);
    }
    rv_mutex_unlock(&buffer->mutex);
    return r;
}

static int put_all(void *arg)
{
    int r = 0;
    for (int i = 0; i < ITEMS && r == 0; i++)
        r = add(arg, 1);
    return r;
}

static int get_all(void *arg)
{
    int r = 0;
    for (int i = 0; i < ITEMS && r == 0; i++)
        r = add(arg, -1);
    return r;
}

static int mutex_and_condition(void *unused)
{
    struct buffer buffer = {.mutex = RV_MUTEX_INIT, .changed = RV_COND_INIT};
    int err;
    (void)unused;
    RV_SCOPE(scope, err) {
        go_all(scope, 2, put_all, &buffer);
        go_all(scope, 2, get_all, &buffer);
    }
    RV_CHECK(rv_mutex_try_lock(&buffer.mutex) == 0);
    rv_mutex_unlock(&buffer.mutex);
    RV_CHECK(err < 0 || buffer.count == 0);
    return err;
}

/* --- semaphores and events --- */

struct pool {
    struct rv_sem units;
    struct rv_event opened;
};

static int use_unit(void *arg)
{
    struct pool *pool = arg;
    int r = rv_event_wait(&pool->opened, RV_NEVER);
    if (r == 0)
        r = rv_sem_wait(&pool->units, rv_after(RV_MINUTE));
    if (r == 0) {
        r = rv_sleep(MOMENT);
        rv_sem_post(&pool->units, 1);
    }
    return r;
}

static int semaphore(void *unused)
{
    struct pool pool = {RV_SEM_INIT, RV_EVENT_INIT};
    int err;
    (void)unused;
    rv_sem_post(&pool.units, UNITS);
    RV_SCOPE(scope, err) {
        go_all(scope, ITEMS, use_unit, &pool);
        rv_yield();
        rv_event_set(&pool.opened);
    }
    for (int i = 0; i < UNITS; i++)
        RV_CHECK(rv_sem_try_wait(&pool.units) == 0);
    RV_CHECK(rv_sem_try_wait(&pool.units) == -EAGAIN);
    return err;
}

/* --- readers and writers --- */

struct ledger {
    struct rv_rwlock lock;
    struct rv_once opened;
    struct rv_latch closed;
    int left, right; /* equal unless somebody writes */
};

static int open_ledger(void *arg)
{
    struct ledger *ledger = arg;
    int r = rv_sleep(MOMENT);
    if (r == 0)
        ledger->left = ledger->right = 1;
    return r;
}

static int read_ledger(void *arg)
{
    struct ledger *ledger = arg;
    int r = rv_once_do(&ledger->opened, open_ledger, ledger, rv_after(RV_MINUTE));
    for (int i = 0; i < 2 && r == 0; i++) {
        r = rv_rwlock_read_lock(&ledger->lock, RV_NEVER);
        if (r < 0)
            break;
        RV_CHECK(ledger->left > 0 && ledger->left == ledger->right);
        rv_yield();
        rv_rwlock_read_unlock(&ledger->lock);
    }
    rv_latch_count_down(&ledger->closed, 1);
    return r;
}

static int write_ledger(void *arg)
{
    struct ledger *ledger = arg;
    int r = rv_once_do(&ledger->opened, open_ledger, ledger, RV_NEVER);
    if (r == 0)
        r = rv_rwlock_write_lock(&ledger->lock, rv_after(RV_MINUTE));
    if (r == 0) {
        ledger->left++;
        r = rv_sleep(MOMENT);
        ledger->right++;
        rv_rwlock_write_unlock(&ledger->lock);
    }
    rv_latch_count_down(&ledger->closed, 1);
    return r;
}

static int readers_and_writers(void *unused)
{
    struct ledger ledger = {.lock = RV_RWLOCK_INIT, .opened = RV_ONCE_INIT};
    int err, r = 0;
    (void)unused;
    rv_latch_init(&ledger.closed, 2 * UNITS);
    RV_SCOPE(scope, err) {
        for (int i = 0; i < UNITS; i++) {
            go_all(scope, 1, read_ledger, &ledger);
            go_all(scope, 1, write_ledger, &ledger);
        }
        r = rv_latch_wait(&ledger.closed, RV_NEVER);
        RV_CHECK(r < 0 || rv_latch_remaining(&ledger.closed) == 0);
    }
    RV_CHECK(rv_rwlock_try_write_lock(&ledger.lock) == 0);
    rv_rwlock_write_unlock(&ledger.lock);
    RV_CHECK(ledger.left == ledger.right);
    return err < 0 ? err : r;
}

/* --- barriers and tickers --- */

struct march {
    struct rv_barrier step;
    struct rv_ticker beat;
    _Atomic(int) steps;
};

static int keep_step(void *arg)
{
    struct march *march = arg;
    int r = 0;
    for (int i = 0; i < 2 && r >= 0; i++) {
        r = rv_ticker_wait(&march->beat, rv_after(RV_MINUTE));
        if (r > 0)
            r = rv_barrier_wait(&march->step, i == 0 ? RV_NEVER : rv_after(RV_MINUTE));
        if (r >= 0)
            rvi_fetch_add_relaxed(&march->steps, r);
    }
    return r < 0 ? r : 0;
}

static int marching(void *unused)
{
    struct march march = {.steps = 0};
    int err = rv_ticker_init(&march.beat, rv_now(), MOMENT);
    (void)unused;
    RV_CHECK(err == 0);
    rv_barrier_init(&march.step, UNITS + 1);
    RV_SCOPE(scope, err)
        go_all(scope, UNITS + 1, keep_step, &march);
    rv_ticker_stop(&march.beat);
    RV_CHECK(err < 0 || rvi_load_relaxed(&march.steps) == 2);
    return err;
}

/* --- strands --- */

struct desk {
    rv_strand *strand;
    int posted, asked; /* jobs alone touch these */
};

static int count_posted(void *arg)
{
    struct desk *desk = arg;
    int seen = desk->posted;
    int r = rv_sleep(MOMENT);
    desk->posted = seen + 1;
    return r;
}

static int count_asked(void *arg)
{
    struct desk *desk = arg;
    return ++desk->asked;
}

static int post_and_ask(void *arg)
{
    struct desk *desk = arg;
    int result = 0, r = 0;
    for (int i = 0; i < UNITS && r == 0; i++)
        r = rv_strand_post(desk->strand, count_posted, desk, rv_after(RV_MINUTE));
    if (r == 0)
        r = rv_strand_run(desk->strand, count_asked, desk, &result, RV_NEVER);
    RV_CHECK(r < 0 || result > 0);
    return r;
}

static int strands(void *unused)
{
    struct rv_strand_opts opts = {.size = sizeof(opts), .capacity = 1};
    struct desk desk = {0};
    int err, r = 0;
    (void)unused;
    RV_SCOPE(scope, err) {
        r = rv_strand_open(&desk.strand, scope, &opts);
        if (r == 0) {
            rv_scope *posters;
            r = rv_scope_open(&posters, NULL);
            if (r == 0) {
                go_all(posters, UNITS, post_and_ask, &desk);
                r = rv_scope_close(posters);
            }
            int dropped = rv_strand_close(desk.strand);
            r = r < 0 ? r : dropped;
        }
    }
    RV_CHECK(err < 0 || r < 0 || (desk.posted == UNITS * UNITS && desk.asked == UNITS));
    return err < 0 ? err : r;
}

/* --- scopes in scopes --- */

static int sleep_a_moment(void *arg)
{
    (void)arg;
    return rv_sleep(MOMENT);
}

/* Whatever is cancelled outside the shield, its own deadline ends it, for its owner as well. */
static void wait_for_deadline(void)
{
    int err;
    RV_SCOPE(timed, err, .deadline = rv_after(MOMENT)) {
        go_all(timed, 1, sleep_for_ever, NULL);
        int r = rv_shield_begin(rv_after(MOMENT / 2)); /* over before the deadline, or soon after */
        RV_CHECK(r == 0);
        RV_CHECK(rv_sleep_until(RV_NEVER) < 0);
        rv_shield_end();
    }
    RV_CHECK(err == -ETIME || err == -ENOMEM);
}

/* Cleans up under a shield when it is cancelled, and is done with it in time. */
static int clean_up(int why)
{
    int err, r = rv_shield_begin(rv_after(RV_MINUTE));
    RV_CHECK(r == 0);
    RV_SCOPE(cleanup, err) {
        go_all(cleanup, 2, sleep_a_moment, NULL);
        r = rv_sleep(MOMENT);
        wait_for_deadline();
    }
    rv_shield_end();
    RV_CHECK(err != -ECANCELED && r != -ECANCELED);
    return why;
}

static int nest(void *arg)
{
    int *depth = arg, err, r = 0;
    int below = *depth - 1;
    RV_SCOPE(scope, err, .deadline = rv_after(RV_MINUTE)) {
        go_all(scope, 2, sleep_a_moment, NULL);
        if (below > 0)
            go_all(scope, 1, nest, &below);
        r = rv_sleep(MOMENT);
        if (r < 0)
            r = clean_up(r);
    }
    return err < 0 ? err : r;
}

static int scopes_in_scopes(void *unused)
{
    int depth = DEPTH;
    (void)unused;
    return nest(&depth);
}

static int deadlines(void *unused)
{
    int err, inner_err;
    (void)unused;
    RV_SCOPE(outer, err, .deadline = rv_after(20 * MOMENT)) {
        go_all(outer, 1, sleep_for_ever, NULL);
        RV_SCOPE(inner, inner_err, .deadline = rv_after(MOMENT)) {
            go_all(inner, 2, sleep_for_ever, NULL);
            inner_err = rv_sleep_until(RV_NEVER);
        }
        if (inner_err == -ENOMEM)
            rv_scope_cancel(outer, -ENOMEM);
    }
    return err == -ETIME ? 0 : err;
}

static int limited(void *unused)
{
    int err;
    (void)unused;
    RV_SCOPE(scope, err, .limit = UNITS)
        go_all(scope, ITEMS, sleep_a_moment, NULL);
    return err;
}

static int sleep_longer(void *arg)
{
    (void)arg;
    return rv_sleep(20 * MOMENT);
}

static int race(void *unused)
{
    int err;
    (void)unused;
    RV_SCOPE(scope, err, .policy = RV_FIRST_SUCCESS) {
        go_all(scope, 2, sleep_longer, NULL);
        go_all(scope, 1, sleep_a_moment, NULL);
        go_all(scope, 1, sleep_longer, NULL);
    }
    return err;
}

/* --- blocking calls --- */

struct booth {
    rv_limiter *limiter;
    _Atomic(int) inside;
};

static int be_inside(void *arg)
{
    struct booth *booth = arg;
    RV_CHECK(rvi_fetch_add_relaxed(&booth->inside, 1) < UNITS);
    rvi_thread_yield();
    rvi_fetch_sub_relaxed(&booth->inside, 1);
    return 0;
}

static int call_inside(void *arg)
{
    struct booth *booth = arg;
    return rv_blocking(be_inside, booth, booth->limiter);
}

static int blocking(void *unused)
{
    struct booth booth = {0};
    int err = rv_limiter_new(&booth.limiter, UNITS);
    (void)unused;
    if (err < 0)
        return err;
    RV_SCOPE(scope, err)
        go_all(scope, ITEMS, call_inside, &booth);
    RV_CHECK(rvi_load_relaxed(&booth.inside) == 0);
    rv_limiter_free(booth.limiter);
    return err;
}

static int start_from_thread(void *arg)
{
    go_all(arg, ITEMS, sleep_a_moment, NULL);
    return 0;
}

static int started_from_a_thread(void *unused)
{
    int err, r = 0;
    (void)unused;
    RV_SCOPE(scope, err)
        r = rv_blocking(start_from_thread, scope, NULL);
    return err < 0 ? err : r;
}

/* --- a queue with daemons --- */

static int serve(void *arg)
{
    rv_queue *queue = arg;
    int item, r;
    while ((r = rv_queue_get(queue, &item, RV_NEVER)) == 0) {
        r = rv_sleep(item % 2 ? MOMENT : 0);
        RV_CHECK(rv_queue_done(queue) == 0);
        if (r < 0)
            break;
    }
    return r;
}

static int daemons(void *unused)
{
    rv_queue *queue;
    int err, r = rv_queue_new(&queue, sizeof(int), 2);
    (void)unused;
    if (r < 0)
        return r;
    RV_SCOPE(scope, err) {
        go_all(scope, 2, serve, queue);
        for (int i = 0; i < ITEMS && r == 0; i++)
            r = rv_queue_put(queue, &i, RV_NEVER);
        if (r == 0)
            r = rv_queue_join(queue, RV_NEVER);
        rv_scope_cancel(scope, r < 0 ? r : -ESHUTDOWN);
    }
    rv_queue_free(queue);
    return err == -ESHUTDOWN ? 0 : err;
}

/* --- selections, one of them too long for its frame --- */

struct fair {
    rv_chan *a, *b;
    struct rv_event over;
};

static int offer(void *arg)
{
    struct fair *fair = arg;
    for (int i = 0; i < ITEMS; i++) {
        struct rv_case cases[] = {RV_SEND(fair->a, &i), RV_SEND(fair->b, &i)};
        int r = rv_select(cases, 2, RV_NEVER);
        if (r < 0)
            return r;
        RV_CHECK(cases[r].result == 0);
    }
    rv_event_set(&fair->over);
    return 0;
}

static int collect(void *arg)
{
    enum { CASES = 20 };
    struct fair *fair = arg;
    struct rv_case cases[CASES];
    int item, r;
    for (int i = 0; i < CASES; i++)
        cases[i] = (struct rv_case)RV_RECV(i % 2 ? fair->a : fair->b, &item);
    cases[7] = (struct rv_case)RV_EVENT(&fair->over);
    do
        r = rv_select(cases, CASES, rv_after(RV_SECOND));
    while (r >= 0 && r != 7);
    return r < 0 ? r : 0;
}

static int selections(void *unused)
{
    struct fair fair = {.over = RV_EVENT_INIT};
    int err, r;
    (void)unused;
    if ((r = rv_chan_new(&fair.a, sizeof(int), 0)) < 0)
        return r;
    if ((r = rv_chan_new(&fair.b, sizeof(int), 1)) == 0) {
        RV_SCOPE(scope, err) {
            go_all(scope, 1, collect, &fair);
            go_all(scope, 1, offer, &fair);
        }
        rv_chan_free(fair.b);
        r = err;
    }
    rv_chan_free(fair.a);
    return r;
}

/* --- tasks that move, and what they carry --- */

static const struct rv_local_key key_a = {"a"}, key_b = {"b"};

static int hop(void *arg)
{
    int r = 0;
    for (unsigned i = 0; i < 2 * rv_run_workers() && r == 0; i++) {
        r = rv_migrate(i % rv_run_workers());
        if (r == 0)
            r = rv_sleep(MOMENT);
    }
    RV_CHECK(rv_local_get(&key_a) == arg);
    return r;
}

static int movers(void *unused)
{
    int err, value, r;
    (void)unused;
    if ((r = rv_local_set(&key_a, &value)) < 0 || (r = rv_local_set(&key_b, &value)) < 0 ||
        (r = rv_local_set(&key_a, &err)) < 0 || (r = rv_local_set(&key_b, NULL)) < 0 ||
        (r = rv_task_rename("movers")) < 0)
        return r;
    RV_SCOPE(scope, err)
        go_all(scope, 2, hop, &err);
    return err;
}

/* --- more than the first allocations hold --- */

static int burst(void *unused)
{
    int err;
    (void)unused;
    RV_SCOPE(scope, err)
        go_all(scope, BURST, sleep_a_moment, NULL);
    return err;
}

/* --- the tests --- */

static void cancelled(void **state)
{
    for (unsigned workers = 1; workers <= 3; workers++)
        cancel_at_every_point((rv_fn *)*state, workers);
}

static void starved(void **state)
{
    for (unsigned workers = 1; workers <= 2; workers++)
        fail_every_allocation((rv_fn *)*state, workers);
}

#define AS_TEST(test, scene)                                                                       \
    {                                                                                              \
#scene "_" #test, test, NULL, NULL, (void *)scene                                          \
    }
#define BOTH_WAYS(scene) AS_TEST(cancelled, scene), AS_TEST(starved, scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH_WAYS(pipeline),         BOTH_WAYS(mutex_and_condition),
        BOTH_WAYS(semaphore),        BOTH_WAYS(readers_and_writers),
        BOTH_WAYS(marching),         BOTH_WAYS(strands),
        BOTH_WAYS(scopes_in_scopes), BOTH_WAYS(deadlines),
        BOTH_WAYS(limited),          BOTH_WAYS(race),
        BOTH_WAYS(blocking),         BOTH_WAYS(started_from_a_thread),
        BOTH_WAYS(daemons),          BOTH_WAYS(movers),
        BOTH_WAYS(selections),       AS_TEST(starved, burst),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
