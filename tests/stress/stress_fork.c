/* SPDX-License-Identifier: MIT */
/* stress_fork.c - trees of forks in both forms, of several tasks on several workers, whose nodes
 * block, yield, open scopes, start tasks and are cancelled at random. Each node runs once, and each
 * join has the result of its own fork. */
#include <errno.h>

#include "stress.h"

enum { RUNS = 200, TASKS = 4, TREES = 12, MOST_DEPTH = 9, FINE_N = 16 };

/* What a node of this seed and depth comes to, whoever runs it: see grow(). */
static uint64_t seed_of_child(uint64_t seed, int number)
{
    return (seed + (uint64_t)number + 1) * 0x9e3779b97f4a7c15;
}

static int depth_of_child(uint64_t seed, int number, int depth)
{
    return (seed >> (8 + number)) % 8 ? depth - 1 : depth / 2;
}

static uint64_t expected(uint64_t seed, int depth)
{
    uint64_t sum = seed;
    for (int i = 0; depth > 0 && i < 2; i++)
        sum += expected(seed_of_child(seed, i), depth_of_child(seed, i, depth)) * (uint64_t)(i + 3);
    return sum;
}

/* --- what a node does besides --- */

static int yield_once(void *arg)
{
    (void)arg;
    rv_yield();
    return 0;
}

static void open_a_scope(struct rvi_rng *rng)
{
    int err, r = 0;
    bool is_cancelled = rvi_rng_below(rng, 3) == 0;
    RV_SCOPE(scope, err) {
        struct rv_fork f;
        RV_CHECK(rv_fork(&f, yield_once, NULL) == 0);
        r = rv_go(scope, yield_once, NULL);
        if (is_cancelled)
            rv_scope_cancel(scope, -ESTALE);
        RV_CHECK(rv_join(&f) == 0);
    }
    RV_CHECK(err == (is_cancelled ? -ESTALE : 0) || err == -ECANCELED);
    RV_CHECK(r == 0 || r == -ECANCELED);
}

static void do_something(struct rvi_rng *rng)
{
    switch (rvi_rng_below(rng, 24)) {
    case 0:
        rv_yield();
        break;
    case 1:
        (void)!rv_sleep((rv_time)rvi_rng_below(rng, 20 * RV_MICROSECOND));
        break;
    case 2:
        dawdle(rng, 5 * RV_MICROSECOND);
        break;
    case 3:
        open_a_scope(rng);
        break;
    case 4:
        (void)rv_cancelled();
        break;
    default:
        break;
    }
}

/* --- trees --- */

static uint64_t grow_by_pointers(uint64_t seed, int depth);

RV_FORKABLE(uint64_t, grow, uint64_t, seed, int, depth)
{
    struct rvi_rng rng;
    rvi_rng_seed(&rng, seed);
    do_something(&rng);
    if (depth <= 0)
        return seed;
    RV_FORKED(grow) left;
    RV_FORK(left, grow, seed_of_child(seed, 0), depth_of_child(seed, 0, depth));
    do_something(&rng);
    uint64_t right_seed = seed_of_child(seed, 1);
    int right_depth = depth_of_child(seed, 1, depth);
    uint64_t right = rvi_rng_below(&rng, 4) ? RV_CALL(grow, right_seed, right_depth)
                                            : grow_by_pointers(right_seed, right_depth);
    return seed + RV_JOIN(left, grow) * 3 + right * 4;
}

struct node {
    uint64_t seed, result;
    int depth;
};

static int grow_node(void *arg)
{
    struct node *node = arg;
    node->result = grow_by_pointers(node->seed, node->depth);
    return (int)(node->seed % 1000);
}

static uint64_t grow_by_pointers(uint64_t seed, int depth)
{
    struct rvi_rng rng;
    struct rv_fork f;
    rvi_rng_seed(&rng, seed);
    if (depth <= 0)
        return seed;
    struct node left = {seed_of_child(seed, 0), 0, depth_of_child(seed, 0, depth)};
    RV_CHECK(rv_fork(&f, grow_node, &left) == 0);
    do_something(&rng);
    uint64_t right = grow(seed_of_child(seed, 1), depth_of_child(seed, 1, depth));
    RV_CHECK(rv_join(&f) == (int)(left.seed % 1000));
    return seed + left.result * 3 + right * 4;
}

static int grow_trees(void *arg)
{
    uint64_t seed = *(uint64_t *)arg;
    for (uint64_t i = 0; i < TREES; i++) {
        uint64_t tree = seed_of_child(seed, (int)i + 7);
        int depth = (int)(tree % MOST_DEPTH);
        RV_CHECK((i % 2 ? grow(tree, depth) : grow_by_pointers(tree, depth)) ==
                 expected(tree, depth));
    }
    return 0;
}

struct orchard {
    uint64_t seed;
    bool is_cancelled;
};

static int plant(void *arg)
{
    const struct orchard *orchard = arg;
    uint64_t seeds[TASKS];
    int err;
    RV_SCOPE(scope, err) {
        for (int i = 0; i < TASKS; i++) {
            seeds[i] = seed_of_child(orchard->seed, i);
            RV_CHECK(rv_go(scope, grow_trees, &seeds[i]) == 0);
        }
        if (orchard->is_cancelled && rv_sleep(RV_MILLISECOND) == 0)
            rv_scope_cancel(scope, -EIO);
    }
    RV_CHECK(err == (orchard->is_cancelled ? -EIO : 0));
    return 0;
}

static void every_node_of_random_trees_runs_once(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < scaled(RUNS, 6); i++) {
        struct orchard orchard = {i, i % 3 == 2};
        run_on(1 + (unsigned)i % 4, plant, &orchard);
    }
}

/* --- fine grain: thieves and owners meet at the split all the time --- */

RV_FORKABLE(long, fib, int, n)
{
    if (n < 2)
        return n;
    RV_FORKED(fib) left;
    RV_FORK(left, fib, n - 1);
    long right = RV_CALL(fib, n - 2);
    return RV_JOIN(left, fib) + right;
}

static int count_many(void *arg)
{
    long count = *(long *)arg;
    for (long i = 0; i < count; i++) {
        RV_CHECK(fib(FINE_N) == 987);
        if (i % 16 == 0)
            rv_yield();
    }
    return 0;
}

static int count_on_all_workers(void *arg)
{
    int err;
    RV_SCOPE(scope, err) {
        for (int i = 0; i < TASKS; i++)
            RV_CHECK(rv_go(scope, count_many, arg) == 0);
    }
    return err;
}

static void fine_forks_are_joined_with_their_own_results(void **state)
{
    (void)state;
    long count = (long)scaled(10000, 20);
    run_on(2, count_many, &count);
    run_on(3, count_on_all_workers, &count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_node_of_random_trees_runs_once),
        cmocka_unit_test(fine_forks_are_joined_with_their_own_results),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
