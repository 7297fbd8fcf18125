/* SPDX-License-Identifier: MIT */
/* test_table.c - which figures of two reports belong together, and what may be said of them. */
#include "lab/table.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct lab_figure figure(const char *unit, double low, double median, double high)
{
    struct lab_figure f = {.at = (double)NAN,
                           .value = {9, median, low, high, 0.95, low, high, false}};

    strcpy(f.name, "thing");
    strcpy(f.unit, unit);
    return f;
}

static void overlapping_bounds_say_nothing(void **state)
{
    struct lab_figure a = figure("ns", 90, 100, 110), b = figure("ns", 105, 120, 130);

    (void)state;
    assert_int_equal(lab_judge(&a, &b), 0);
}

static void less_time_is_better_and_less_speed_is_worse(void **state)
{
    struct lab_figure a = figure("ns", 90, 100, 110), b = figure("ns", 40, 50, 60);

    (void)state;
    assert_int_equal(lab_judge(&a, &b), 1);
    assert_int_equal(lab_judge(&b, &a), -1);
    strcpy(a.unit, "1/s");
    strcpy(b.unit, "1/s");
    assert_int_equal(lab_judge(&a, &b), -1);
    strcpy(a.unit, "%");
    strcpy(b.unit, "%");
    assert_int_equal(lab_judge(&a, &b), 0);
}

static void noise_and_single_samples_say_nothing(void **state)
{
    struct lab_figure a = figure("ns", 90, 100, 110), b = figure("ns", 40, 50, 60);

    (void)state;
    b.value.is_noisy = true;
    assert_int_equal(lab_judge(&a, &b), 0);
    b.value.is_noisy = false;
    b.value.count = 1;
    assert_int_equal(lab_judge(&a, &b), 0);
}

static void a_figure_is_found_by_name_unit_and_place(void **state)
{
    struct lab_report report = {0};
    struct lab_figure alone = figure("ns", 1, 2, 3), at_two = figure("ns", 4, 5, 6), sought;

    (void)state;
    at_two.at = 2;
    assert_int_equal(lab_report_add(&report, "other", "t", "m", NULL), 0);
    assert_int_equal(lab_result_add(&report.results[0], &alone), 0);
    assert_int_equal(lab_report_add(&report, "probe", "t", "m", NULL), 0);
    assert_int_equal(lab_result_add(&report.results[1], &at_two), 0);
    assert_int_equal(lab_result_add(&report.results[1], &alone), 0);
    assert_ptr_equal(lab_find_figure(&report, "probe", &alone), &report.results[1].figures[1]);
    assert_ptr_equal(lab_find_figure(&report, "probe", &at_two), &report.results[1].figures[0]);
    sought = at_two;
    sought.at = 4;
    assert_null(lab_find_figure(&report, "probe", &sought));
    sought = alone;
    strcpy(sought.unit, "bytes");
    assert_null(lab_find_figure(&report, "probe", &sought));
    assert_null(lab_find_figure(&report, "none", &alone));
    lab_report_fini(&report);
}

static char *table_of(const struct lab_report *report, unsigned width)
{
    char *out = NULL;
    size_t bytes;
    FILE *to = open_memstream(&out, &bytes);

    lab_put_table(to, report, &(struct lab_look){width, false});
    fclose(to);
    return out;
}

static void columns_line_up_though_letters_take_two_bytes(void **state)
{
    struct lab_report report = {0};
    struct lab_figure f = figure("ns", 1000, 2000, 3000);

    (void)state;
    assert_int_equal(lab_report_add(&report, "probe", "Why?", "word word word word", NULL), 0);
    assert_int_equal(lab_result_add(&report.results[0], &f), 0);
    strcpy(f.unit, "bytes");
    strcpy(f.note, "said");
    assert_int_equal(lab_result_add(&report.results[0], &f), 0);
    char *text = table_of(&report, 12);
    assert_non_null(strstr(text, "probe: Why?\n  word word\n  word word\n"));
    assert_non_null(strstr(text, "  thing   2.00 µs   1.00 µs to 3.00 µs    100%\n"
                                 "  thing  1.95 KiB  1,000 B to 2.93 KiB    100%  said\n"));
    assert_null(strchr(text, '\033'));
    free(text);
    lab_report_fini(&report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overlapping_bounds_say_nothing),
        cmocka_unit_test(less_time_is_better_and_less_speed_is_worse),
        cmocka_unit_test(noise_and_single_samples_say_nothing),
        cmocka_unit_test(a_figure_is_found_by_name_unit_and_place),
        cmocka_unit_test(columns_line_up_though_letters_take_two_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
