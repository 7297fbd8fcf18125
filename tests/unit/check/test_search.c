/* SPDX-License-Identifier: MIT */
/* test_search.c - that a bounded search runs each schedule once, and claims no more than it did. */
#include "check/driver/search.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "check/driver/explorer.h"
#include "toy.h"

enum { RUNS_MOST = 200000 };

static const struct toy *toy_named(const char *name)
{
    const struct toy *toy = toy_bugs;

    while (strcmp(toy->name, name) != 0)
        toy++;
    return toy;
}

/* Runs of a search until it is over or has found a failure. */
static unsigned runs_until_over(const struct toy *toy, uint32_t bound, struct ck_estimate *seen,
                                int *ret_tried, bool *ret_failed)
{
    struct ck_shared *shared = toy_shared_new();
    struct ck_explorer_opts opts = {.seed = 1, .bound = bound, .schedules = RUNS_MOST};
    struct ck_explorer *e = NULL;
    unsigned runs = 0;

    *ret_failed = false;
    assert_int_equal(ck_explorer_new(&opts, &e), 0);
    while (!*ret_failed && ck_explorer_next(e, shared, 0) == CK_GO_ON) {
        toy_run(toy, shared);
        runs++;
        assert_int_not_equal(shared->result.failure.kind, CK_DIVERGED);
        *ret_failed = shared->result.failure.kind != CK_FINE;
        assert_true(ck_estimate_add(seen, shared->result.hash) >= 0);
        assert_int_equal(ck_explorer_feed(e, shared), 0);
    }
    *ret_tried = ck_explorer_tried(e);
    ck_explorer_free(e);
    toy_shared_free(shared);
    return runs;
}

static void a_correct_program_is_searched_to_the_bound(void **state)
{
    (void)state;
    unsigned before = 0;
    for (uint32_t bound = 1; bound <= 4; bound++) {
        struct ck_estimate seen = {0};
        int tried;
        bool has_failed;
        unsigned runs = runs_until_over(&toy_correct, bound, &seen, &tried, &has_failed);
        assert_false(has_failed);
        assert_int_equal(tried, bound - 1);
        assert_true(runs > before && runs < RUNS_MOST);
        before = runs;
        ck_estimate_fini(&seen);
    }
}

/* Two threads that read and write one variable: without a bound, each order of their four accesses
 * comes up that there is: 4 choose 2. The rest is main's. */
static void each_order_comes_up(void **state)
{
    (void)state;
    static const struct toy_op adder[] = {{T_READ, 0, 0, 0}, {T_WRITE, 0, 0, 0}, {T_END, 0, 0, 0}};
    static const struct toy_op first[] = {
        {T_CREATE, 0, 1, 0}, {T_CREATE, 0, 1, 0}, {T_END, 0, 0, 0}};
    static const struct toy two = {"two", {first, adder}};
    struct ck_estimate seen = {0};
    int tried;
    bool has_failed;
    runs_until_over(&two, 9, &seen, &tried, &has_failed);
    assert_false(has_failed);
    assert_int_equal(tried, 8);
    assert_int_equal(seen.distinct, 6);
    ck_estimate_fini(&seen);
}

/* A lost update needs one preemption, and is not there with none. */
static void a_failure_is_found_at_its_level(void **state)
{
    (void)state;
    struct ck_estimate seen = {0};
    int tried;
    bool has_failed;
    runs_until_over(toy_named("lost update"), 1, &seen, &tried, &has_failed);
    assert_false(has_failed);
    assert_int_equal(tried, 0);
    runs_until_over(toy_named("lost update"), 2, &seen, &tried, &has_failed);
    assert_true(has_failed);
    assert_int_equal(tried, 0);
    runs_until_over(toy_named("in step"), 8, &seen, &tried, &has_failed);
    assert_true(has_failed);
    ck_estimate_fini(&seen);
}

/* --- what is not known is not claimed --- */

static void feed(struct ck_search *s, struct ck_shared *shared, uint32_t is_partial)
{
    uint64_t token;

    assert_true(ck_search_next(s, shared->switches, &token) >= 0);
    shared->result.decision_count = 1;
    shared->result.is_partial = is_partial;
    shared->decisions[0] = (struct ck_decision){0, 0, 0, 1, 1};
    assert_int_equal(ck_search_feed(s, token, shared), 0);
}

static void what_was_not_seen_whole_is_not_claimed(void **state)
{
    (void)state;
    struct ck_shared *shared = toy_shared_new();
    struct ck_search *s = NULL;
    assert_int_equal(ck_search_new(2, &s), 0);
    assert_int_equal(ck_search_done(s), -1);
    feed(s, shared, 0);
    assert_int_equal(ck_search_done(s), 2);
    ck_search_restart(s);
    assert_int_equal(ck_search_done(s), -1);
    feed(s, shared, 1);
    assert_true(ck_search_is_over(s));
    assert_int_equal(ck_search_done(s), -1);
    ck_search_free(s);
    toy_shared_free(shared);
}

static void a_schedule_that_still_runs_keeps_its_level_open(void **state)
{
    (void)state;
    struct ck_shared *shared = toy_shared_new();
    struct ck_search *s = NULL;
    uint64_t token;
    assert_int_equal(ck_search_new(2, &s), 0);
    assert_int_equal(ck_search_next(s, shared->switches, &token), 0);
    assert_int_equal(ck_search_next(s, shared->switches, &token), -ENOENT);
    assert_false(ck_search_is_over(s));
    assert_int_equal(ck_search_done(s), -1);
    ck_search_free(s);
    toy_shared_free(shared);
}

static void an_answer_from_before_a_restart_is_forgotten(void **state)
{
    (void)state;
    struct ck_shared *shared = toy_shared_new();
    struct ck_search *s = NULL;
    uint64_t token;
    assert_int_equal(ck_search_new(2, &s), 0);
    assert_int_equal(ck_search_next(s, shared->switches, &token), 0);
    ck_search_restart(s);
    shared->result.decision_count = 1;
    shared->decisions[0] = (struct ck_decision){0, 0, 0, 1, 7};
    assert_int_equal(ck_search_feed(s, token, shared), 0);
    assert_int_equal(ck_search_next(s, shared->switches, &token), 0);
    assert_int_equal(ck_search_next(s, shared->switches, &token), -ENOENT);
    ck_search_free(s);
    toy_shared_free(shared);
}

static void without_memory_the_level_is_unknown(void **state)
{
    (void)state;
    struct ck_shared *shared = toy_shared_new();
    struct ck_search *s = NULL;
    uint64_t token;
    assert_int_equal(ck_search_new(2, &s), 0);
    assert_int_equal(ck_search_next(s, shared->switches, &token), 0);
    shared->result.decision_count = 100;
    for (uint32_t i = 0; i < 100; i++)
        shared->decisions[i] = (struct ck_decision){0, i, 0, 1, UINT64_MAX};
    rvi_alloc_fail_after(1);
    int err = ck_search_feed(s, token, shared);
    rvi_alloc_fail_after(-1);
    assert_int_equal(err, -ENOMEM);
    while (ck_search_next(s, shared->switches, &token) >= 0) {
        shared->result.decision_count = 1;
        shared->decisions[0] = (struct ck_decision){0, 200, 0, 1, 1};
        assert_int_equal(ck_search_feed(s, token, shared), 0);
    }
    assert_true(ck_search_is_over(s));
    assert_int_equal(ck_search_done(s), 0);
    ck_search_free(s);
    toy_shared_free(shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_correct_program_is_searched_to_the_bound),
        cmocka_unit_test(each_order_comes_up),
        cmocka_unit_test(a_failure_is_found_at_its_level),
        cmocka_unit_test(what_was_not_seen_whole_is_not_claimed),
        cmocka_unit_test(a_schedule_that_still_runs_keeps_its_level_open),
        cmocka_unit_test(an_answer_from_before_a_restart_is_forgotten),
        cmocka_unit_test(without_memory_the_level_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
