/* SPDX-License-Identifier: MIT */
/* stress_rwlock.c - read-write locks under parties that read, write, time out and give up in every
 * order, and under a crowd of one kind that must not starve the other. */
#include <ravel/rwlock.h>

#include <errno.h>

#include "parties.h"

enum { PARTIES = 6, CROWD = 4 };

struct ledger {
    struct rv_rwlock l;
    _Atomic(int) readers, writers; /* inside */
    size_t rounds;                 /* of each party */
    size_t count;                  /* written inside */
};

static int lock_somehow(struct rv_rwlock *l, bool to_write, struct rvi_rng *rng)
{
    if (rvi_rng_below(rng, 4) == 0)
        return to_write ? rv_rwlock_try_write_lock(l) : rv_rwlock_try_read_lock(l);
    rv_time deadline = some_deadline(rng);
    return to_write ? rv_rwlock_write_lock(l, deadline) : rv_rwlock_read_lock(l, deadline);
}

static void write_inside(struct ledger *ledger, struct rvi_rng *rng)
{
    RV_CHECK(rvi_fetch_add_relaxed(&ledger->writers, 1) == 0);
    RV_CHECK(rvi_load_relaxed(&ledger->readers) == 0);
    size_t seen = ledger->count;
    pause_sometimes(rng);
    ledger->count = seen + 1;
    rvi_fetch_sub_relaxed(&ledger->writers, 1);
    rv_rwlock_write_unlock(&ledger->l);
}

static void read_inside(struct ledger *ledger, struct rvi_rng *rng)
{
    rvi_fetch_add_relaxed(&ledger->readers, 1);
    RV_CHECK(rvi_load_relaxed(&ledger->writers) == 0);
    size_t seen = ledger->count;
    pause_sometimes(rng);
    RV_CHECK(ledger->count == seen);
    rvi_fetch_sub_relaxed(&ledger->readers, 1);
    rv_rwlock_read_unlock(&ledger->l);
}

static int keep_books(void *arg)
{
    struct ledger *ledger = arg;
    struct rvi_rng rng;
    size_t left = ledger->rounds;
    seed_next(&rng);
    while (left > 0) {
        bool to_write = rvi_rng_below(&rng, 3) == 0 || left == 1;
        int err = lock_somehow(&ledger->l, to_write, &rng);
        if (err < 0) {
            RV_CHECK(err == -EAGAIN || err == -ETIME);
            rv_yield();
            continue;
        }
        if (to_write) {
            write_inside(ledger, &rng);
            left--;
        } else {
            read_inside(ledger, &rng);
        }
    }
    return 0;
}

static void writers_are_alone_and_nobody_is_forgotten(void)
{
    struct ledger ledger = {.l = RV_RWLOCK_INIT, .rounds = scaled(2000)};
    for (int i = 0; i < PARTIES; i++)
        start(keep_books, &ledger);
    finish();
    RV_CHECK(ledger.count == PARTIES * ledger.rounds);
}

/* --- a crowd that never lets go all at once --- */

struct crowded {
    struct rv_rwlock l;
    bool crowd_writes;
    _Atomic(int) enough;
};

static int be_part_of_the_crowd(void *arg)
{
    struct crowded *at = arg;
    while (!rvi_load_relaxed(&at->enough)) {
        RV_CHECK((at->crowd_writes ? rv_rwlock_write_lock(&at->l, RV_NEVER)
                                   : rv_rwlock_read_lock(&at->l, RV_NEVER)) == 0);
        rv_yield();
        if (at->crowd_writes)
            rv_rwlock_write_unlock(&at->l);
        else
            rv_rwlock_read_unlock(&at->l);
    }
    return 0;
}

/* One of the other kind; if it starved, the crowd would never have enough. */
static void get_through(bool crowd_writes)
{
    struct crowded at = {.l = RV_RWLOCK_INIT, .crowd_writes = crowd_writes};
    for (int i = 0; i < CROWD; i++)
        start(be_part_of_the_crowd, &at);
    for (size_t i = scaled(2000); i > 0; i--) {
        RV_CHECK((crowd_writes ? rv_rwlock_read_lock(&at.l, RV_NEVER)
                               : rv_rwlock_write_lock(&at.l, RV_NEVER)) == 0);
        if (crowd_writes)
            rv_rwlock_read_unlock(&at.l);
        else
            rv_rwlock_write_unlock(&at.l);
        rv_yield();
    }
    rvi_store_relaxed(&at.enough, 1);
    finish();
}

static void readers_do_not_starve_a_writer(void)
{
    get_through(false);
}

static void writers_do_not_starve_a_reader(void)
{
    get_through(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_STAGE(writers_are_alone_and_nobody_is_forgotten),
        ON_EVERY_STAGE(readers_do_not_starve_a_writer),
        ON_EVERY_STAGE(writers_do_not_starve_a_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
