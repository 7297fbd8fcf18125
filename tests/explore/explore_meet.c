/* SPDX-License-Identifier: MIT */
/* explore_meet.c - read-write lock, barrier, latch, once and ticker among tasks of several workers
 * and a plain thread, some of whom are late or cancelled. */
#include <errno.h>

#include "explore.h"

enum { ROUNDS = 3, PARTIES = 3 };

/* Long enough for a party to fall asleep: one that polls would keep those of a lower priority from
 * running for ever. */
#define MOMENT (20 * RV_MICROSECOND)

static struct {
    struct rv_rwlock lock;
    struct rv_barrier barrier;
    struct rv_once once;
    struct rv_ticker ticker;
    rv_time first;
    _Atomic(int) readers, writers; /* inside */
    _Atomic(int) arrived, last;
    _Atomic(int) told; /* ticks */
    int written;       /* by writers, or by what is done once */
    int failures_left;
} on;

static void begin(void)
{
    rv_rwlock_init(&on.lock);
    rv_barrier_init(&on.barrier, PARTIES);
    on.once = (struct rv_once)RV_ONCE_INIT;
    on.first = rv_after(MOMENT);
    RV_CHECK(rv_ticker_init(&on.ticker, on.first, MOMENT) == 0);
    rvi_store_relaxed(&on.readers, 0);
    rvi_store_relaxed(&on.writers, 0);
    rvi_store_relaxed(&on.arrived, 0);
    rvi_store_relaxed(&on.last, 0);
    rvi_store_relaxed(&on.told, 0);
    on.written = 0;
    on.failures_left = 0;
}

static rv_time limit(const rv_time *patience)
{
    return patience ? rv_after(*patience) : RV_NEVER;
}

static int on_a_helper(void *arg)
{
    return rv_blocking((rv_fn *)arg, NULL, NULL);
}

/* --- read-write lock --- */

static int read_some(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        int r = rv_rwlock_read_lock(&on.lock, limit(arg));
        if (r == -ETIME)
            continue;
        if (r < 0)
            return r;
        rvi_fetch_add_relaxed(&on.readers, 1);
        int seen = on.written;
        RV_CHECK(rvi_load_relaxed(&on.writers) == 0);
        rv_yield();
        RV_CHECK(on.written == seen);
        rvi_fetch_sub_relaxed(&on.readers, 1);
        rv_rwlock_read_unlock(&on.lock);
    }
    return 0;
}

static int write_some(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        int r = rv_rwlock_write_lock(&on.lock, limit(arg));
        if (r == -ETIME)
            continue;
        if (r < 0)
            return r;
        RV_CHECK(rvi_fetch_add_relaxed(&on.writers, 1) == 0);
        on.written++;
        rv_yield();
        RV_CHECK(rvi_load_relaxed(&on.readers) == 0);
        rvi_fetch_sub_relaxed(&on.writers, 1);
        rv_rwlock_write_unlock(&on.lock);
    }
    return 0;
}

static void check_unlocked(void)
{
    RV_CHECK(rv_rwlock_try_write_lock(&on.lock) == 0);
    rv_rwlock_write_unlock(&on.lock);
}

static int readers_and_writers(void *arg)
{
    rv_time patience = 2 * RV_MICROSECOND;
    int err;

    (void)arg;
    begin();
    RV_SCOPE(s, err) {
        go(s, read_some, NULL);
        go(s, write_some, NULL);
        go(s, read_some, &patience);
        go(s, write_some, &patience);
        go(s, on_a_helper, (void *)read_some);
    }
    RV_CHECK(on.written >= ROUNDS && on.written <= 2 * ROUNDS);
    check_unlocked();
    return err;
}

/* The readers who stand behind a writer that goes must not be left behind. */
static int readers_behind_a_writer_that_gives_up(void *arg)
{
    rv_time patience = RV_MICROSECOND;
    int err;

    (void)arg;
    begin();
    RV_CHECK(rv_rwlock_read_lock(&on.lock, RV_NEVER) == 0);
    RV_SCOPE(s, err) {
        go(s, write_some, &patience);
        go(s, read_some, NULL);
        go(s, read_some, NULL);
    }
    rv_rwlock_read_unlock(&on.lock);
    check_unlocked();
    RV_CHECK(on.written == 0);
    return err;
}

static int readers_and_writers_cancelled(void *arg)
{
    int err;

    (void)arg;
    begin();
    RV_SCOPE(s, err) {
        go(s, read_some, NULL);
        go(s, write_some, NULL);
        go(s, write_some, NULL);
        go(s, read_some, NULL);
        rv_yield();
        rv_scope_cancel(s, -EINTR);
    }
    check_unlocked();
    return err == -EINTR ? 0 : err;
}

/* --- barrier --- */

static int go_rounds(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        int r;
        rvi_fetch_add_relaxed(&on.arrived, 1);
        while ((r = rv_barrier_wait(&on.barrier, limit(arg))) == -ETIME)
            if (rv_sleep(MOMENT) < 0)
                return -ECANCELED;
        if (r < 0)
            return r;
        rvi_fetch_add_relaxed(&on.last, r);
        int arrived = rvi_load_relaxed(&on.arrived);
        RV_CHECK(arrived >= (i + 1) * PARTIES && arrived < (i + 2) * PARTIES);
    }
    return 0;
}

static int rounds(void *arg)
{
    rv_time patience = MOMENT;
    int err;

    (void)arg;
    begin();
    RV_SCOPE(s, err) {
        go(s, go_rounds, NULL);
        go(s, go_rounds, &patience);
        go(s, on_a_helper, (void *)go_rounds);
    }
    RV_CHECK(rvi_load_relaxed(&on.last) == ROUNDS);
    return err;
}

/* --- latch --- */

static int count_down(void *arg)
{
    rv_latch_count_down(*(struct rv_latch **)arg, 1);
    return 0;
}

static int free_a_latch_after_waiting(void *arg)
{
    struct rv_latch *latch = rvi_alloc(sizeof(*latch));
    int err;

    (void)arg;
    RV_CHECK(latch);
    rv_latch_init(latch, PARTIES);
    RV_SCOPE(s, err) {
        for (int i = 0; i < PARTIES; i++)
            go(s, count_down, &latch);
        int r;
        while ((r = rv_latch_wait(latch, rv_after(MOMENT))) == -ETIME)
            RV_CHECK(rv_sleep(MOMENT) == 0);
        RV_CHECK(r == 0);
        rvi_free(latch);
    }
    return err;
}

/* --- once --- */

static int do_it(void *arg)
{
    (void)arg;
    RV_CHECK(rvi_fetch_add_relaxed(&on.writers, 1) == 0);
    int r = rv_sleep(MOMENT);
    rvi_fetch_sub_relaxed(&on.writers, 1);
    if (r < 0 || on.failures_left-- > 0)
        return r < 0 ? r : -EIO;
    on.written++;
    return 0;
}

static int need_it(void *arg)
{
    int r;

    while ((r = rv_once_do(&on.once, do_it, NULL, limit(arg))) == -EIO || r == -ETIME)
        if (rv_sleep(MOMENT) < 0)
            return -ECANCELED;
    RV_CHECK(r == -ECANCELED || (r == 0 && on.written == 1));
    return r;
}

static int done_once(void *arg)
{
    rv_time patience = MOMENT / 2;
    int err;

    (void)arg;
    begin();
    on.failures_left = 2;
    RV_SCOPE(s, err) {
        go(s, need_it, NULL);
        go(s, need_it, &patience);
        go(s, on_a_helper, (void *)need_it);
        go(s, need_it, NULL);
    }
    RV_CHECK(on.written == 1);
    return err;
}

static int done_once_although_some_are_cancelled(void *arg)
{
    int err;

    (void)arg;
    begin();
    RV_SCOPE(s, err) {
        go(s, need_it, NULL);
        go(s, need_it, NULL);
        rv_yield();
        rv_scope_cancel(s, -EINTR);
    }
    RV_CHECK(err == -EINTR);
    RV_CHECK(rv_once_do(&on.once, do_it, NULL, RV_NEVER) == 0 && on.written == 1);
    return 0;
}

/* --- ticker --- */

/* Time is virtual: what has been told when all are done is exactly what was due. */
static int take_ticks(void *arg)
{
    int r;

    while ((r = rv_ticker_wait(&on.ticker, limit(arg))) > 0 || r == -ETIME) {
        int told = r > 0 ? rvi_fetch_add_relaxed(&on.told, r) + r : rvi_load_relaxed(&on.told);
        RV_CHECK(told == 0 || rv_now() >= on.first + (told - 1) * MOMENT);
    }
    RV_CHECK(r == -EPIPE);
    return 0;
}

static int ticks(void *arg)
{
    rv_time patience = MOMENT / 2;
    int err;

    (void)arg;
    begin();
    RV_SCOPE(s, err) {
        go(s, take_ticks, NULL);
        go(s, take_ticks, &patience);
        go(s, on_a_helper, (void *)take_ticks);
        RV_CHECK(rv_sleep_until(on.first + ROUNDS * MOMENT) == 0);
        while (rvi_load_relaxed(&on.told) <= ROUNDS)
            RV_CHECK(rv_sleep(MOMENT) == 0);
        rv_ticker_stop(&on.ticker);
    }
    return err;
}

EXPLORATION(readers_and_writers)
EXPLORATION(readers_behind_a_writer_that_gives_up)
EXPLORATION(readers_and_writers_cancelled)
EXPLORATION(rounds)
EXPLORATION(free_a_latch_after_waiting)
EXPLORATION(done_once)
EXPLORATION(done_once_although_some_are_cancelled)
EXPLORATION(ticks)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EXPLORED(readers_and_writers),
        EXPLORED(readers_behind_a_writer_that_gives_up),
        EXPLORED(readers_and_writers_cancelled),
        EXPLORED(rounds),
        EXPLORED(free_a_latch_after_waiting),
        EXPLORED(done_once),
        EXPLORED(done_once_although_some_are_cancelled),
        EXPLORED(ticks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
