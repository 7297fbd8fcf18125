/* SPDX-License-Identifier: MIT */
/* test_minimise.c - what is left of a schedule: against conditions that are known, and on toy
 * programs that an explorer has made fail. */
#include "check/driver/minimise.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "check/driver/explorer.h"
#include "toy.h"

enum { MANY = 1000, SEEDS = 10, FAILURES_MOST = 1000 };

/* --- conditions --- */

/* It fails if all of these `nth` are among the switches. */
struct condition {
    uint32_t needed[8];
    size_t count;
    unsigned calls, calls_most; /* 0: no limit */
};

static bool holds(void *arg, const struct ck_switch *switches, size_t count,
                  const struct ck_switch **ret_taken, size_t *ret_count)
{
    struct condition *c = arg;
    size_t found = 0;

    c->calls++;
    for (size_t i = 0; i < c->count; i++) {
        size_t j = 0;
        while (j < count && switches[j].nth != c->needed[i])
            j++;
        found += j < count;
    }
    *ret_taken = switches;
    *ret_count = count;
    return found == c->count;
}

static bool is_spent(void *arg)
{
    struct condition *c = arg;

    return c->calls_most > 0 && c->calls >= c->calls_most;
}

static long left_of_many(struct condition *c, struct ck_switch *switches, bool *ret_is_done)
{
    for (uint32_t i = 0; i < MANY; i++)
        switches[i] = (struct ck_switch){i % 3, i * 10, 1};
    return ck_minimise(switches, MANY,
                       &(struct ck_minimise_opts){.fails = holds, .is_over = is_spent, .arg = c},
                       ret_is_done);
}

static void exactly_what_is_needed_is_left(void **state)
{
    (void)state;
    struct condition cases[] = {
        {.count = 0},
        {.needed = {5000}, .count = 1},
        {.needed = {0, 9990}, .count = 2},
        {.needed = {4000, 4010, 4020, 9000}, .count = 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ck_switch switches[MANY];
        bool is_done;
        assert_int_equal(left_of_many(&cases[i], switches, &is_done), cases[i].count);
        assert_true(is_done);
        for (size_t j = 0; j < cases[i].count; j++)
            assert_int_equal(switches[j].nth, cases[i].needed[j]);
        assert_true(cases[i].calls < 300);
    }
}

static void what_is_over_before_the_end_still_fails(void **state)
{
    (void)state;
    struct condition c = {.needed = {0, 5000, 9990}, .count = 3, .calls_most = 12};
    struct ck_switch switches[MANY];
    const struct ck_switch *taken;
    size_t taken_count;
    bool is_done;
    long left = left_of_many(&c, switches, &is_done);
    assert_false(is_done);
    assert_true(left >= 3 && left < MANY);
    assert_int_equal(c.calls, 12);
    assert_true(holds(&c, switches, (size_t)left, &taken, &taken_count));
}

static void without_memory_nothing_changes(void **state)
{
    (void)state;
    struct condition c = {.needed = {5000}, .count = 1};
    struct ck_switch switches[MANY];
    bool is_done;
    rvi_alloc_fail_after(1);
    long left = left_of_many(&c, switches, &is_done);
    rvi_alloc_fail_after(-1);
    assert_int_equal(left, -ENOMEM);
    assert_int_equal(c.calls, 0);
    assert_int_equal(switches[MANY - 1].nth, (MANY - 1) * 10);
}

/* Two switches, one of which is only there to make up for the other's being late. */
static bool holds_if_early(void *arg, const struct ck_switch *switches, size_t count,
                           const struct ck_switch **ret_taken, size_t *ret_count)
{
    (void)arg;
    *ret_taken = switches;
    *ret_count = count;
    if (count == 1)
        return switches[0].nth == 4;
    return count == 2 && switches[0].nth == 6 && switches[1].nth == 20;
}

static void one_is_moved_where_that_saves_another(void **state)
{
    (void)state;
    struct ck_switch switches[] = {{0, 6, 1}, {1, 20, 0}};
    bool is_done;
    long left =
        ck_minimise(switches, 2, &(struct ck_minimise_opts){.fails = holds_if_early}, &is_done);
    assert_int_equal(left, 1);
    assert_int_equal(switches[0].nth, 4);
}

static void failures_are_the_same_at_the_same_places(void **state)
{
    (void)state;
    struct ck_report a = {.kind = CK_ASSERT, .party_count = 1}, b = a;
    a.parties[0] = (struct ck_party){.frame_count = 2, .frames = {{0, 0}, {1, 7}}};
    b.parties[0] = (struct ck_party){.frame_count = 1, .frames = {{1, 7}}};
    assert_true(ck_minimise_is_same(&a, &b));
    b.parties[0].frames[0].offset = 8;
    assert_false(ck_minimise_is_same(&a, &b));
    b = a;
    b.kind = CK_CRASH;
    assert_false(ck_minimise_is_same(&a, &b));
}

/* --- toys --- */

struct toy_run {
    const struct toy *toy;
    struct ck_shared *shared;
    struct ck_report failure;
};

static bool toy_fails(void *arg, const struct ck_switch *switches, size_t count,
                      const struct ck_switch **ret_taken, size_t *ret_count)
{
    struct toy_run *run = arg;

    run->shared->plan.mode = CK_FOLLOW;
    run->shared->plan.switch_count = (uint32_t)count;
    memcpy(run->shared->switches, switches, count * sizeof switches[0]);
    toy_run(run->toy, run->shared);
    *ret_taken = run->shared->trace;
    *ret_count = run->shared->result.switch_count;
    return ck_minimise_is_same(&run->failure, &run->shared->result.failure);
}

static bool find_failure(struct toy_run *run, uint64_t seed, int strategy)
{
    struct ck_explorer *e;
    struct ck_explorer_opts opts = {.seed = seed, .schedules = 2000, .only_strategy = strategy};
    bool is_found = false;

    assert_int_equal(ck_explorer_new(&opts, &e), 0);
    while (!is_found && ck_explorer_next(e, run->shared, 0) == CK_GO_ON) {
        toy_run(run->toy, run->shared);
        is_found = run->shared->result.failure.kind != CK_FINE &&
                   run->shared->result.failure.kind != CK_STEPS;
        assert_int_equal(ck_explorer_feed(e, run->shared), 0);
    }
    ck_explorer_free(e);
    run->failure = run->shared->result.failure;
    return is_found;
}

static long minimal(struct toy_run *run)
{
    static struct ck_switch switches[1 << 16];
    size_t count = run->shared->result.switch_count;
    bool is_done;

    memcpy(switches, run->shared->trace, count * sizeof switches[0]);
    long left = ck_minimise(switches, count,
                            &(struct ck_minimise_opts){.fails = toy_fails, .arg = run}, &is_done);
    const struct ck_switch *taken;
    size_t taken_count;
    assert_true(is_done);
    assert_true(toy_fails(run, switches, (size_t)left, &taken, &taken_count));
    return left;
}

static int compare(const void *a, const void *b)
{
    const long *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

/* The random walk, as it deviates the most. */
static void failures_of_toys_come_down_to_a_few_deviations(void **state)
{
    (void)state;
    long left[FAILURES_MOST];
    size_t count = 0;
    struct toy_run run = {.shared = toy_shared_new()};
    for (run.toy = toy_bugs; run.toy->name; run.toy++) {
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            if (find_failure(&run, seed, seed % 2 ? RVI_STRATEGY_WALK + 1 : 0))
                left[count++] = minimal(&run);
        }
    }
    toy_shared_free(run.shared);
    qsort(left, count, sizeof left[0], compare);
    print_message("%zu failures; deviations: median %ld, p90 %ld, most %ld\n", count,
                  left[count / 2], left[count * 9 / 10], left[count - 1]);
    assert_true(count >= 150);
    assert_true(left[count / 2] <= 2);
    assert_true(left[count * 9 / 10] <= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exactly_what_is_needed_is_left),
        cmocka_unit_test(what_is_over_before_the_end_still_fails),
        cmocka_unit_test(without_memory_nothing_changes),
        cmocka_unit_test(one_is_moved_where_that_saves_another),
        cmocka_unit_test(failures_are_the_same_at_the_same_places),
        cmocka_unit_test(failures_of_toys_come_down_to_a_few_deviations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
