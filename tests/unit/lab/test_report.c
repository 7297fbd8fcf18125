/* SPDX-License-Identifier: MIT */
/* test_report.c - a report survives its file; a file that is none is refused with its place. */
#include "lab/report.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/ravel-lab-report-XXXXXX";

static int make_file(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void write_text(const char *text)
{
    FILE *to = fopen(path, "w");

    assert_non_null(to);
    fputs(text, to);
    assert_int_equal(fclose(to), 0);
}

static void a_report_comes_back_as_it_was(void **state)
{
    struct lab_figure line = {
        "threads", "ns", 4, {5, 12.5, 10, 20, 0.9375, 11, 13, true}, "a note"};
    struct lab_figure alone = {
        "task", "bytes", (double)NAN, {1, 4096, 4096, 4096, 0, 4096, 4096, 0}, ""};
    struct lab_report report, back;
    char why[200] = "";

    (void)state;
    lab_report_begin(&report, true);
    assert_int_equal(lab_report_add(&report, "a", "Why?", "So.", "workers"), 0);
    assert_int_equal(lab_result_add(&report.results[0], &line), 0);
    assert_int_equal(lab_report_add(&report, "b", "What \"if\" <b>?", "So.", NULL), 0);
    assert_int_equal(lab_result_add(&report.results[1], &alone), 0);
    strcpy(report.results[1].why_not, "no more");
    report.results[1].has_failed = true;
    FILE *to = fopen(path, "w");
    lab_report_put_json(to, &report);
    fclose(to);
    if (lab_report_read(path, &back, why, sizeof why) != 0)
        fail_msg("%s", why);
    assert_int_equal(back.count, 2);
    assert_true(back.is_quick);
    assert_string_equal(back.when, report.when);
    assert_string_equal(back.machine.cpu, report.machine.cpu);
    assert_true(back.machine.processors > 0);
    assert_string_equal(back.results[0].axis, "workers");
    assert_memory_equal(&back.results[0].figures[0].value.median, &line.value.median,
                        sizeof(double));
    assert_true(back.results[0].figures[0].value.is_noisy);
    assert_string_equal(back.results[0].figures[0].note, "a note");
    assert_string_equal(back.results[1].title, "What \"if\" <b>?");
    assert_null(back.results[1].axis);
    assert_true(isnan(back.results[1].figures[0].at));
    assert_string_equal(back.results[1].why_not, "no more");
    assert_true(back.results[1].has_failed && !back.results[0].has_failed);
    lab_report_fini(&report);
    lab_report_fini(&back);
}

#define HEAD                                                                                       \
    "{\"ravel_lab\": 1, \"version\": \"0\", \"when\": \"\", \"quick\": false, \"seconds\": 1,\n"   \
    "\"machine\": {\"host\": \"h\", \"cpu\": \"c\", \"kernel\": \"k\", \"processors\": 1, "        \
    "\"memory_bytes\": 1},\n"

static void what_is_no_report_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *text, *why;
    } wrongs[] = {
        {"[1, 2", "line 1, column 6: a comma or ] is expected"},
        {"[]", "line 1, column 1: \"ravel_lab\" should be here, a number"},
        {"{\"ravel_lab\": 2}", "line 1, column 1: \"machine\" should be here, an object"},
        {HEAD "\"probes\": 3}", "line 3, column 11: \"probes\" should be here, a list"},
        {HEAD "\"probes\": [\n{}]}", "line 4, column 1: \"name\" should be here, a text"},
        {HEAD
         "\"probes\": [{\"name\": \"a\", \"title\": \"t\", \"method\": \"m\", \"axis\": null,\n"
         "\"why_not\": \"\", \"failed\": false, \"seconds\": 1, \"figures\": [\n{\"name\": 1}]}]}",
         "line 5, column 10: \"name\" should be here, a text"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        struct lab_report report;
        char why[300] = "", expected[300];
        write_text(wrongs[i].text);
        snprintf(expected, sizeof expected, "%s: %s", path, wrongs[i].why);
        assert_int_equal(lab_report_read(path, &report, why, sizeof why), -EINVAL);
        assert_string_equal(why, expected);
        assert_int_equal(report.count, 0);
    }
}

static void another_format_is_refused(void **state)
{
    struct lab_report report;
    char why[300] = "";

    (void)state;
    write_text("{\"ravel_lab\": 7, \"machine\": {}, \"probes\": []}");
    assert_int_equal(lab_report_read(path, &report, why, sizeof why), -EINVAL);
    assert_non_null(strstr(why, "line 1, column 15: \"ravel_lab\" should be here, 1:"));
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
    struct lab_report report;
    char why[300] = "";

    (void)state;
    assert_int_equal(lab_report_read("/nowhere/x.json", &report, why, sizeof why), -ENOENT);
    assert_string_equal(why, "/nowhere/x.json: No such file or directory");
    assert_int_equal(lab_report_read("/", &report, why, sizeof why), -EISDIR);
    assert_non_null(strstr(why, "/: "));
}

static void values_are_written_with_three_digits(void **state)
{
    static const struct {
        double value;
        const char *unit, *text;
    } values[] = {
        {1.234, "ns", "1.23 ns"},
        {999.9, "ns", "1.00 µs"},
        {12345, "ns", "12.3 µs"},
        {2.5e9, "ns", "2.50 s"},
        {7.2e12, "ns", "7,200 s"},
        {512, "bytes", "512 B"},
        {4352, "bytes", "4.25 KiB"},
        {1 << 30, "bytes", "1.00 GiB"},
        {87333, "1/s", "87,333 /s"},
        {0, "switches", "0 switches"},
        {0.25, "switches", "0.25 switches"},
        {0.00084, "switches", "0.00084 switches"},
        {19.14, "%", "19.1 %"},
        {3.77, "x", "3.77 times"},
        {1234567, "", "1,234,567"},
        {50, "", "50"},
        {-1234, "", "-1,234"},
        {-123, "", "-123"},
    };
    char text[64];

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        lab_put_value(text, sizeof text, values[i].value, values[i].unit);
        assert_string_equal(text, values[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_comes_back_as_it_was),
        cmocka_unit_test(what_is_no_report_is_refused_with_its_place),
        cmocka_unit_test(another_format_is_refused),
        cmocka_unit_test(a_file_that_cannot_be_read_is_named),
        cmocka_unit_test(values_are_written_with_three_digits),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
