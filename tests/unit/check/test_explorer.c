/* SPDX-License-Identifier: MIT */
/* test_explorer.c - the plans that an explorer makes, and how soon they break toy programs.
 *
 * Seeds are fixed, so numbers of schedules are the same in every run; bounds are loose. What the
 * lineup is tuned by is bench_explorer.c. */
#include "check/driver/explorer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "check/driver/predict.h"
#include "check/runtime/op.h"
#include "toy.h"

enum { SEEDS = 20, BUDGET = 1000, MANY = 10000 };

static struct ck_explorer *explorer(const struct ck_explorer_opts *opts)
{
    struct ck_explorer *e = NULL;

    assert_int_equal(ck_explorer_new(opts, &e), 0);
    return e;
}

static unsigned schedules_to_failure(const struct toy *toy, const struct ck_explorer_opts *opts,
                                     struct ck_shared *shared)
{
    struct ck_explorer *e = explorer(opts);
    unsigned runs = 0;

    while (ck_explorer_next(e, shared, 0) == CK_GO_ON) {
        toy_run(toy, shared);
        runs++;
        if (shared->result.failure.kind != CK_FINE && shared->result.failure.kind != CK_STEPS)
            break;
        assert_int_equal(ck_explorer_feed(e, shared), 0);
    }
    ck_explorer_free(e);
    return runs;
}

static int compare(const void *a, const void *b)
{
    const unsigned *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

static void each_toy_bug_is_found_by_each_seed(void **state)
{
    (void)state;
    struct ck_shared *shared = toy_shared_new();
    double logs = 0;
    int toys = 0;
    for (const struct toy *toy = toy_bugs; toy->name; toy++, toys++) {
        unsigned runs[SEEDS];
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            struct ck_explorer_opts opts = {.seed = seed + 1, .schedules = BUDGET};
            runs[seed] = schedules_to_failure(toy, &opts, shared);
            if (runs[seed] == BUDGET)
                fail_msg("%s: seed %d finds nothing", toy->name, (int)seed + 1);
        }
        qsort(runs, SEEDS, sizeof runs[0], compare);
        logs += log(runs[SEEDS / 2]);
    }
    toy_shared_free(shared);
    assert_true(exp(logs / toys) <= 5.5);
}

static bool is_found_by(const struct toy *toy, int strategy, struct ck_shared *shared)
{
    struct ck_explorer_opts opts = {.seed = 7, .schedules = BUDGET, .only_strategy = strategy + 1};

    return schedules_to_failure(toy, &opts, shared) < BUDGET;
}

/* "lost update": any of them has to. */
static void each_strategy_alone_finds_a_lost_update(void **state)
{
    (void)state;
    struct ck_shared *shared = toy_shared_new();
    for (int strategy = 0; strategy < RVI_STRATEGY_KINDS; strategy++)
        assert_true(is_found_by(&toy_bugs[0], strategy, shared));
    toy_shared_free(shared);
}

static void nothing_is_found_in_a_correct_program(void **state)
{
    (void)state;
    struct ck_shared *shared = toy_shared_new();
    struct ck_explorer_opts opts = {.seed = 3, .schedules = BUDGET};
    assert_int_equal(schedules_to_failure(&toy_correct, &opts, shared), BUDGET);
    toy_shared_free(shared);
}

static void a_program_without_threads_is_soon_done(void **state)
{
    (void)state;
    struct ck_shared *shared = toy_shared_new();
    struct ck_explorer_opts opts = {.seed = 3, .schedules = BUDGET};
    struct ck_explorer *e = explorer(&opts);
    int schedules = 0;
    while (ck_explorer_next(e, shared, 0) == CK_GO_ON) {
        schedules++;
        toy_run(&toy_alone, shared);
        assert_int_equal(ck_explorer_feed(e, shared), 0);
    }
    assert_int_equal(ck_explorer_next(e, shared, 0), CK_NOTHING_TO_CHOOSE);
    assert_true(schedules < 10);
    ck_explorer_free(e);
    toy_shared_free(shared);
}

static void equal_seeds_make_equal_plans(void **state)
{
    (void)state;
    struct ck_shared *one = toy_shared_new(), *other = toy_shared_new();
    struct ck_explorer_opts opts = {.seed = 11};
    struct ck_explorer *e = explorer(&opts), *f = explorer(&opts);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(ck_explorer_next(e, one, 0), CK_GO_ON);
        assert_int_equal(ck_explorer_next(f, other, 12345), CK_GO_ON);
        assert_memory_equal(&one->plan, &other->plan, sizeof one->plan);
        toy_run(&toy_correct, one);
        toy_run(&toy_correct, other);
        assert_int_equal(one->result.hash, other->result.hash);
        assert_int_equal(ck_explorer_feed(e, one), 0);
        assert_int_equal(ck_explorer_feed(f, other), 0);
    }
    ck_explorer_free(e);
    ck_explorer_free(f);
    toy_shared_free(one);
    toy_shared_free(other);
}

/* The first sixteen: at least four strategies, all three granularities. */
static void early_plans_differ(void **state)
{
    (void)state;
    struct ck_shared *shared = toy_shared_new();
    struct ck_explorer_opts opts = {.seed = 5};
    struct ck_explorer *e = explorer(&opts);
    unsigned kinds = 0, granularities = 0;
    for (int i = 0; i < 16; i++) {
        assert_int_equal(ck_explorer_next(e, shared, 0), CK_GO_ON);
        if (shared->plan.mode == CK_EXPLORE)
            kinds |= 1U << shared->plan.strategy.kind;
        granularities |= 1U << shared->plan.granularity;
        toy_run(&toy_correct, shared);
        assert_int_equal(ck_explorer_feed(e, shared), 0);
    }
    assert_true(__builtin_popcount(kinds) >= 4);
    assert_int_equal(granularities, 7);
    ck_explorer_free(e);
    toy_shared_free(shared);
}

static void budgets_are_kept(void **state)
{
    (void)state;
    struct ck_shared *shared = toy_shared_new();
    struct ck_explorer_opts opts = {.seed = 5, .schedules = 2, .time_ns = 1000};
    struct ck_explorer *e = explorer(&opts);
    assert_int_equal(ck_explorer_next(e, shared, 999), CK_GO_ON);
    assert_int_equal(ck_explorer_next(e, shared, 1000), CK_TIME_SPENT);
    assert_int_equal(ck_explorer_next(e, shared, 0), CK_GO_ON);
    assert_int_equal(ck_explorer_next(e, shared, 0), CK_SCHEDULES_SPENT);
    ck_explorer_free(e);
    toy_shared_free(shared);
}

static void learned_locations_are_sorted_and_few(void **state)
{
    (void)state;
    struct ck_shared *shared = toy_shared_new();
    struct ck_explorer_opts opts = {.seed = 5, .only_granularity = CK_LEARNED + 1};
    struct ck_explorer *e = explorer(&opts);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(ck_explorer_next(e, shared, 0), CK_GO_ON);
        toy_run(&toy_correct, shared);
        assert_int_equal(ck_explorer_feed(e, shared), 0);
    }
    assert_int_equal(ck_explorer_next(e, shared, 0), CK_GO_ON);
    assert_in_range(shared->plan.location_count, 4, 6); /* the accesses to its one variable */
    for (uint32_t i = 1; i < shared->plan.location_count; i++)
        assert_true(shared->locations[i - 1].offset < shared->locations[i].offset);
    ck_explorer_free(e);
    toy_shared_free(shared);
}

static struct ck_event event(uint32_t thread, enum ck_op_kind op, uint64_t object, uint32_t offset)
{
    return (struct ck_event){
        .thread = thread, .op = (uint16_t)op, .object = object, .place = {0, offset}};
}

static uint64_t at(uint32_t offset)
{
    return UINT64_C(1) << 32 | offset;
}

static bool has_aims(const struct ck_prediction *p, int count, uint64_t hold, uint64_t until,
                     uint64_t other_hold, uint64_t other_until)
{
    for (int i = 0; i < count; i++) {
        if (p[i].aim_count == 2 && p[i].aims[0].hold == hold && p[i].aims[0].until == until &&
            p[i].aims[1].hold == other_hold && p[i].aims[1].until == other_until)
            return true;
    }
    return false;
}

static void crossed_locks_are_predicted(void **state)
{
    (void)state;
    static struct ck_prediction found[CK_PREDICTIONS_MOST];
    const struct ck_event events[] = {
        event(1, CK_OP_LOCK, 100, 1),   event(1, CK_OP_LOCK, 200, 2),
        event(1, CK_OP_UNLOCK, 200, 3), event(1, CK_OP_UNLOCK, 100, 4),
        event(2, CK_OP_LOCK, 200, 5),   event(2, CK_OP_LOCK, 100, 6),
    };
    int count = ck_predict(events, 6, found);
    assert_true(has_aims(found, count, at(2), at(5), at(6), at(1)));
    assert_int_equal(found[0].rank, CK_CROSSED_LOCKS);
}

static void a_write_between_is_predicted_unless_a_lock_forbids_it(void **state)
{
    (void)state;
    static struct ck_prediction found[CK_PREDICTIONS_MOST];
    const struct ck_event bare[] = {event(1, CK_OP_READ, 8, 1), event(1, CK_OP_WRITE, 8, 2),
                                    event(2, CK_OP_WRITE, 8, 3)};
    int count = ck_predict(bare, 3, found);
    assert_true(has_aims(found, count, at(2), at(3), at(3), at(1)));

    const struct ck_event locked[] = {
        event(1, CK_OP_LOCK, 100, 10),   event(1, CK_OP_READ, 8, 1),    event(1, CK_OP_WRITE, 8, 2),
        event(1, CK_OP_UNLOCK, 100, 11), event(2, CK_OP_LOCK, 100, 12), event(2, CK_OP_WRITE, 8, 3),
        event(2, CK_OP_UNLOCK, 100, 13)};
    count = ck_predict(locked, 7, found);
    for (int i = 0; i < count; i++)
        assert_int_not_equal(found[i].rank, CK_FOREIGN_WRITE);
    assert_true(count > 0); /* the sections the other way round */
    assert_int_equal(found[0].aims[0].hold, at(10));
}

/* Between two critical sections the holder waits before the second one's lock. */
static void whoever_is_held_has_no_lock_that_the_other_needs(void **state)
{
    (void)state;
    static struct ck_prediction found[CK_PREDICTIONS_MOST];
    const struct ck_event events[] = {
        event(1, CK_OP_LOCK, 100, 10),   event(1, CK_OP_READ, 8, 1),
        event(1, CK_OP_UNLOCK, 100, 11), event(1, CK_OP_LOCK, 100, 12),
        event(1, CK_OP_WRITE, 8, 2),     event(1, CK_OP_UNLOCK, 100, 13),
        event(2, CK_OP_LOCK, 100, 14),   event(2, CK_OP_WRITE, 8, 3),
        event(2, CK_OP_UNLOCK, 100, 15)};
    int count = ck_predict(events, 9, found);
    assert_true(has_aims(found, count, at(12), at(3), at(14), at(1)));
}

static void what_creation_has_ordered_is_not_asked_for(void **state)
{
    (void)state;
    static struct ck_prediction found[CK_PREDICTIONS_MOST];
    const struct ck_event events[] = {event(0, CK_OP_WRITE, 8, 1), event(0, CK_OP_CREATE, 0, 2),
                                      event(1, CK_OP_READ, 8, 3),  event(1, CK_OP_END, 0, 4),
                                      event(0, CK_OP_JOIN, 0, 5),  event(0, CK_OP_READ, 16, 6)};
    assert_int_equal(ck_predict(events, 6, found), 0);
}

/* Memory that one looks at and another frees. */
static void a_use_after_a_free_is_predicted(void **state)
{
    (void)state;
    static struct ck_prediction found[CK_PREDICTIONS_MOST];
    struct ck_event events[] = {event(1, CK_OP_ALLOC, 4096, 1), event(1, CK_OP_READ, 4104, 2),
                                event(2, CK_OP_FREE, 4096, 3)};
    events[0].value = 16;
    int count = ck_predict(events, 3, found);
    assert_int_equal(count, 1);
    assert_int_equal(found[0].aims[0].hold, at(2));
    assert_int_equal(found[0].aims[0].until, at(3));
    events[0].value = 8; /* now it is another's */
    assert_int_equal(ck_predict(events, 3, found), 0);
}

static void an_estimate_counts_what_was_seen_once_and_twice(void **state)
{
    (void)state;
    struct ck_estimate e = {0};
    char words[128];
    assert_true(ck_estimate_next_is_new(&e) == 1);
    for (uint64_t i = 0; i < 3000; i++)
        assert_int_equal(ck_estimate_add(&e, i % 2000), i < 2000);
    assert_int_equal(e.distinct, 2000);
    assert_int_equal(e.once, 1000);
    assert_int_equal(e.twice, 1000);
    assert_true(fabs(ck_estimate_next_is_new(&e) - 1.0 / 3) < 1e-9);
    assert_true(fabs(ck_estimate_unseen(&e) - 1000.0 * 999 / 2002) < 1e-6);
    ck_estimate_words(&e, words, sizeof words);
    assert_string_equal(words, "2000 distinct, about 499 or more unseen (33% of runs are new)");
    for (uint64_t i = 0; i < 4000; i++)
        assert_int_equal(ck_estimate_add(&e, i % 2000), 0);
    assert_true(ck_estimate_unseen(&e) == 0);
    ck_estimate_words(&e, words, sizeof words);
    assert_string_equal(words, "2000 distinct, the last ones all seen before");
    ck_estimate_fini(&e);
}

/* Drawn alike from ten thousand in as many runs: 3,679 are missing, about. */
static void an_estimate_is_about_right(void **state)
{
    (void)state;
    struct ck_estimate e = {0};
    struct rvi_rng rng;
    rvi_rng_seed(&rng, 4);
    for (int i = 0; i < MANY; i++)
        assert_true(ck_estimate_add(&e, rvi_rng_below(&rng, MANY)) >= 0);
    assert_true(fabs(ck_estimate_unseen(&e) - (MANY - (double)e.distinct)) < 400);
    assert_true(fabs(ck_estimate_next_is_new(&e) - (MANY - (double)e.distinct) / MANY) < 0.05);
    ck_estimate_fini(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_toy_bug_is_found_by_each_seed),
        cmocka_unit_test(each_strategy_alone_finds_a_lost_update),
        cmocka_unit_test(nothing_is_found_in_a_correct_program),
        cmocka_unit_test(a_program_without_threads_is_soon_done),
        cmocka_unit_test(equal_seeds_make_equal_plans),
        cmocka_unit_test(early_plans_differ),
        cmocka_unit_test(budgets_are_kept),
        cmocka_unit_test(learned_locations_are_sorted_and_few),
        cmocka_unit_test(crossed_locks_are_predicted),
        cmocka_unit_test(a_write_between_is_predicted_unless_a_lock_forbids_it),
        cmocka_unit_test(whoever_is_held_has_no_lock_that_the_other_needs),
        cmocka_unit_test(what_creation_has_ordered_is_not_asked_for),
        cmocka_unit_test(a_use_after_a_free_is_predicted),
        cmocka_unit_test(an_estimate_counts_what_was_seen_once_and_twice),
        cmocka_unit_test(an_estimate_is_about_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
