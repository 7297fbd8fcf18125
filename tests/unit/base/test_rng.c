/* SPDX-License-Identifier: MIT */
/* test_rng.c - known answers of the published generators, and the bounds. */
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void sequence_is_the_published_one(void **state)
{
    (void)state;
    struct rvi_rng rng = {{1, 2, 3, 4}};
    const uint64_t expected[] = {
        UINT64_C(11520),
        UINT64_C(0),
        UINT64_C(1509978240),
        UINT64_C(1215971899390074240),
        UINT64_C(1216172134540287360),
        UINT64_C(607988272756665600),
        UINT64_C(16172922978634559625),
        UINT64_C(8476171486693032832),
        UINT64_C(10595114339597558777),
        UINT64_C(2904607092377533576),
    };
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        assert_true(rvi_rng_next(&rng) == expected[i]);
}

static void seed_is_spread_by_splitmix(void **state)
{
    (void)state;
    struct rvi_rng rng;
    rvi_rng_seed(&rng, 0);
    assert_true(rng.state[0] == UINT64_C(0xe220a8397b1dcdaf));
    assert_true(rng.state[1] == UINT64_C(0x6e789e6aa1b965f4));
    assert_true(rng.state[2] == UINT64_C(0x06c45d188009454f));
    assert_true(rng.state[3] == UINT64_C(0xf88bb8a8724c81ec));
}

static void equal_seeds_give_equal_sequences(void **state)
{
    (void)state;
    struct rvi_rng a;
    struct rvi_rng b;
    struct rvi_rng other;
    rvi_rng_seed(&a, 42);
    rvi_rng_seed(&b, 42);
    rvi_rng_seed(&other, 43);
    int differ = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t number = rvi_rng_next(&a);
        assert_true(number == rvi_rng_next(&b));
        differ += number != rvi_rng_next(&other);
    }
    assert_int_equal(differ, 100);
}

static void below_stays_below(void **state)
{
    (void)state;
    struct rvi_rng rng;
    rvi_rng_seed(&rng, 1);
    const uint64_t bounds[] = {1, 2, 3, 10, UINT64_C(1) << 32, (UINT64_C(1) << 63) + 1, UINT64_MAX};
    for (size_t b = 0; b < sizeof(bounds) / sizeof(bounds[0]); b++) {
        for (int i = 0; i < 1000; i++)
            assert_true(rvi_rng_below(&rng, bounds[b]) < bounds[b]);
    }
}

/* With the fixed seed the counts are the same in each run; the window is five deviations. */
static void below_is_even(void **state)
{
    (void)state;
    enum { KINDS = 7, DRAWS = 70000 };
    struct rvi_rng rng;
    rvi_rng_seed(&rng, 2);
    int seen[KINDS] = {0};
    for (int i = 0; i < DRAWS; i++)
        seen[rvi_rng_below(&rng, KINDS)]++;
    for (int i = 0; i < KINDS; i++)
        assert_in_range(seen[i], DRAWS / KINDS - 500, DRAWS / KINDS + 500);
}

/* For a bound of 3 * 2^62 a multiply alone makes each third number twice as likely. */
static void below_is_even_where_a_multiply_alone_is_not(void **state)
{
    (void)state;
    enum { DRAWS = 30000 };
    struct rvi_rng rng;
    rvi_rng_seed(&rng, 3);
    int third = 0;
    for (int i = 0; i < DRAWS; i++)
        third += rvi_rng_below(&rng, UINT64_C(3) << 62) % 3 == 0;
    assert_in_range(third, DRAWS / 3 - 500, DRAWS / 3 + 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequence_is_the_published_one),
        cmocka_unit_test(seed_is_spread_by_splitmix),
        cmocka_unit_test(equal_seeds_give_equal_sequences),
        cmocka_unit_test(below_stays_below),
        cmocka_unit_test(below_is_even),
        cmocka_unit_test(below_is_even_where_a_multiply_alone_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
