/* SPDX-License-Identifier: MIT */
/* explore_meet.c - the objects at which tasks meet: readers and writers, barriers, latches, things
 * done once, strands, tickers; and forks, taken by other workers or not. */
#include "explore.h"

#include <string.h>

enum { ROUNDS = 3 };

static struct {
    struct rv_rwlock rwlock;
    struct rv_barrier barrier;
    struct rv_latch latch;
    struct rv_once once;
    struct rv_ticker ticker;
    rv_strand *strand;
    _Atomic(int) readers, writers, count;
    int guarded;
} on;

static void begin(void)
{
    memset(&on, 0, sizeof(on));
}

/* --- readers and writers --- */

static int read_some(void *arg)
{
    const rv_time *patience = arg;

    for (int i = 0; i < ROUNDS; i++) {
        int r = rv_rwlock_read_lock(&on.rwlock, patience ? rv_after(*patience) : RV_NEVER);
        if (r == -ETIME)
            continue;
        if (r < 0)
            return r;
        rvi_fetch_add_relaxed(&on.readers, 1);
        RV_CHECK(rvi_load_relaxed(&on.writers) == 0);
        rv_yield();
        rvi_fetch_sub_relaxed(&on.readers, 1);
        rv_rwlock_read_unlock(&on.rwlock);
    }
    return 0;
}

static int write_some(void *arg)
{
    const rv_time *patience = arg;

    for (int i = 0; i < ROUNDS; i++) {
        int r = rv_rwlock_write_lock(&on.rwlock, patience ? rv_after(*patience) : RV_NEVER);
        if (r == -ETIME)
            continue;
        if (r < 0)
            return r;
        RV_CHECK(rvi_fetch_add_relaxed(&on.writers, 1) == 0);
        RV_CHECK(rvi_load_relaxed(&on.readers) == 0);
        on.guarded++;
        rvi_fetch_sub_relaxed(&on.writers, 1);
        rv_rwlock_write_unlock(&on.rwlock);
    }
    return 0;
}

static int write_on_a_helper(void *arg)
{
    return rv_blocking(write_some, arg, NULL);
}

static int read_and_write(void *arg)
{
    rv_time patience = 2 * RV_MICROSECOND;
    int err;

    (void)arg;
    begin();
    rv_rwlock_init(&on.rwlock);
    RV_SCOPE(s, err) {
        go(s, read_some, NULL);
        go(s, read_some, &patience);
        go(s, write_some, &patience);
        go(s, write_on_a_helper, NULL);
    }
    RV_CHECK(rv_rwlock_try_write_lock(&on.rwlock) == 0);
    rv_rwlock_write_unlock(&on.rwlock);
    RV_CHECK(on.guarded >= ROUNDS);
    return err;
}

static int read_and_write_until_cancelled(void *arg)
{
    int err;

    (void)arg;
    begin();
    rv_rwlock_init(&on.rwlock);
    RV_SCOPE(s, err) {
        go(s, read_some, NULL);
        go(s, read_some, NULL);
        go(s, write_some, NULL);
        rv_yield();
        rv_scope_cancel(s, -EDOM);
    }
    RV_CHECK(rv_rwlock_try_write_lock(&on.rwlock) == 0);
    rv_rwlock_write_unlock(&on.rwlock);
    return err == -EDOM ? 0 : -EPROTO;
}

/* --- barrier and latch --- */

static int meet_some(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        rvi_fetch_add_relaxed(&on.count, 1);
        int r = rv_barrier_wait(&on.barrier, RV_NEVER);
        if (r < 0)
            return r;
        RV_CHECK(rvi_load_relaxed(&on.count) >= 3 * (i + 1));
    }
    return 0;
}

static int meet_on_a_helper(void *arg)
{
    return rv_blocking(meet_some, arg, NULL);
}

static int meet_in_rounds(void *arg)
{
    int err;

    (void)arg;
    begin();
    rv_barrier_init(&on.barrier, 3);
    RV_SCOPE(s, err) {
        go(s, meet_some, NULL);
        go(s, meet_on_a_helper, NULL);
        go(s, meet_some, NULL);
    }
    return err;
}

static int count_down(void *arg)
{
    (void)arg;
    rvi_fetch_add_relaxed(&on.count, 1);
    rv_latch_count_down(&on.latch, 1);
    return 0;
}

static int wait_for_latch(void *arg)
{
    (void)arg;
    int r = rv_latch_wait(&on.latch, RV_NEVER);
    RV_CHECK(r < 0 || rvi_load_relaxed(&on.count) == 2);
    return r;
}

static int count_down_to_nothing(void *arg)
{
    int err;

    (void)arg;
    begin();
    rv_latch_init(&on.latch, 2);
    RV_SCOPE(s, err) {
        go(s, wait_for_latch, NULL);
        go(s, count_down, NULL);
        go(s, wait_for_latch, NULL);
        go(s, count_down, NULL);
    }
    RV_CHECK(rv_latch_remaining(&on.latch) == 0);
    return err;
}

/* --- once --- */

static int set_up(void *arg)
{
    (void)arg;
    rvi_fetch_add_relaxed(&on.count, 1);
    rv_yield();
    on.guarded = 1;
    return 0;
}

static int use_it(void *arg)
{
    int r = rv_once_do(&on.once, set_up, arg, RV_NEVER);
    RV_CHECK(r < 0 || on.guarded == 1);
    return r;
}

static int use_it_on_a_helper(void *arg)
{
    return rv_blocking(use_it, arg, NULL);
}

static int do_it_once(void *arg)
{
    int err;

    (void)arg;
    begin();
    RV_SCOPE(s, err) {
        go(s, use_it, NULL);
        go(s, use_it_on_a_helper, NULL);
        go(s, use_it, NULL);
    }
    RV_CHECK(rvi_load_relaxed(&on.count) == 1);
    return err;
}

/* --- strand --- */

static int be_alone(void *arg)
{
    (void)arg;
    RV_CHECK(rvi_fetch_add_relaxed(&on.writers, 1) == 0);
    on.guarded++;
    rv_yield();
    RV_CHECK(rvi_fetch_sub_relaxed(&on.writers, 1) == 1);
    return 0;
}

static int post_some(void *arg)
{
    int result;

    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        int r = i % 2 ? rv_strand_run(on.strand, be_alone, NULL, &result, RV_NEVER)
                      : rv_strand_post(on.strand, be_alone, NULL, RV_NEVER);
        if (r < 0)
            return r;
    }
    return 0;
}

static int one_after_the_other(void *arg)
{
    int err;

    (void)arg;
    begin();
    RV_SCOPE(outer, err) {
        int posted;
        RV_CHECK(rv_strand_open(&on.strand, outer, NULL) == 0);
        RV_SCOPE(s, posted) {
            go(s, post_some, NULL);
            go(s, post_some, NULL);
            go(s, post_some, NULL);
        }
        RV_CHECK(posted == 0);
        RV_CHECK(rv_strand_close(on.strand) == 0);
    }
    RV_CHECK(on.guarded == 3 * ROUNDS);
    return err;
}

/* --- ticker --- */

static int take_ticks(void *arg)
{
    int r;

    (void)arg;
    while ((r = rv_ticker_wait(&on.ticker, RV_NEVER)) >= 0)
        rvi_fetch_add_relaxed(&on.count, r);
    return r == -EPIPE ? 0 : r;
}

static int stop_the_ticker(void *arg)
{
    (void)arg;
    int r = rv_sleep(10 * RV_MILLISECOND);
    rv_ticker_stop(&on.ticker);
    return r;
}

static int tick_until_stopped(void *arg)
{
    int err;

    (void)arg;
    begin();
    RV_CHECK(rv_ticker_init(&on.ticker, rv_now(), RV_MILLISECOND) == 0);
    RV_SCOPE(s, err) {
        go(s, take_ticks, NULL);
        go(s, take_ticks, NULL);
        go(s, stop_the_ticker, NULL);
    }
    RV_CHECK(rvi_load_relaxed(&on.count) >= 9 && rvi_load_relaxed(&on.count) <= 12);
    return err;
}

/* --- forks --- */

struct fib {
    int n;
    int result;
};

static int fib(void *arg)
{
    struct fib *self = arg, left, right;
    struct rv_fork fork;

    if (self->n < 2) {
        self->result = self->n;
        return 0;
    }
    left.n = self->n - 1;
    right.n = self->n - 2;
    int r = rv_fork(&fork, fib, &left);
    if (r < 0)
        return r;
    r = fib(&right);
    int joined = rv_join(&fork);
    self->result = left.result + right.result;
    return joined < 0 ? joined : r;
}

static int wait_a_little(void *arg)
{
    struct fib *self = arg;

    rv_yield();
    return fib(self);
}

static int fork_and_join(void *arg)
{
    struct fib one = {.n = 6}, other = {.n = 5};
    int err;

    (void)arg;
    RV_SCOPE(s, err) {
        go(s, fib, &one);
        go(s, wait_a_little, &other);
    }
    RV_CHECK(one.result == 8 && other.result == 5);
    return err;
}

EXPLORATION(read_and_write)
EXPLORATION(read_and_write_until_cancelled)
EXPLORATION(meet_in_rounds)
EXPLORATION(count_down_to_nothing)
EXPLORATION(do_it_once)
EXPLORATION(one_after_the_other)
EXPLORATION(tick_until_stopped)
EXPLORATION(fork_and_join)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EXPLORED(read_and_write),     EXPLORED(read_and_write_until_cancelled),
        EXPLORED(meet_in_rounds),     EXPLORED(count_down_to_nothing),
        EXPLORED(do_it_once),         EXPLORED(one_after_the_other),
        EXPLORED(tick_until_stopped), EXPLORED(fork_and_join),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
