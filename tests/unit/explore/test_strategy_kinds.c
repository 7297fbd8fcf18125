/* SPDX-License-Identifier: MIT */
/* test_strategy_kinds.c - what partial order sampling, the selectively uniform walk, location
 * priority and aims promise, over many fixed seeds; and time-outs, under every strategy.
 *
 * The seeds are fixed, so a count is the same in every run. */
#include "explore/strategy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { RUNS = 20000, MOST = 8, STEPS_MOST = 16 };

/* Threads as strings, a step a letter: its location, and in lower case a read, in upper case a
 * write of the object that the letter names; '.' touches nothing. */
struct play {
    struct rvi_strategy s;
    struct rvi_strategy_slot slots[MOST];
    char order[STEPS_MOST * MOST + 1]; /* whose step it was, 'a' the first's */
    char steps[STEPS_MOST * MOST + 1]; /* its letter */
};

static struct rvi_candidate next_of(size_t thread, char step)
{
    bool is_write = step >= 'A' && step <= 'Z';
    uint64_t object = step == '.' ? 0
                      : is_write  ? (uint64_t)(step - 'A' + 1)
                                  : (uint64_t)(step - 'a' + 1);

    return (struct rvi_candidate){
        .who = thread + 1, .location = (uint64_t)step, .object = object, .is_write = is_write};
}

static void play(struct play *p, const struct rvi_strategy_opts *opts, const char *const *threads,
                 size_t count)
{
    size_t at[MOST] = {0}, length = 0;
    uint32_t counts[MOST];

    memset(p->slots, 0, sizeof p->slots);
    for (size_t i = 0; i < count; i++)
        counts[i] = (uint32_t)strlen(threads[i]);
    rvi_strategy_init(&p->s, opts);
    rvi_strategy_give(&p->s, p->slots, MOST, counts, count);
    for (;; length++) {
        struct rvi_candidate able[MOST];
        size_t n = 0;
        for (size_t i = 0; i < count; i++) {
            if (threads[i][at[i]])
                able[n++] = next_of(i, threads[i][at[i]]);
        }
        p->order[length] = p->steps[length] = '\0';
        if (n == 0)
            return;
        size_t who = able[rvi_strategy_choose(&p->s, able, n)].who - 1;
        p->order[length] = (char)('a' + who);
        p->steps[length] = threads[who][at[who]++];
    }
}

/* Which of the interleavings of two threads it is, of a + b choose a: read as a path in a grid. */
static size_t index_of(const char *order, size_t a, size_t b)
{
    static const size_t ways[7][7] = {{1, 1, 1, 1, 1, 1, 1},        {1, 2, 3, 4, 5, 6, 7},
                                      {1, 3, 6, 10, 15, 21, 28},    {1, 4, 10, 20, 35, 56, 84},
                                      {1, 5, 15, 35, 70, 126, 210}, {1, 6, 21, 56, 126, 252, 462},
                                      {1, 7, 28, 84, 210, 462, 924}};
    size_t index = 0;

    for (; *order; order++) {
        if (*order == 'a') {
            a--;
            continue;
        }
        index += a > 0 ? ways[a - 1][b] : 0;
        b--;
    }
    return index;
}

/* Pearson's test of uniformity, of `cells` counts that sum up to RUNS. */
static double chi_square(const int *counts, size_t cells)
{
    double expected = (double)RUNS / (double)cells, sum = 0;

    for (size_t i = 0; i < cells; i++)
        sum += (counts[i] - expected) * (counts[i] - expected) / expected;
    return sum;
}

static double unevenness(enum rvi_strategy_kind kind, const char *const threads[2], size_t a,
                         size_t b, size_t cells)
{
    int counts[64] = {0};

    for (uint64_t seed = 0; seed < RUNS; seed++) {
        struct play p;
        play(&p, &(struct rvi_strategy_opts){.kind = kind, .seed = seed}, threads, 2);
        counts[index_of(p.order, a, b)]++;
    }
    return chi_square(counts, cells);
}

/* 2 and 6 steps: 28 interleavings, 27 degrees of freedom, of which 55.5 is exceeded once in
 * 1000. */
static void surw_samples_interleavings_alike(void **state)
{
    (void)state;
    static const char *const threads[] = {"AB", "ABABAB"};
    assert_true(unevenness(RVI_STRATEGY_SURW, threads, 2, 6, 28) < 55.5);
    assert_true(unevenness(RVI_STRATEGY_WALK, threads, 2, 6, 28) > 1000);
}

/* Steps of the one are selected or not by the seed: so many of them must be, and orders of the two
 * locations' steps must still all come up. */
static void surw_finds_each_order_of_what_it_selects(void **state)
{
    (void)state;
    static const char *const threads[] = {"ABA", "BAB"};
    int counts[20] = {0};
    for (uint64_t seed = 0; seed < RUNS; seed++) {
        struct play p;
        play(&p, &(struct rvi_strategy_opts){.kind = RVI_STRATEGY_SURW, .seed = seed, .share = 1},
             threads, 2);
        counts[index_of(p.order, 3, 3)]++;
    }
    for (int i = 0; i < 20; i++)
        assert_in_range(counts[i], RUNS / 20 / 3, RUNS);
}

/* Whoever is to start others is drawn for what they have to do. */
static void surw_counts_the_unborn_as_the_first_ones(void **state)
{
    (void)state;
    int first = 0;
    for (uint64_t seed = 0; seed < RUNS; seed++) {
        struct rvi_strategy s;
        struct rvi_strategy_slot slots[3] = {{0}};
        const uint32_t counts[] = {1, 1, 8};
        const struct rvi_candidate two[] = {{.who = 1}, {.who = 2}};
        rvi_strategy_init(&s, &(struct rvi_strategy_opts){.kind = RVI_STRATEGY_SURW, .seed = seed});
        rvi_strategy_give(&s, slots, 3, counts, 3);
        first += rvi_strategy_choose(&s, two, 2) == 0;
    }
    assert_in_range(first, RUNS * 9 / 10 - 200, RUNS * 9 / 10 + 200);
}

/* Each of the two orders at each of two objects is as likely as the other, whatever the order at
 * the other object: four partial orders, a quarter each. */
static void pos_samples_partial_orders(void **state)
{
    (void)state;
    static const char *const threads[] = {"A", "B", "A", "B"};
    int counts[4] = {0};
    for (uint64_t seed = 0; seed < RUNS; seed++) {
        struct play p;
        play(&p, &(struct rvi_strategy_opts){.kind = RVI_STRATEGY_POS, .seed = seed}, threads, 4);
        counts[(strchr(p.order, 'a') < strchr(p.order, 'c')) * 2 +
               (strchr(p.order, 'b') < strchr(p.order, 'd'))]++;
    }
    for (int i = 0; i < 4; i++)
        assert_in_range(counts[i], RUNS / 4 - 200, RUNS / 4 + 200);
}

/* The second thread's write has to come between two of the first, its last after all: no more than
 * chance of one in six for orders of events drawn alike. */
static void pos_finds_a_write_between(void **state)
{
    (void)state;
    static const char *const threads[] = {"aA", "A"};
    int found = 0;
    for (uint64_t seed = 0; seed < RUNS; seed++) {
        struct play p;
        play(&p, &(struct rvi_strategy_opts){.kind = RVI_STRATEGY_POS, .seed = seed}, threads, 2);
        found += strcmp(p.order, "aba") == 0;
    }
    assert_in_range(found, RUNS / 5, RUNS / 2);
}

/* With a conflict, the loser's priority is drawn anew: he wins against the next event in one of
 * two. */
static void pos_draws_again_after_a_conflict(void **state)
{
    (void)state;
    static const char *const conflicting[] = {"AAA", "A"};
    int last = 0;
    for (uint64_t seed = 0; seed < RUNS; seed++) {
        struct play p;
        play(&p, &(struct rvi_strategy_opts){.kind = RVI_STRATEGY_POS, .seed = seed}, conflicting,
             2);
        last += p.order[3] == 'b';
    }
    assert_in_range(last, RUNS / 8 - 200, RUNS / 8 + 200);
}

static void a_low_location_waits_for_all_others(void **state)
{
    (void)state;
    static const char *const threads[] = {"AB", "AB", "AB"};
    int together = 0;
    for (uint64_t seed = 0; seed < RUNS; seed++) {
        struct play p;
        play(&p, &(struct rvi_strategy_opts){.kind = RVI_STRATEGY_LOCATION, .seed = seed}, threads,
             3);
        together += strcmp(p.steps, "AAABBB") == 0;
        assert_true(strcmp(p.steps, "AAABBB") == 0 || strcmp(p.steps, "ABABAB") == 0);
    }
    assert_in_range(together, RUNS / 2 - 200, RUNS / 2 + 200);
}

static void a_reverse_is_the_other_order_of_two_locations(void **state)
{
    (void)state;
    static const char *const threads[] = {"AB", "AB"};
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct play one, other;
        struct rvi_strategy_opts opts = {.kind = RVI_STRATEGY_LOCATION, .seed = seed};
        play(&one, &opts, threads, 2);
        opts.is_reversed = true;
        play(&other, &opts, threads, 2);
        assert_string_not_equal(one.steps, other.steps);
    }
}

/* By such aims, each of a hundred seeds gives these steps. */
static void expect_by_aims(const char *const *threads, struct rvi_strategy_opts opts,
                           const char *steps, const char *or_else)
{
    opts.kind = RVI_STRATEGY_AIM;
    for (opts.seed = 0; opts.seed < 100; opts.seed++) {
        struct play p;
        play(&p, &opts, threads, 2);
        if (strcmp(p.steps, or_else) != 0)
            assert_string_equal(p.steps, steps);
    }
}

static void an_aim_holds_until_somebody_else_was_there(void **state)
{
    (void)state;
    static const char *const threads[] = {"aA", "aA"};
    expect_by_aims(
        threads, (struct rvi_strategy_opts){.aim_count = 1, .aims = {{.hold = 'A', .until = 'a'}}},
        "aaAA", "aaAA");
}

/* A reader held for a write goes before the next one. */
static void whoever_was_held_reads_before_another_write(void **state)
{
    (void)state;
    static const char *const threads[] = {"a", "AAA"};
    expect_by_aims(
        threads, (struct rvi_strategy_opts){.aim_count = 1, .aims = {{.hold = 'a', .until = 'A'}}},
        "AaAA", "AaAA");
}

static void two_aims_take_locks_crosswise(void **state)
{
    (void)state;
    static const char *const threads[] = {"AB", "CD"};
    struct rvi_strategy_opts opts = {
        .kind = RVI_STRATEGY_AIM,
        .aim_count = 2,
        .aims = {{.hold = 'B', .until = 'C'}, {.hold = 'D', .until = 'A'}},
    };
    for (opts.seed = 0; opts.seed < 100; opts.seed++) {
        struct play p;
        play(&p, &opts, threads, 2);
        assert_true(strncmp(p.steps, "AC", 2) == 0 || strncmp(p.steps, "CA", 2) == 0);
    }
}

static void an_aim_that_cannot_be_met_stops_nobody(void **state)
{
    (void)state;
    static const char *const threads[] = {"aA", "aA"};
    struct play p;
    play(&p,
         &(struct rvi_strategy_opts){
             .kind = RVI_STRATEGY_AIM, .aim_count = 1, .aims = {{.hold = 'a', .until = 'Z'}}},
         threads, 2);
    assert_int_equal(strlen(p.order), 4);
}

static void an_aim_may_hold_one_alone(void **state)
{
    (void)state;
    static const char *const threads[] = {"aA", "aA", "aA"};
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct play p;
        play(&p,
             &(struct rvi_strategy_opts){.kind = RVI_STRATEGY_AIM,
                                         .seed = seed,
                                         .aim_count = 1,
                                         .aims = {{.hold = 'A', .until = 'A', .who = 2}}},
             threads, 3);
        assert_true(strchr(p.order, 'b') != NULL && p.order[5] != '\0');
        size_t others = 0;
        for (const char *at = strrchr(p.order, 'b') - 1; at >= p.order; at--)
            others += p.steps[at - p.order] == 'A';
        assert_true(others >= 1);
    }
}

/* Each write of the one is read by the other, if the writer begins. */
static void renewed_aims_go_step_by_step(void **state)
{
    (void)state;
    static const char *const threads[] = {"bAbAbA", "aBaBaB"};
    int in_turn = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct play p;
        play(&p,
             &(struct rvi_strategy_opts){
                 .kind = RVI_STRATEGY_AIM,
                 .seed = seed,
                 .is_renewed = true,
                 .aim_count = 2,
                 .aims = {{.hold = 'a', .until = 'A'}, {.hold = 'b', .until = 'B'}}},
             threads, 2);
        in_turn += strcmp(p.steps, "bAaBbAaBbAaB") == 0;
    }
    assert_in_range(in_turn, 30, 70);
}

static void without_aims_conflicting_steps_take_turns(void **state)
{
    (void)state;
    static const char *const threads[] = {"AAA", "aaa"};
    expect_by_aims(threads, (struct rvi_strategy_opts){0}, "AaAaAa", "aAaAaA");
}

static const struct rvi_strategy_opts each[] = {
    {.kind = RVI_STRATEGY_WALK},     {.kind = RVI_STRATEGY_PCT, .depth = 3, .length = 10},
    {.kind = RVI_STRATEGY_POS},      {.kind = RVI_STRATEGY_SURW},
    {.kind = RVI_STRATEGY_LOCATION}, {.kind = RVI_STRATEGY_AIM},
};

static int times_chosen(size_t kind, unsigned hurry, const struct rvi_candidate *c, size_t count,
                        size_t which)
{
    struct rvi_strategy s;
    struct rvi_strategy_opts opts = each[kind];
    int chosen = 0;

    opts.hurry = hurry;
    rvi_strategy_init(&s, &opts);
    for (int i = 0; i < RUNS; i++)
        chosen += rvi_strategy_choose(&s, c, count) == which;
    return chosen;
}

static void a_time_out_comes_early_only_if_asked_for(void **state)
{
    (void)state;
    const struct rvi_candidate two[] = {{.who = 1, .is_late = true}, {.who = 2}};
    for (size_t kind = 0; kind < sizeof each / sizeof each[0]; kind++) {
        assert_int_equal(times_chosen(kind, 0, two, 2, 0), 0);
        assert_in_range(times_chosen(kind, 20, two, 2, 0), RUNS / 20 - 150, RUNS / 20 + 150);
    }
}

static void a_time_out_alone_comes(void **state)
{
    (void)state;
    const struct rvi_candidate one[] = {{.who = 1, .is_late = true}};
    for (size_t kind = 0; kind < sizeof each / sizeof each[0]; kind++)
        assert_int_equal(times_chosen(kind, 0, one, 1, 0), RUNS);
}

static void time_passes_sooner_than_a_spinner_is_helped(void **state)
{
    (void)state;
    const struct rvi_candidate two[] = {{.who = 1, .spun = 3}, {.who = 2, .is_late = true}};
    for (size_t kind = 0; kind < sizeof each / sizeof each[0]; kind++)
        assert_in_range(times_chosen(kind, 0, two, 2, 1), RUNS * 3 / 4 - 300, RUNS * 3 / 4 + 300);
}

static void no_strategy_offers_a_turn_to_who_spins(void **state)
{
    (void)state;
    const struct rvi_candidate two[] = {{.who = 1, .spun = 3}, {.who = 2}};
    for (size_t kind = 0; kind < sizeof each / sizeof each[0]; kind++)
        assert_int_equal(times_chosen(kind, 0, two, 2, 1), RUNS);
}

/* Two that poll for ever: with patience the other one gets its turns. */
static void priorities_are_drawn_anew_after_a_while(void **state)
{
    (void)state;
    const struct rvi_candidate two[] = {{.who = 1, .location = 1}, {.who = 2, .location = 2}};
    for (size_t kind = 0; kind < sizeof each / sizeof each[0]; kind++) {
        struct rvi_strategy s;
        struct rvi_strategy_opts opts = each[kind];
        int chosen = 0;
        opts.patience = 10;
        opts.depth = 1;
        rvi_strategy_init(&s, &opts);
        for (int i = 0; i < RUNS; i++)
            chosen += rvi_strategy_choose(&s, two, 2) == 0;
        assert_in_range(chosen, RUNS / 4, RUNS * 3 / 4);
    }
}

static void equal_plans_give_equal_orders(void **state)
{
    (void)state;
    static const char *const threads[] = {"aABbA", "AbaB", "BAb"};
    for (size_t kind = 0; kind < sizeof each / sizeof each[0]; kind++) {
        for (uint64_t seed = 0; seed < 50; seed++) {
            struct play one, other;
            struct rvi_strategy_opts opts = each[kind];
            opts.seed = seed;
            play(&one, &opts, threads, 3);
            play(&other, &opts, threads, 3);
            assert_string_equal(one.order, other.order);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(surw_samples_interleavings_alike),
        cmocka_unit_test(surw_finds_each_order_of_what_it_selects),
        cmocka_unit_test(surw_counts_the_unborn_as_the_first_ones),
        cmocka_unit_test(pos_samples_partial_orders),
        cmocka_unit_test(pos_finds_a_write_between),
        cmocka_unit_test(pos_draws_again_after_a_conflict),
        cmocka_unit_test(a_low_location_waits_for_all_others),
        cmocka_unit_test(a_reverse_is_the_other_order_of_two_locations),
        cmocka_unit_test(an_aim_holds_until_somebody_else_was_there),
        cmocka_unit_test(whoever_was_held_reads_before_another_write),
        cmocka_unit_test(two_aims_take_locks_crosswise),
        cmocka_unit_test(an_aim_that_cannot_be_met_stops_nobody),
        cmocka_unit_test(an_aim_may_hold_one_alone),
        cmocka_unit_test(renewed_aims_go_step_by_step),
        cmocka_unit_test(without_aims_conflicting_steps_take_turns),
        cmocka_unit_test(a_time_out_comes_early_only_if_asked_for),
        cmocka_unit_test(a_time_out_alone_comes),
        cmocka_unit_test(time_passes_sooner_than_a_spinner_is_helped),
        cmocka_unit_test(no_strategy_offers_a_turn_to_who_spins),
        cmocka_unit_test(priorities_are_drawn_anew_after_a_while),
        cmocka_unit_test(equal_plans_give_equal_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
