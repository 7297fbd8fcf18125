/* SPDX-License-Identifier: MIT */
/* test_advise.c - what is advised for figures whose right answer is known, and when nothing is. */
#include "lab/advise.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "near.h"

static struct lab_report report;
static const struct lab_surroundings here = {.processors = 8, .memory_bytes = 16e9};

static int begin(void **state)
{
    (void)state;
    report = (struct lab_report){0};
    return lab_report_add(&report, "advise", "t", "m", "workers");
}

static int end(void **state)
{
    (void)state;
    lab_report_fini(&report);
    return 0;
}

static void add(const char *tier, double workers, const char *unit, double value, double spread)
{
    struct lab_figure f = {.at = workers,
                           .value = {9, value, value * (1 - spread), value * (1 + spread), 0.95,
                                     value * (1 - spread / 2), value * (1 + spread / 2),
                                     spread > LAB_NOISY}};

    strcpy(f.name, tier);
    strcpy(f.unit, unit);
    assert_int_equal(lab_result_add(&report.results[0], &f), 0);
}

/* Rates by the law, for 1, 2, 4 ... 16 workers. */
static void add_tier(const char *tier, double single, double contention, double coherence,
                     double cpu_ns)
{
    struct lab_usl law = {.single = single, .contention = contention, .coherence = coherence};

    for (int workers = 1; workers <= 16; workers *= 2) {
        add(tier, workers, "1/s", lab_usl_at(&law, workers), 0.01);
        add(tier, workers, "ns", cpu_ns, 0.01);
        add(tier, workers, "bytes", 10e6, 0);
    }
}

static void add_inline(double rate, double cpu_ns)
{
    add("inline", 1, "1/s", rate, 0.01);
    add("inline", 1, "ns", cpu_ns, 0.01);
    add("inline", 1, "switches", 0.2, 0);
}

static struct lab_advice advice(void)
{
    struct lab_advice a;

    lab_advise(&report.results[0], NULL, &here, &a);
    return a;
}

static void assert_says(const struct lab_advice *a, const char *words)
{
    for (unsigned i = 0; i < a->count; i++) {
        if (strstr(a->reasons[i], words))
            return;
    }
    for (unsigned i = 0; i < a->count; i++)
        print_message("%s\n", a->reasons[i]);
    fail_msg("nobody says: %s", words);
}

static void what_is_shorter_than_its_hand_over_stays_where_it_is(void **state)
{
    (void)state;
    add_inline(1e7, 100);
    add_tier("tasks", 2e6, 0.5, 0, 500);
    add_tier("threads", 2e5, 0.5, 0, 5000);
    struct lab_advice a = advice();
    assert_true(a.is_known);
    assert_string_equal(a.tier, "inline");
    assert_near(a.job_ns, 100, 0.01);
    assert_says(&a, "no tenth more");
    assert_says(&a, "it computes");
}

static void what_computes_and_shares_nothing_goes_to_threads(void **state)
{
    (void)state;
    add_inline(50, 20e6);
    add_tier("threads", 49.9, 0.01, 0.001, 20e6);
    add_tier("processes", 49.7, 0.01, 0.001, 20e6);
    struct lab_advice a = advice();
    assert_true(a.is_known);
    assert_string_equal(a.tier, "threads");
    assert_int_equal(a.workers, 16);
    assert_near(a.best, sqrt(0.99 / 0.001), 0.5);
    assert_says(&a, "More than 31 workers stop paying");
    assert_says(&a, "Processes: 100% of that at best, by 16; no better, and dearer");
    assert_says(&a, "a future for each is fine");
    assert_says(&a, "a cluster would go on helping");
}

static void what_threads_share_goes_to_processes(void **state)
{
    (void)state;
    add_inline(100, 10e6);
    add_tier("threads", 100, 1, 0.01, 10e6);
    add_tier("processes", 98, 0.02, 0, 10e6);
    struct lab_advice a = advice();
    assert_string_equal(a.tier, "processes");
    assert_true(isinf(a.best));
    assert_says(&a, "sees no end");
    assert_says(&a, "Threads: ");
}

static void what_waits_goes_to_tasks_with_as_few_workers_as_do(void **state)
{
    (void)state;
    add_inline(100, 1e5);
    add_tier("tasks", 100, 0, 0, 1e5);
    add_tier("threads", 99, 0, 0, 2e5);
    struct lab_advice a = advice();
    assert_string_equal(a.tier, "tasks");
    assert_near(a.waits, 0.99, 1e-6);
    assert_says(&a, "it waits for most of it");
}

static void the_fewest_workers_that_do_nine_tenths_are_named(void **state)
{
    (void)state;
    add_inline(100, 10e6);
    add("threads", 1, "1/s", 100, 0.01);
    add("threads", 2, "1/s", 198, 0.01);
    add("threads", 4, "1/s", 390, 0.01);
    add("threads", 8, "1/s", 400, 0.01);
    struct lab_advice a = advice();
    assert_int_equal(a.workers, 4);
    assert_says(&a, "by 8 threads");
}

static void a_long_hand_over_asks_for_larger_jobs(void **state)
{
    (void)state;
    add_inline(1e5, 1e4);
    add_tier("threads", 5e4, 0.001, 0, 2e4);
    struct lab_advice a = advice();
    assert_near(a.handing_ns, 1e4, 1);
    assert_says(&a, "let each job do many");
}

static void noise_that_decides_is_no_advice(void **state)
{
    (void)state;
    add("inline", 1, "1/s", 100, 0.5);
    add("inline", 1, "ns", 10e6, 0);
    add("threads", 1, "1/s", 95, 0.5);
    add("threads", 2, "1/s", 130, 0.5);
    struct lab_advice a = advice();
    assert_false(a.is_known);
    assert_says(&a, "too noisy");
    assert_says(&a, "too few numbers of them were tried");
    assert_says(&a, "lost in noise");
}

static void noise_that_does_not_decide_is_borne(void **state)
{
    (void)state;
    add("inline", 1, "1/s", 100, 0.5);
    add("inline", 1, "ns", 10e6, 0);
    add("threads", 1, "1/s", 95, 0.5);
    add("threads", 16, "1/s", 1500, 0.5);
    assert_true(advice().is_known);
}

static void a_law_that_does_not_fit_foretells_nothing(void **state)
{
    const double rates[] = {100, 20, 500, 30, 700};

    (void)state;
    add_inline(100, 10e6);
    for (int i = 0; i < 5; i++)
        add("threads", 1 << i, "1/s", rates[i], 0.01);
    struct lab_advice a = advice();
    assert_true(isnan(a.best));
    assert_says(&a, "the scalability law is off by");
}

static void without_the_plain_call_nothing_is_known(void **state)
{
    (void)state;
    add_tier("threads", 100, 0, 0, 1e7);
    struct lab_advice a = advice();
    assert_false(a.is_known);
    assert_int_equal(a.count, 1);
}

static void nothing_measured_is_nothing_known(void **state)
{
    (void)state;
    assert_false(advice().is_known);
}

static void a_command_has_one_tier(void **state)
{
    struct lab_surroundings there = {
        .processors = 2, .memory_bytes = 1e8, .load = 5, .is_command = true};
    struct lab_advice a;

    (void)state;
    add_tier("processes", 100, 0.1, 0.01, 9.9e6);
    lab_advise(&report.results[0], NULL, &there, &a);
    assert_true(a.is_known);
    assert_string_equal(a.tier, "processes");
    assert_near(a.best, sqrt(0.9 / 0.01), 0.01);
    assert_says(&a, "more than half of this machine's memory");
    assert_says(&a, "load 5.0, 2 processors");
}

static void on_a_busy_machine_a_wait_may_be_for_others(void **state)
{
    struct lab_surroundings there = {.processors = 2, .memory_bytes = 1e9, .load = 5};
    struct lab_advice a;

    (void)state;
    add_inline(100, 3e6);
    lab_advise(&report.results[0], NULL, &there, &a);
    assert_says(&a, "it waits for most of it, if not for others to compute.");
    there.load = 0.5;
    lab_advise(&report.results[0], NULL, &there, &a);
    assert_says(&a, "it waits for most of it.");
}

/* --- a cluster, laws, and one job alone --- */

static void a_cluster_is_chosen_where_nothing_here_does_as_much(void **state)
{
    (void)state;
    add_inline(50, 20e6);
    add_tier("processes", 49, 0.3, 0.01, 20e6);
    add_tier("cluster", 45, 0.001, 0, 1e5);
    struct lab_advice a = advice();
    assert_true(a.is_known);
    assert_string_equal(a.tier, "cluster");
    assert_int_equal(a.workers, 16);
    assert_says(&a, "Processes: ");
    assert_says(&a, "its workers have their own");
    for (unsigned i = 0; i < a.count; i++)
        assert_null(strstr(a.reasons[i], "a cluster would"));
}

static void each_tier_with_three_numbers_of_workers_has_its_law(void **state)
{
    (void)state;
    add_inline(100, 10e6);
    add_tier("threads", 99, 0.2, 0.01, 10e6);
    add_tier("processes", 95, 0.02, 0.001, 10e6);
    struct lab_advice a = advice();
    assert_int_equal(a.law_count, 2);
    assert_string_equal(a.laws[0].tier, "threads");
    assert_near(a.laws[0].law.contention, 0.2, 1e-6);
    assert_near(a.laws[1].law.contention, 0.02, 1e-6);
    assert_near(a.best, a.laws[1].law.best, 1e-9);
}

static void what_one_alone_takes_is_said_of_every_tier(void **state)
{
    static const char *const names[] = {"inline", "processes", "cluster"};
    struct lab_surroundings there = {.processors = 8, .memory_bytes = 16e9, .job_bytes = 2048};
    struct lab_advice a;

    (void)state;
    assert_int_equal(lab_report_add(&report, "alone", "t", "m", NULL), 0);
    for (int i = 0; i < 3; i++) {
        struct lab_figure f = {.at = (double)NAN, .value = {.count = 9, .median = 1000 * (i + 1)}};
        strcpy(f.name, names[i]);
        strcpy(f.unit, "ns");
        assert_int_equal(lab_result_add(&report.results[1], &f), 0);
    }
    add_inline(1e6, 1e3);
    lab_advise(&report.results[0], &report.results[1], &there, &a);
    assert_says(&a, "Alone, with 2.00 KiB of input and result, one is there after 1.00 µs called "
                    "directly, 2.00 µs in a worker process, 3.00 µs in the cluster.");
}

static void assert_line(const struct lab_advice *a, bool is_command, const char *words)
{
    char line[LAB_REASON];

    lab_advice_line(a, is_command, line, sizeof line);
    assert_string_equal(line, words);
}

static void advice_is_a_line(void **state)
{
    struct lab_advice a = {.is_known = true, .tier = "threads", .workers = 4};

    (void)state;
    assert_line(&a, false, "Advice: \"threads:4\".");
    assert_line(&a, true, "Advice: 4 at once.");
    strcpy(a.tier, "cluster");
    assert_line(&a, false, "Advice: \"cluster\", with 4 workers there.");
    strcpy(a.tier, "inline");
    assert_line(&a, false, "Advice: call it where you are, on one core (\"inline\").");
    a.is_known = false;
    assert_line(&a, false, "It is not known where this should run.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_shorter_than_its_hand_over_stays_where_it_is, begin,
                                        end),
        cmocka_unit_test_setup_teardown(what_computes_and_shares_nothing_goes_to_threads, begin,
                                        end),
        cmocka_unit_test_setup_teardown(what_threads_share_goes_to_processes, begin, end),
        cmocka_unit_test_setup_teardown(what_waits_goes_to_tasks_with_as_few_workers_as_do, begin,
                                        end),
        cmocka_unit_test_setup_teardown(the_fewest_workers_that_do_nine_tenths_are_named, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_long_hand_over_asks_for_larger_jobs, begin, end),
        cmocka_unit_test_setup_teardown(noise_that_decides_is_no_advice, begin, end),
        cmocka_unit_test_setup_teardown(noise_that_does_not_decide_is_borne, begin, end),
        cmocka_unit_test_setup_teardown(a_law_that_does_not_fit_foretells_nothing, begin, end),
        cmocka_unit_test_setup_teardown(without_the_plain_call_nothing_is_known, begin, end),
        cmocka_unit_test_setup_teardown(nothing_measured_is_nothing_known, begin, end),
        cmocka_unit_test_setup_teardown(a_command_has_one_tier, begin, end),
        cmocka_unit_test_setup_teardown(on_a_busy_machine_a_wait_may_be_for_others, begin, end),
        cmocka_unit_test_setup_teardown(a_cluster_is_chosen_where_nothing_here_does_as_much, begin,
                                        end),
        cmocka_unit_test_setup_teardown(each_tier_with_three_numbers_of_workers_has_its_law, begin,
                                        end),
        cmocka_unit_test_setup_teardown(what_one_alone_takes_is_said_of_every_tier, begin, end),
        cmocka_unit_test(advice_is_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
