/* SPDX-License-Identifier: MIT */
/* stress_scope.c - random trees of tasks over random scopes: whoever was started has run once
 * before his scope ended, whoever started him, wherever, and whatever was cancelled meanwhile.
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
    TREES = 150,
    MOST_CHILDREN = 5,
    MOST_DEPTH = 7,
    STORMS = 60,
    STARTERS = 12,
    STARTED_EACH = 150,
    THREADS = 3,
};

/* --- trees --- */

/* One open scope, seen from the tasks under it. */
struct branch {
    struct branch *outer;
    rv_scope *scope;
    int depth;
    _Atomic(long) started, ran;
};

struct leaf {
    struct branch *branch; /* where it was started */
    uint64_t seed;
};

static int grow(void *arg);

static struct leaf *leaf_new(struct branch *branch, struct rvi_rng *rng)
{
    struct leaf *leaf = malloc(sizeof(*leaf));
    RV_CHECK(leaf != NULL);
    *leaf = (struct leaf){branch, rvi_rng_next(rng)};
    return leaf;
}

static void start_in(struct branch *branch, struct rvi_rng *rng)
{
    struct leaf *leaf = leaf_new(branch, rng);
    rvi_fetch_add_relaxed(&branch->started, 1);
    int r = rv_go(branch->scope, grow, leaf);
    if (r == 0)
        return;
    RV_CHECK(r == -ECANCELED);
    rvi_fetch_sub_relaxed(&branch->started, 1);
    free(leaf);
}

/* This scope or one further out; all are open as long as somebody is under them. */
static struct branch *any_branch(struct branch *branch, struct rvi_rng *rng)
{
    while (branch->outer != NULL && rvi_rng_below(rng, 3) == 0)
        branch = branch->outer;
    return branch;
}

static void dawdle(struct rvi_rng *rng)
{
    switch (rvi_rng_below(rng, 8)) {
    case 0:
        rv_yield();
        break;
    case 1:
        (void)!rv_sleep((rv_time)rvi_rng_below(rng, 50) * RV_MICROSECOND);
        break;
    case 2:
        (void)!rv_migrate((unsigned)rvi_rng_below(rng, rv_run_workers()));
        break;
    default:
        break;
    }
}

static struct rv_scope_opts any_opts(struct rvi_rng *rng)
{
    struct rv_scope_opts opts = {.size = sizeof(opts)};
    opts.policy = (enum rv_policy)rvi_rng_below(rng, 3);
    if (rvi_rng_below(rng, 8) == 0)
        opts.deadline = rv_after((rv_time)rvi_rng_below(rng, 200) * RV_MICROSECOND);
    return opts;
}

/* A task opens a scope of its own, starts children there and further out, and may cancel any of
 * them. */
static void branch_out(struct branch *outer, struct rvi_rng *rng)
{
    struct rv_scope_opts opts = any_opts(rng);
    struct branch branch = {outer, NULL, outer ? outer->depth + 1 : 0, 0, 0};
    uint64_t children = 1 + rvi_rng_below(rng, MOST_CHILDREN);
    RV_CHECK(rv_scope_open(&branch.scope, &opts) == 0);
    for (uint64_t i = 0; i < children; i++) {
        start_in(any_branch(&branch, rng), rng);
        if (rvi_rng_below(rng, 40) == 0)
            rv_scope_cancel(any_branch(&branch, rng)->scope, -ESTALE);
        if (rvi_rng_below(rng, 4) == 0)
            rv_yield();
    }
    (void)!rv_scope_close(branch.scope);
    RV_CHECK(rvi_load_relaxed(&branch.started) == rvi_load_relaxed(&branch.ran));
}

static int grow(void *arg)
{
    struct leaf leaf = *(struct leaf *)arg;
    struct rvi_rng rng;
    free(arg);
    rvi_rng_seed(&rng, leaf.seed);
    dawdle(&rng);
    if (leaf.branch->depth < MOST_DEPTH && rvi_rng_below(&rng, 3) == 0)
        branch_out(leaf.branch, &rng);
    dawdle(&rng);
    rvi_fetch_add_relaxed(&leaf.branch->ran, 1);
    return rvi_rng_below(&rng, 30) == 0 ? -EIO : 0;
}

static int plant(void *arg)
{
    struct rvi_rng rng;
    rvi_rng_seed(&rng, *(uint64_t *)arg);
    for (int i = 0; i < 10; i++)
        branch_out(NULL, &rng);
    return 0;
}

static void everybody_in_a_random_tree_runs_once(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < scaled(TREES, 8); seed++) {
        struct rv_run_opts opts = {.size = sizeof(opts), .workers = 1 + seed % 4};
        assert_int_equal(rv_run(plant, &seed, &opts), 0);
    }
}

/* --- storms --- */

/* Many start in one scope, on all workers and on plain threads, while it is cancelled. */
struct storm {
    rv_scope *scope;
    int until_cancel; /* the start that cancels it; more than there are: none */
    _Atomic(int) count;
    _Atomic(long) started, ran;
};

static int count_run(void *arg)
{
    struct storm *storm = arg;
    rvi_fetch_add_relaxed(&storm->ran, 1);
    return 0;
}

static int start_many(void *arg)
{
    struct storm *storm = arg;
    for (int i = 0; i < STARTED_EACH; i++) {
        int r = rv_go(storm->scope, count_run, storm);
        if (r == -ECANCELED)
            break;
        RV_CHECK(r == 0);
        rvi_fetch_add_relaxed(&storm->started, 1);
        if (rvi_fetch_add_relaxed(&storm->count, 1) == storm->until_cancel)
            rv_scope_cancel(storm->scope, -EIO);
    }
    return 0;
}

static void *start_many_on_a_thread(void *arg)
{
    start_many(arg);
    return NULL;
}

static int join_threads(void *arg)
{
    pthread_t *threads = arg;
    for (int i = 0; i < THREADS; i++)
        RV_CHECK(pthread_join(threads[i], NULL) == 0);
    return 0;
}

static int raise_storm(void *arg)
{
    int number = *(int *)arg, err;
    struct storm storm = {.until_cancel = number * 37};
    pthread_t threads[THREADS];
    RV_CHECK(rv_scope_open(&storm.scope, NULL) == 0);
    for (int i = 0; i < THREADS; i++)
        RV_CHECK(pthread_create(&threads[i], NULL, start_many_on_a_thread, &storm) == 0);
    RV_SCOPE(starters, err) {
        for (int i = 0; i < STARTERS; i++)
            try_go(starters, start_many, &storm);
    }
    for (int i = 0; i < STARTERS / 2; i++)
        try_go(storm.scope, start_many, &storm);
    bool was_cancelled = rv_scope_reason(storm.scope) == -EIO;
    RV_CHECK(rv_shield_begin(rv_after(60 * RV_MINUTE)) == 0);
    RV_CHECK(rv_blocking(join_threads, threads, NULL) == 0);
    rv_shield_end();
    err = rv_scope_close(storm.scope);
    RV_CHECK(err == -EIO || (err == 0 && !was_cancelled));
    RV_CHECK(rvi_load_relaxed(&storm.started) == rvi_load_relaxed(&storm.ran));
    return 0;
}

static void starting_and_cancelling_from_everywhere_loses_nobody(void **state)
{
    (void)state;
    for (int i = 0; i < (int)scaled(STORMS, 6); i++) {
        struct rv_run_opts opts = {.size = sizeof(opts), .workers = 1 + (unsigned)i % 4};
        assert_int_equal(rv_run(raise_storm, &i, &opts), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody_in_a_random_tree_runs_once),
        cmocka_unit_test(starting_and_cancelling_from_everywhere_loses_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
