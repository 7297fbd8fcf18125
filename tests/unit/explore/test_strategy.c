/* SPDX-License-Identifier: MIT */
/* test_strategy.c - how often each order comes up, against what the strategies promise.
 *
 * The seeds are fixed, so a count is the same in every run: the bounds are those of the promise
 * with room for three standard deviations. */
#include "explore/strategy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { RUNS = 20000, MOST_ORDER = 16 };

static struct rvi_strategy walk(uint64_t seed)
{
    struct rvi_strategy s;
    rvi_strategy_init(&s, &(struct rvi_strategy_opts){.kind = RVI_STRATEGY_WALK, .seed = seed});
    return s;
}

static struct rvi_strategy pct(uint64_t seed, unsigned depth, uint64_t length)
{
    struct rvi_strategy s;
    rvi_strategy_init(
        &s, &(struct rvi_strategy_opts){
                .kind = RVI_STRATEGY_PCT, .seed = seed, .depth = depth, .length = length});
    return s;
}

/* Play threads of `steps` steps each to their end; order[i] is who took step i. */
static void play(struct rvi_strategy *s, size_t threads, unsigned steps, char order[MOST_ORDER])
{
    unsigned left[4];
    struct rvi_candidate able[4];

    for (size_t i = 0; i < threads; i++)
        left[i] = steps;
    for (size_t at = 0;; at++) {
        size_t n = 0;
        for (size_t i = 0; i < threads; i++) {
            if (left[i] > 0)
                able[n++] = (struct rvi_candidate){.who = i + 1};
        }
        order[at] = '\0';
        if (n == 0)
            return;
        size_t chosen = able[rvi_strategy_choose(s, able, n)].who - 1;
        order[at] = (char)('a' + chosen);
        left[chosen]--;
    }
}

static bool is_at_least(int count, double probability)
{
    double expected = RUNS * probability, missing = expected - count;
    return missing <= 0 || missing * missing <= 9 * expected;
}

static void the_walk_chooses_evenly(void **state)
{
    (void)state;
    struct rvi_strategy s = walk(1);
    const struct rvi_candidate four[] = {{.who = 1}, {.who = 2}, {.who = 3}, {.who = 4}};
    int counts[4] = {0};
    for (int i = 0; i < RUNS; i++)
        counts[rvi_strategy_choose(&s, four, 4)]++;
    for (int i = 0; i < 4; i++)
        assert_in_range(counts[i], RUNS / 4 - 200, RUNS / 4 + 200);
}

static void the_walk_leaves_out_who_spins(void **state)
{
    (void)state;
    struct rvi_strategy s = walk(1);
    const struct rvi_candidate two[] = {
        {.who = 1, .spun = 9}, {.who = 2}, {.who = 3, .spun = 8}, {.who = 4}};
    int counts[4] = {0};
    for (int i = 0; i < RUNS; i++)
        counts[rvi_strategy_choose(&s, two, 4)]++;
    assert_int_equal(counts[0] + counts[2], 0);
    assert_in_range(counts[1], RUNS / 2 - 200, RUNS / 2 + 200);
}

static void of_spinners_alone_the_first_one_goes_on(void **state)
{
    (void)state;
    const struct rvi_candidate all[] = {
        {.who = 1, .spun = 9}, {.who = 2, .spun = 7}, {.who = 3, .spun = 8}};
    struct rvi_strategy one = walk(1), other = pct(1, 2, 10);
    assert_int_equal(rvi_strategy_choose(&one, all, 3), 1);
    assert_int_equal(rvi_strategy_choose(&other, all, 3), 1);
}

static void the_walk_finds_each_order(void **state)
{
    (void)state;
    char order[MOST_ORDER];
    int first = 0;
    for (uint64_t seed = 0; seed < RUNS; seed++) {
        struct rvi_strategy s = walk(seed);
        play(&s, 2, 2, order);
        first += strcmp(order, "aabb") == 0;
    }
    assert_true(is_at_least(first, 0.25)); /* a, a, and then b has no choice */
}

static void equal_seeds_give_equal_orders(void **state)
{
    (void)state;
    char one[MOST_ORDER], other[MOST_ORDER];
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct rvi_strategy s = seed % 2 ? walk(seed) : pct(seed, 3, 9);
        struct rvi_strategy t = s;
        play(&s, 3, 3, one);
        play(&t, 3, 3, other);
        assert_string_equal(one, other);
    }
}

/* Depth 1: no changes, so each thread runs to its end, and each order of threads is as likely as
 * the others. */
static void pct_without_changes_runs_in_random_order_of_threads(void **state)
{
    (void)state;
    static const char *const orders[] = {"aabbcc", "aaccbb", "bbaacc",
                                         "bbccaa", "ccaabb", "ccbbaa"};
    int counts[6] = {0}, others = 0;
    char order[MOST_ORDER];
    for (uint64_t seed = 0; seed < RUNS; seed++) {
        struct rvi_strategy s = pct(seed, 1, 6);
        play(&s, 3, 2, order);
        int i = 0;
        while (i < 6 && strcmp(order, orders[i]) != 0)
            i++;
        if (i < 6)
            counts[i]++;
        else
            others++;
    }
    assert_int_equal(others, 0);
    for (int i = 0; i < 6; i++)
        assert_true(is_at_least(counts[i], 1.0 / 6));
}

/* Two threads of three steps: k = 6, n = 2. With d = 2 every order with one preemption has to come
 * up with 1/(n k) at least, with d = 3 every one with two with 1/(n k^2). */
static void pct_keeps_its_promise(void **state)
{
    (void)state;
    static const struct {
        const char *order;
        unsigned depth;
    } cases[] = {
        {"aaabbb", 1}, {"bbbaaa", 1}, {"abbbaa", 2}, {"aabbba", 2}, {"baaabb", 2}, {"bbaaab", 2},
        {"abaabb", 3}, {"abbaab", 3}, {"aabbab", 3}, {"babbaa", 3}, {"baabba", 3}, {"bbaaba", 3},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char order[MOST_ORDER];
        int found = 0;
        for (uint64_t seed = 0; seed < RUNS; seed++) {
            struct rvi_strategy s = pct(seed, cases[i].depth, 6);
            play(&s, 2, 3, order);
            found += strcmp(order, cases[i].order) == 0;
        }
        double promised = 1.0 / 2;
        for (unsigned change = 1; change < cases[i].depth; change++)
            promised /= 6;
        if (!is_at_least(found, promised))
            fail_msg("%s: found %d times of %d", cases[i].order, found, RUNS);
    }
}

static void pct_changes_at_each_step_alike(void **state)
{
    (void)state;
    int counts[5] = {0};
    for (uint64_t seed = 0; seed < RUNS; seed++) {
        struct rvi_strategy s = pct(seed, 2, 5);
        assert_in_range(s.change_at[0], 1, 5);
        counts[s.change_at[0] - 1]++;
    }
    for (int i = 0; i < 5; i++)
        assert_in_range(counts[i], RUNS / 5 - 200, RUNS / 5 + 200);
}

/* Whoever falls twice has the later of his two places; whoever has not fallen stays above. */
static void pct_lets_fall_whoever_has_just_run(void **state)
{
    (void)state;
    struct rvi_strategy s = pct(1, 3, 100);
    const struct rvi_candidate three[] = {{.who = 1}, {.who = 2}, {.who = 3}};
    s.change_at[0] = 2;
    s.change_at[1] = 1;
    size_t first = rvi_strategy_choose(&s, three, 3);
    size_t second = rvi_strategy_choose(&s, three, 3);
    size_t third = rvi_strategy_choose(&s, three, 3);
    assert_true(first != second && second != third && first != third);
    struct rvi_candidate fallen[] = {three[first], three[second]};
    assert_int_equal(rvi_strategy_choose(&s, fallen, 2), 0); /* at 2, the other at 1 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_walk_chooses_evenly),
        cmocka_unit_test(the_walk_leaves_out_who_spins),
        cmocka_unit_test(of_spinners_alone_the_first_one_goes_on),
        cmocka_unit_test(the_walk_finds_each_order),
        cmocka_unit_test(equal_seeds_give_equal_orders),
        cmocka_unit_test(pct_without_changes_runs_in_random_order_of_threads),
        cmocka_unit_test(pct_keeps_its_promise),
        cmocka_unit_test(pct_changes_at_each_step_alike),
        cmocka_unit_test(pct_lets_fall_whoever_has_just_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
