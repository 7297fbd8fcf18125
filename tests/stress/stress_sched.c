/* SPDX-License-Identifier: MIT */
/* stress_sched.c - random programs: tasks that start tasks in scopes of their own, yield, sleep,
 * move, compute, meet at semaphores, fail, and are cancelled, on a few workers, with many stacks
 * and with few.
 *
 * Whatever happens, every task that was started ends once, every scope closes with a result that
 * its tasks can have caused, and nothing is left over. */
#include <errno.h>

#include "base/alloc.h"
#include "stress.h"

enum { MOST = 4, CHILDREN = 8 };

struct world {
    _Atomic(uint64_t) seed;
    _Atomic(int64_t) budget; /* tasks that may still be started */
    _Atomic(uint64_t) started, ended;
    struct rv_sem sems[4];
    bool with_failures;
};

struct errand {
    struct world *world;
    int depth;
};

static int live(void *arg);

static void compute(struct rvi_rng *rng)
{
    for (uint64_t n = rvi_rng_below(rng, 2000); n > 0; n--)
        rvi_compiler_barrier();
}

/* Several at once pass through, so somebody always is about to post. */
static int meet(struct world *world, struct rvi_rng *rng)
{
    struct rv_sem *sem = &world->sems[rvi_rng_below(rng, 4)];
    int r = rv_sem_wait(sem, rv_after((rv_time)rvi_rng_below(rng, 300) * RV_MICROSECOND));
    rv_yield();
    if (r == 0)
        rv_sem_post(sem, 1);
    return r == -ETIME ? 0 : r;
}

/* What a scope may say when tasks fail as they like here and without a stack. */
static bool is_expected(const struct world *world, int err)
{
    return err == 0 || err == -ECANCELED ||
           (world->with_failures &&
            (err == -EIO || err == -ENOMEM || err == -ETIME || err == -EINTR));
}

static int have_children(struct errand *errand, struct rvi_rng *rng)
{
    struct world *world = errand->world;
    struct errand child = {world, errand->depth - 1};
    enum rv_policy policy =
        world->with_failures ? (enum rv_policy)rvi_rng_below(rng, 3) : RV_FAIL_FAST;
    bool has_deadline = world->with_failures && rvi_rng_below(rng, 4) == 0;
    size_t count = 1 + rvi_rng_below(rng, CHILDREN);
    int err;

    if (rvi_fetch_sub_relaxed(&world->budget, (int64_t)count) < (int64_t)count)
        return 0;
    RV_SCOPE(s, err, .policy = policy,
             .deadline = has_deadline ? rv_after(300 * RV_MICROSECOND) : 0) {
        for (size_t i = 0; i < count; i++) {
            int r = rv_go(s, live, &child);
            RV_CHECK(r == 0 || r == -ECANCELED);
            if (r == 0)
                rvi_fetch_add_relaxed(&world->started, 1);
        }
        if (world->with_failures && rvi_rng_below(rng, 8) == 0)
            rv_scope_cancel(s, -EINTR);
        (void)meet(world, rng);
    }
    RV_CHECK(is_expected(world, err));
    return err == -ECANCELED ? err : 0;
}

static int do_something(struct errand *errand, struct rvi_rng *rng)
{
    switch (rvi_rng_below(rng, 8)) {
    case 0:
    case 1:
        return errand->depth > 0 ? have_children(errand, rng) : 0;
    case 2:
        rv_yield();
        return 0;
    case 3:
        return rv_sleep((rv_time)rvi_rng_below(rng, 200) * RV_MICROSECOND);
    case 4:
        return rv_migrate((unsigned)rvi_rng_below(rng, rv_run_workers()));
    case 5:
        return meet(errand->world, rng);
    case 6:
        return errand->world->with_failures && rvi_rng_below(rng, 10) == 0 ? -EIO : 0;
    default:
        compute(rng);
        return 0;
    }
}

static int live(void *arg)
{
    struct errand *errand = arg;
    struct world *world = errand->world;
    struct rvi_rng rng;
    int r = 0;

    rvi_rng_seed(&rng, rvi_fetch_add_relaxed(&world->seed, 1));
    for (uint64_t steps = rvi_rng_below(&rng, 12); steps > 0 && r == 0; steps--)
        r = do_something(errand, &rng);
    RV_CHECK(r == 0 || r == -ECANCELED || r == -EIO);
    rvi_fetch_add_relaxed(&world->ended, 1);
    return r;
}

static int create(void *arg)
{
    struct world *world = arg;
    struct errand errand = {world, 5};
    int err;
    while (rvi_load_relaxed(&world->budget) > 0) {
        RV_SCOPE(s, err, .policy = RV_COLLECT_ALL) {
            for (size_t i = 0; i < 2 * CHILDREN; i++) {
                RV_CHECK(rv_go(s, live, &errand) == 0);
                rvi_fetch_add_relaxed(&world->started, 1);
            }
        }
        RV_CHECK(is_expected(world, err));
    }
    return 0;
}

static void world_init(struct world *world, uint64_t seed, int64_t budget, bool with_failures)
{
    *world = (struct world){.seed = seed, .budget = budget, .with_failures = with_failures};
    for (size_t i = 0; i < 4; i++)
        rv_sem_init(&world->sems[i], 2);
}

static void live_on(unsigned workers, int64_t budget, bool with_failures, size_t max_tasks)
{
    struct rv_run_opts opts = {.workers = workers, .max_tasks = max_tasks};
    struct world world;
    long before = rvi_alloc_live();

    world_init(&world, workers * 1000003, budget, with_failures);
    assert_int_equal(rv_run(create, &world, &opts), 0);
    if (max_tasks == 0)
        assert_int_equal(world.ended, world.started);
    assert_in_range(world.ended, 1, world.started);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(rv_sem_try_wait(&world.sems[i]), 0);
        assert_int_equal(rv_sem_try_wait(&world.sems[i]), 0);
        assert_int_equal(rv_sem_try_wait(&world.sems[i]), -EAGAIN);
    }
    assert_int_equal(rvi_alloc_live(), before);
}

static void random_programs_finish(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= MOST; workers++)
        live_on(workers, (int64_t)scaled(30000, 300), false, 0);
}

static void random_programs_finish_whatever_fails(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= MOST; workers++)
        live_on(workers, (int64_t)scaled(30000, 300), true, 0);
}

static void random_programs_finish_with_few_stacks(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= MOST; workers++)
        live_on(workers, (int64_t)scaled(10000, 300), true, 32);
}

static void *live_beside_others(void *arg)
{
    struct rv_run_opts opts = {.workers = 2};
    struct world *world = arg;
    RV_CHECK(rv_run(create, world, &opts) == 0);
    RV_CHECK(world->ended == world->started);
    return NULL;
}

static void runtimes_beside_each_other_finish(void **state)
{
    (void)state;
    enum { RUNTIMES = 3 };
    struct world worlds[RUNTIMES];
    pthread_t threads[RUNTIMES];
    for (size_t i = 0; i < RUNTIMES; i++) {
        world_init(&worlds[i], i * 7919, (int64_t)scaled(10000, 300), true);
        assert_int_equal(pthread_create(&threads[i], NULL, live_beside_others, &worlds[i]), 0);
    }
    for (size_t i = 0; i < RUNTIMES; i++)
        pthread_join(threads[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_programs_finish),
        cmocka_unit_test(random_programs_finish_whatever_fails),
        cmocka_unit_test(random_programs_finish_with_few_stacks),
        cmocka_unit_test(runtimes_beside_each_other_finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
