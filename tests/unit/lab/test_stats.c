/* SPDX-License-Identifier: MIT */
/* test_stats.c - summaries and fits against distributions and laws that are known. */
#include "lab/stats.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "near.h"

/* Uniform in (0, 1], the same in each run (Knuth's MMIX generator). */
static double uniform(void)
{
    static uint64_t state = 42;

    state = state * 6364136223846793005u + 1442695040888963407u;
    return ((double)(state >> 11) + 1) / 0x1p53;
}

static void quantiles_lie_between_neighbours_in_proportion(void **state)
{
    const double sorted[] = {1, 2, 4, 8};

    (void)state;
    assert_near(lab_quantile(sorted, 4, 0), 1, 0);
    assert_near(lab_quantile(sorted, 4, 0.5), 3, 1e-12);
    assert_near(lab_quantile(sorted, 4, 0.25), 1.75, 1e-12);
    assert_near(lab_quantile(sorted, 4, 1), 8, 0);
    assert_near(lab_quantile(sorted, 1, 0.3), 1, 0);
}

static void one_outlier_moves_neither_median_nor_quartiles(void **state)
{
    double plain[] = {5, 1, 4, 2, 3}, spoilt[] = {5000, 1, 4, 2, 3};
    struct lab_summary a = lab_summarise(plain, 5), b = lab_summarise(spoilt, 5);

    (void)state;
    assert_near(a.median, 3, 0);
    assert_near(b.median, 3, 0);
    assert_near(a.q3, b.q3, 0);
    assert_int_equal(b.count, 5);
}

/* Conover, table A3: binomial distribution. */
static void bounds_of_a_median_are_the_order_statistics_of_the_tables(void **state)
{
    double samples[21];
    struct lab_summary s;

    (void)state;
    for (int i = 0; i < 21; i++)
        samples[i] = i + 1;
    s = lab_summarise(samples, 21);
    assert_near(s.low, 6, 0);
    assert_near(s.high, 16, 0);
    assert_near(s.confidence, 0.9734, 0.0001);
    s = lab_summarise(samples, 5);
    assert_near(s.low, 1, 0);
    assert_near(s.high, 5, 0);
    assert_near(s.confidence, 0.9375, 0);
    s = lab_summarise(samples, 1);
    assert_near(s.low, s.high, 0);
    assert_near(s.confidence, 0, 0);
}

/* So often must the true median lie inside; with these seeds it does not depend on luck. */
static void true_median_lies_between_its_bounds_as_often_as_is_said(void **state)
{
    enum { SETS = 2000, EACH = 21 };
    double samples[EACH];
    int inside = 0;

    (void)state;
    for (int set = 0; set < SETS; set++) {
        for (int i = 0; i < EACH; i++)
            samples[i] = -log(uniform()); /* exponential: far from symmetric */
        struct lab_summary s = lab_summarise(samples, EACH);
        inside += s.low <= log(2) && log(2) <= s.high;
    }
    assert_in_range(inside, SETS * 96 / 100, SETS * 985 / 1000);
}

static void many_samples_have_narrow_bounds(void **state)
{
    static double samples[20000];

    (void)state;
    for (int i = 0; i < 20000; i++)
        samples[i] = uniform();
    struct lab_summary s = lab_summarise(samples, 20000);
    assert_near(s.median, 0.5, 0.02);
    assert_true(s.low < s.median && s.median < s.high);
    assert_near(s.high - s.low, 1.96 / sqrt(20000), 0.004);
    assert_near(s.q1, 0.25, 0.02);
    assert_near(s.q3, 0.75, 0.02);
}

static void quartiles_far_apart_are_noisy(void **state)
{
    double steady[] = {100, 101, 102, 99, 98, 500}, rough[] = {100, 130, 80, 120, 90, 100};

    (void)state;
    assert_false(lab_summarise(steady, 6).is_noisy);
    assert_true(lab_summarise(rough, 6).is_noisy);
}

/* --- the scalability law --- */

static const double workers[] = {1, 2, 4, 8, 16, 32};

static bool fit(double contention, double coherence, double noise, struct lab_usl *ret)
{
    struct lab_usl law = {.single = 1000, .contention = contention, .coherence = coherence};
    double rates[6];

    for (int i = 0; i < 6; i++)
        rates[i] = lab_usl_at(&law, workers[i]) * (1 + noise * (uniform() - 0.5));
    return lab_usl_fit(workers, rates, 6, ret);
}

static void a_law_that_made_the_figures_is_found(void **state)
{
    struct lab_usl law;

    (void)state;
    assert_true(fit(0.05, 0.002, 0, &law));
    assert_near(law.single, 1000, 0.01);
    assert_near(law.contention, 0.05, 1e-6);
    assert_near(law.coherence, 0.002, 1e-7);
    assert_near(law.best, sqrt(0.95 / 0.002), 0.01);
    assert_near(law.error, 0, 1e-9);
}

static void noise_moves_a_law_a_little(void **state)
{
    struct lab_usl law;

    (void)state;
    assert_true(fit(0.05, 0.002, 0.04, &law));
    assert_near(law.contention, 0.05, 0.03);
    assert_near(law.coherence, 0.002, 0.0015);
    assert_true(law.error > 0 && law.error < 0.04);
}

static void what_scales_without_end_has_no_best(void **state)
{
    struct lab_usl law;

    (void)state;
    assert_true(fit(0, 0, 0, &law));
    assert_near(law.contention, 0, 1e-9);
    assert_near(law.coherence, 0, 1e-9);
    assert_true(isinf(law.best));
    assert_true(fit(0.1, 0, 0, &law)); /* Amdahl's */
    assert_near(law.contention, 0.1, 1e-6);
    assert_true(isinf(law.best));
}

/* Better than linear: an unbounded fit would find coefficients below 0. */
static void no_coefficient_is_below_zero(void **state)
{
    const double rates[] = {100, 210, 440, 920, 1900, 4000};
    struct lab_usl law;

    (void)state;
    assert_true(lab_usl_fit(workers, rates, 6, &law));
    assert_true(law.contention >= 0 && law.coherence >= 0 && law.single > 0);
    assert_true(law.error > 0.01);
}

static void where_more_workers_only_hurt_one_is_best(void **state)
{
    const double rates[] = {100, 80, 50, 30, 16, 8};
    struct lab_usl law;

    (void)state;
    assert_true(lab_usl_fit(workers, rates, 6, &law));
    assert_near(law.best, 1, 0);
}

static void two_numbers_of_workers_are_too_few(void **state)
{
    const double same[] = {1, 1, 2, 2}, rates[] = {10, 11, 19, 20};
    struct lab_usl law;

    (void)state;
    assert_false(lab_usl_fit(same, rates, 4, &law));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_lie_between_neighbours_in_proportion),
        cmocka_unit_test(one_outlier_moves_neither_median_nor_quartiles),
        cmocka_unit_test(bounds_of_a_median_are_the_order_statistics_of_the_tables),
        cmocka_unit_test(true_median_lies_between_its_bounds_as_often_as_is_said),
        cmocka_unit_test(many_samples_have_narrow_bounds),
        cmocka_unit_test(quartiles_far_apart_are_noisy),
        cmocka_unit_test(a_law_that_made_the_figures_is_found),
        cmocka_unit_test(noise_moves_a_law_a_little),
        cmocka_unit_test(what_scales_without_end_has_no_best),
        cmocka_unit_test(no_coefficient_is_below_zero),
        cmocka_unit_test(where_more_workers_only_hurt_one_is_best),
        cmocka_unit_test(two_numbers_of_workers_are_too_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
