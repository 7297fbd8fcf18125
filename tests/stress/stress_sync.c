/* SPDX-License-Identifier: MIT */
/* stress_sync.c - mutex, condition, semaphore and event under parties that lock, time out and give
 * up in every order. */
#include <ravel/sync.h>

#include <errno.h>

#include "parties.h"

enum { PARTIES = 5, UNITS = 2, BATCH = 20 };

/* --- mutex --- */

struct shared {
    struct rv_mutex m;
    struct rv_cond c;
    size_t rounds; /* of each party */
    size_t seed;
    size_t count; /* guarded by m */
    size_t tickets;
    size_t tickets_left;
};

static size_t new_seed(struct shared *shared)
{
    RV_CHECK(rv_mutex_lock(&shared->m, RV_NEVER) == 0);
    size_t seed = shared->seed++;
    rv_mutex_unlock(&shared->m);
    return seed;
}

static int lock_somehow(struct rv_mutex *m, struct rvi_rng *rng)
{
    return rvi_rng_below(rng, 4) == 0 ? rv_mutex_try_lock(m) : rv_mutex_lock(m, some_deadline(rng));
}

static int count_up(void *arg)
{
    struct shared *shared = arg;
    struct rvi_rng rng;
    size_t left = shared->rounds;
    rvi_rng_seed(&rng, new_seed(shared));
    while (left > 0) {
        int err = lock_somehow(&shared->m, &rng);
        if (err < 0) {
            RV_CHECK(err == -EAGAIN || err == -ETIME);
            rv_yield();
            continue;
        }
        size_t seen = shared->count;
        pause_sometimes(&rng);
        shared->count = seen + 1;
        rv_mutex_unlock(&shared->m);
        left--;
    }
    return 0;
}

static void a_mutex_loses_no_count(void)
{
    struct shared shared = {.m = RV_MUTEX_INIT, .rounds = scaled(2000)};
    for (int i = 0; i < PARTIES; i++)
        start(count_up, &shared);
    finish();
    RV_CHECK(shared.count == PARTIES * shared.rounds);
}

/* Guarded by its own mutex, and freed by who is the last to leave. */
struct counted {
    struct rv_mutex m;
    int users;
};

static int use_and_leave(void *arg)
{
    struct counted *counted = arg;
    for (int i = 0; i < 3; i++) {
        RV_CHECK(rv_mutex_lock(&counted->m, RV_NEVER) == 0);
        bool is_last = i == 2 && --counted->users == 0;
        rv_mutex_unlock(&counted->m);
        if (is_last)
            free(counted);
    }
    return 0;
}

static void a_mutex_may_go_with_its_last_user(void)
{
    for (size_t round = scaled(100); round > 0; round--) {
        struct counted *counted = calloc(1, sizeof(*counted));
        RV_CHECK(counted);
        counted->users = PARTIES;
        for (int i = 0; i < PARTIES; i++)
            start(use_and_leave, counted);
        finish();
    }
}

/* --- condition --- */

/* One that gives up looks at nothing before it goes: had its signal been lost, a ticket would stay
 * behind that a patient party waits for until the end of days. */
static int take_tickets(struct shared *shared, bool patient)
{
    struct rvi_rng rng;
    rvi_rng_seed(&rng, new_seed(shared));
    RV_CHECK(rv_mutex_lock(&shared->m, RV_NEVER) == 0);
    while (shared->tickets_left > 0) {
        int err = 0;
        if (shared->tickets == 0)
            err = rv_cond_wait(&shared->c, &shared->m, patient ? RV_NEVER : short_deadline(&rng));
        RV_CHECK(err == 0 || err == -ETIME);
        if (err == 0 && shared->tickets > 0) {
            shared->tickets--;
            if (--shared->tickets_left == 0)
                rv_cond_broadcast(&shared->c);
        } else if (err == -ETIME) {
            rv_mutex_unlock(&shared->m);
            for (uint64_t i = rvi_rng_below(&rng, 20); i > 0; i--)
                rv_yield();
            RV_CHECK(rv_mutex_lock(&shared->m, RV_NEVER) == 0);
        }
    }
    rv_mutex_unlock(&shared->m);
    return 0;
}

static int wait_patiently(void *arg)
{
    return take_tickets(arg, true);
}

static int wait_and_give_up(void *arg)
{
    return take_tickets(arg, false);
}

static int hand_out_tickets(void *arg)
{
    struct shared *shared = arg;
    struct rvi_rng rng;
    rvi_rng_seed(&rng, new_seed(shared));
    for (size_t i = 0; i < shared->rounds; i++) {
        bool inside = rvi_rng_below(&rng, 2) == 0;
        RV_CHECK(rv_mutex_lock(&shared->m, RV_NEVER) == 0);
        shared->tickets++;
        if (inside)
            rv_cond_signal(&shared->c);
        rv_mutex_unlock(&shared->m);
        if (!inside)
            rv_cond_signal(&shared->c);
        pause_sometimes(&rng);
    }
    return 0;
}

static void no_signal_is_lost_to_one_that_gives_up(void)
{
    struct shared shared = {.m = RV_MUTEX_INIT, .c = RV_COND_INIT, .rounds = scaled(1500)};
    shared.tickets_left = 2 * shared.rounds;
    for (int i = 0; i < 2; i++) {
        start(wait_patiently, &shared);
        start(wait_and_give_up, &shared);
        start(hand_out_tickets, &shared);
    }
    finish();
    RV_CHECK(shared.tickets == 0 && shared.tickets_left == 0);
}

/* --- semaphore --- */

struct pool {
    struct shared shared;
    struct rv_sem s;
    _Atomic(int) inside;
};

static int wait_somehow(struct rv_sem *s, struct rvi_rng *rng)
{
    return rvi_rng_below(rng, 4) == 0 ? rv_sem_try_wait(s) : rv_sem_wait(s, some_deadline(rng));
}

static int go_in_and_out(void *arg)
{
    struct pool *pool = arg;
    struct rvi_rng rng;
    size_t left = pool->shared.rounds;
    rvi_rng_seed(&rng, new_seed(&pool->shared));
    while (left > 0) {
        int err = wait_somehow(&pool->s, &rng);
        if (err < 0) {
            RV_CHECK(err == -EAGAIN || err == -ETIME);
            rv_yield();
            continue;
        }
        RV_CHECK(rvi_fetch_add_relaxed(&pool->inside, 1) < UNITS);
        pause_sometimes(&rng);
        rvi_fetch_sub_relaxed(&pool->inside, 1);
        rv_sem_post(&pool->s, 1);
        left--;
    }
    return 0;
}

static void a_semaphore_neither_loses_nor_makes_units(void)
{
    struct pool pool = {.shared = {.m = RV_MUTEX_INIT, .rounds = scaled(2000)}, .s = RV_SEM_INIT};
    rv_sem_post(&pool.s, UNITS);
    for (int i = 0; i < PARTIES; i++)
        start(go_in_and_out, &pool);
    finish();
    for (int i = 0; i < UNITS; i++)
        RV_CHECK(rv_sem_try_wait(&pool.s) == 0);
    RV_CHECK(rv_sem_try_wait(&pool.s) == -EAGAIN);
}

/* --- event --- */

static int set_it(void *arg)
{
    rv_event_set(arg);
    return 0;
}

/* Instead of freeing it, the waiter fills it: what the setter still writes would show. */
static void wait_and_fill(struct rv_event *e, struct rvi_rng *rng)
{
    int err;
    do
        err = rv_event_wait(e, some_deadline(rng));
    while (err == -ETIME);
    RV_CHECK(err == 0);
    memset(e, 0xff, sizeof(*e));
}

static void the_event_is_the_waiters_once_it_has_happened(void)
{
    static struct rv_event events[BATCH];
    struct rv_event filled;
    struct rvi_rng rng;
    rvi_rng_seed(&rng, 1);
    memset(&filled, 0xff, sizeof(filled));
    for (size_t round = scaled(60); round > 0; round--) {
        for (int i = 0; i < BATCH; i++) {
            rv_event_init(&events[i]);
            start(set_it, &events[i]);
            wait_and_fill(&events[i], &rng);
        }
        finish();
        for (int i = 0; i < BATCH; i++)
            RV_CHECK(memcmp(&events[i], &filled, sizeof(filled)) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_STAGE(a_mutex_loses_no_count),
        ON_EVERY_STAGE(a_mutex_may_go_with_its_last_user),
        ON_EVERY_STAGE(no_signal_is_lost_to_one_that_gives_up),
        ON_EVERY_STAGE(a_semaphore_neither_loses_nor_makes_units),
        ON_EVERY_STAGE(the_event_is_the_waiters_once_it_has_happened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
