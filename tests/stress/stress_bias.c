/* SPDX-License-Identifier: MIT */
/* stress_bias.c - a biased lock is taken by its owner as fast as it can, and revoked in the middle
 * of it: nobody is ever inside beside another, whatever the moment.
 *
 * Each lock is revoked once in its life, so there are many of them, one after the other. */
#include "sched/bias.h"

#include "stress.h"
#include "sys/thread.h"

enum { INTRUDERS = 2, PATIENCE = 1000 };

/* What the lock guards: two counts that are equal whenever nobody is inside. */
struct vault {
    struct rvi_bias lock;
    uint64_t first, second;
    _Atomic(bool) is_open; /* intruders have come */
};

struct heist {
    struct vault *vaults;
    size_t count;
    uint64_t dawdle_ns;
    _Atomic(size_t) reached; /* the vault that the owner is at */
};

struct intruder {
    struct heist *heist;
    struct rvi_worker *self;
    uint64_t seed;
    uint64_t visits;
    pthread_t thread;
};

static void visit(struct vault *vault)
{
    bool biased = rvi_bias_lock(&vault->lock);
    RV_CHECK(vault->first == vault->second);
    vault->first++;
    rvi_compiler_barrier();
    vault->second++;
    rvi_bias_unlock(&vault->lock, biased);
}

/* Waits for the owner to be at each vault, and comes in at some moment. */
static void *intrude(void *arg)
{
    struct intruder *self = arg;
    struct heist *heist = self->heist;
    struct rvi_rng rng;

    rvi_rng_seed(&rng, self->seed);
    rvi_here.worker = self->self;
    for (size_t i = 0; i < heist->count; i++) {
        while (rvi_load_acquire(&heist->reached) <= i) /* pairs: stress-reached */
            rvi_thread_yield();
        dawdle(&rng, heist->dawdle_ns);
        for (int k = 0; k < 3; k++) {
            visit(&heist->vaults[i]);
            self->visits++;
        }
        rvi_store_relaxed(&heist->vaults[i].is_open, true);
    }
    return NULL;
}

static uint64_t own(struct heist *heist)
{
    uint64_t visits = 0;
    rvi_here.worker = (struct rvi_worker *)0x1000;
    for (size_t n = 0; n < heist->count; n++) {
        struct vault *vault = &heist->vaults[n];
        visit(vault);
        visits++;
        rvi_store_release(&heist->reached, n + 1); /* pairs: stress-reached */
        for (size_t i = 0; !rvi_load_relaxed(&vault->is_open); i++, visits++) {
            visit(vault);
            if (i > PATIENCE)
                rvi_thread_yield(); /* there are fewer cores than threads */
        }
    }
    rvi_here.worker = NULL;
    return visits;
}

static void break_in(size_t count, uint64_t dawdle_ns)
{
    struct heist heist = {test_calloc(count, sizeof(*heist.vaults)), count, dawdle_ns, 0};
    struct intruder intruders[INTRUDERS];
    uint64_t visits, counted = 0;

    for (size_t i = 0; i < INTRUDERS; i++) {
        struct rvi_worker *self = i % 2 ? (struct rvi_worker *)0x2000 : NULL;
        intruders[i] = (struct intruder){.heist = &heist, .self = self, .seed = i};
        assert_int_equal(pthread_create(&intruders[i].thread, NULL, intrude, &intruders[i]), 0);
    }
    visits = own(&heist);
    for (size_t i = 0; i < INTRUDERS; i++) {
        pthread_join(intruders[i].thread, NULL);
        visits += intruders[i].visits;
    }
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(heist.vaults[i].first, heist.vaults[i].second);
        assert_ptr_equal(heist.vaults[i].lock.owner, RVI_BIAS_NONE);
        counted += heist.vaults[i].first;
    }
    assert_int_equal(counted, visits);
    test_free(heist.vaults);
}

static void nobody_gets_in_beside_the_owner(void **state)
{
    (void)state;
    break_in(scaled(20000, 100), 500);
    break_in(scaled(1000, 100), 5000);
}

static void nobody_gets_in_beside_the_owner_with_real_fences(void **state)
{
    (void)state;
    rvi_fence_asym_force_symmetric(true);
    break_in(scaled(10000, 100), 500);
    rvi_fence_asym_force_symmetric(false);
}

/* Nobody owns it yet, and all come at once. */
struct rush {
    struct rvi_bias lock;
    uint64_t first, second;
    pthread_barrier_t *start;
};

struct runner {
    struct rush *rushes;
    size_t count;
    struct rvi_worker *self;
    pthread_t thread;
};

static void *run_in(void *arg)
{
    struct runner *self = arg;
    rvi_here.worker = self->self;
    for (size_t i = 0; i < self->count; i++) {
        struct rush *rush = &self->rushes[i];
        if (i % 16 == 0)
            pthread_barrier_wait(rush->start);
        for (int k = 0; k < 4; k++) {
            bool biased = rvi_bias_lock(&rush->lock);
            RV_CHECK(rush->first++ == rush->second);
            rush->second++;
            rvi_bias_unlock(&rush->lock, biased);
        }
    }
    return NULL;
}

static void the_first_ones_all_come_at_once(void **state)
{
    (void)state;
    enum { RUNNERS = 3 };
    size_t count = scaled(40000, 320) / 16 * 16;
    struct rush *rushes = test_calloc(count, sizeof(*rushes));
    struct runner runners[RUNNERS];
    pthread_barrier_t start;

    assert_int_equal(pthread_barrier_init(&start, NULL, RUNNERS), 0);
    for (size_t i = 0; i < count; i++)
        rushes[i].start = &start;
    for (size_t i = 0; i < RUNNERS; i++) {
        struct rvi_worker *self = i == 0 ? NULL : (struct rvi_worker *)(0x1000 * i);
        runners[i] = (struct runner){rushes, count, self, 0};
        assert_int_equal(pthread_create(&runners[i].thread, NULL, run_in, &runners[i]), 0);
    }
    for (size_t i = 0; i < RUNNERS; i++)
        pthread_join(runners[i].thread, NULL);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(rushes[i].first, RUNNERS * 4);
    pthread_barrier_destroy(&start);
    test_free(rushes);
}

static int setup(void **state)
{
    (void)state;
    rvi_fence_asym_init();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_gets_in_beside_the_owner),
        cmocka_unit_test(nobody_gets_in_beside_the_owner_with_real_fences),
        cmocka_unit_test(the_first_ones_all_come_at_once),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
