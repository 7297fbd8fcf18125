/* SPDX-License-Identifier: MIT */
/* test_runner.c - probes that report, fail, crash, hang and leave children behind: none takes
 * another one's figures with it, and nobody outlives it. The probes are this file's own. */
#include "lab/runner.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "near.h"

/* What a probe's children leave for the test to see. */
static struct {
    pid_t left_behind;
} * seen;

static int tell_two(struct lab_bench *b)
{
    double samples[] = {3, 1, 2}, one = 1.0 / 3;

    lab_note(b, "of %d", 3);
    int r = lab_tell(b, "three", LAB_NOWHERE, "ns", samples, 3);
    return r < 0 ? r : lab_tell(b, "one", 4, "bytes", &one, 1);
}

static int fail_after_one(struct lab_bench *b)
{
    double one = 7;
    int r = lab_tell(b, "one", LAB_NOWHERE, "ns", &one, 1);

    return r < 0 ? r : -EMFILE;
}

static int crash(struct lab_bench *b)
{
    (void)b;
    raise(SIGKILL);
    return 0;
}

static int pause_for_ever(void *arg)
{
    (void)arg;
    while (pause() < 0) {}
    return 0;
}

static int wait_for_ever(struct lab_bench *b)
{
    (void)b;
    return pause_for_ever(NULL);
}

static int leave_behind(struct lab_bench *b)
{
    (void)b;
    seen->left_behind = lab_fork(pause_for_ever, NULL);
    return seen->left_behind < 0 ? seen->left_behind : 0;
}

static int count_ops(void *arg, long ops)
{
    *(long *)arg += ops;
    for (volatile long i = 0; i < ops; i++) {}
    return 0;
}

static int time_something(struct lab_bench *b)
{
    long done = 0;
    int r = lab_time(b, "counting", LAB_NOWHERE, count_ops, &done, 1);

    return r < 0 ? r : done > 1000 ? 0 : -ERANGE;
}

static int time_failure(void *arg, long ops)
{
    (void)arg;
    return ops > 4 ? -EPERM : 0;
}

static int time_what_fails(struct lab_bench *b)
{
    return lab_time(b, "never", LAB_NOWHERE, time_failure, NULL, 1);
}

const struct lab_probe lab_probes[] = {
    {"tells", "t", "m", "axis", tell_two, 1},        {"fails", "t", "m", NULL, fail_after_one, 1},
    {"crashes", "t", "m", NULL, crash, 1},           {"hangs", "t", "m", NULL, wait_for_ever, 1},
    {"leaves", "t", "m", NULL, leave_behind, 1},     {"times", "t", "m", NULL, time_something, 1},
    {"untimed", "t", "m", NULL, time_what_fails, 1}, {0},
};

static int run(const char *only, struct lab_report *report)
{
    struct lab_run how = {.only = only, .is_quick = true};

    lab_report_begin(report, true);
    return lab_run(report, &how);
}

static void figures_come_through_with_all_that_was_said(void **state)
{
    struct lab_report report;

    (void)state;
    assert_int_equal(run("tells", &report), 0);
    assert_int_equal(report.count, 1);
    const struct lab_result *r = &report.results[0];
    assert_int_equal(r->count, 2);
    assert_string_equal(r->figures[0].name, "three");
    assert_string_equal(r->figures[0].note, "of 3");
    assert_near(r->figures[0].value.median, 2, 0);
    assert_int_equal(r->figures[0].value.count, 3);
    assert_string_equal(r->figures[1].note, "");
    assert_near(r->figures[1].at, 4, 0);
    assert_near(r->figures[1].value.median, 0.333333, 1e-12);
    assert_string_equal(r->why_not, "");
    lab_report_fini(&report);
}

static void a_probe_that_fails_keeps_its_figures_and_says_why(void **state)
{
    struct lab_report report;

    (void)state;
    assert_int_equal(run("fails,untimed", &report), 0);
    assert_int_equal(report.results[0].count, 1);
    assert_string_equal(report.results[0].why_not, "it failed: Too many open files");
    assert_true(report.results[0].has_failed);
    assert_int_equal(report.results[1].count, 0);
    assert_string_equal(report.results[1].why_not, "it failed: Operation not permitted");
    lab_report_fini(&report);
}

static void a_probe_that_is_killed_takes_no_other_with_it(void **state)
{
    struct lab_report report;

    (void)state;
    assert_int_equal(run("crashes,tells", &report), 0);
    assert_int_equal(report.count, 2); /* in the order of the list */
    assert_string_equal(report.results[0].name, "tells");
    assert_int_equal(report.results[0].count, 2);
    assert_string_equal(report.results[1].why_not, "it was killed by signal 9, Killed");
    assert_true(report.results[1].has_failed && !report.results[0].has_failed);
    lab_report_fini(&report);
}

static volatile int is_enough;

static void stop_when_it_runs(double done, const char *what, const char *figure, void *arg)
{
    (void)figure;
    assert_true(done >= 0 && done <= 1);
    is_enough = strcmp(what, "hangs") == 0;
    *(int *)arg += 1;
}

static void an_interrupt_ends_a_probe_and_keeps_those_before(void **state)
{
    struct lab_report report;
    int shown = 0;
    struct lab_run how = {.only = "tells,hangs,leaves",
                          .interrupted = &is_enough,
                          .progress = stop_when_it_runs,
                          .progress_arg = &shown};

    (void)state;
    is_enough = 0;
    lab_report_begin(&report, false);
    assert_int_equal(lab_run(&report, &how), -EINTR);
    assert_int_equal(report.count, 2);
    assert_int_equal(report.results[0].count, 2);
    assert_string_equal(report.results[1].why_not, "it was interrupted");
    assert_true(shown > 0);
    lab_report_fini(&report);
}

/* Whoever has lost its parent is another's child: it is gone, or waits to be buried. */
static bool is_alive(pid_t pid)
{
    char path[64], line[512] = "";

    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *in = fopen(path, "r");
    if (!in)
        return false;
    const char *behind = fgets(line, sizeof line, in) ? strrchr(line, ')') : NULL;
    fclose(in);
    return behind && behind[2] != 'Z' && behind[2] != 'X';
}

static void what_a_probe_leaves_behind_is_killed(void **state)
{
    struct lab_report report;

    (void)state;
    assert_int_equal(run("leaves", &report), 0);
    assert_string_equal(report.results[0].why_not, "");
    assert_true(seen->left_behind > 0);
    while (is_alive(seen->left_behind))
        usleep(1000);
    lab_report_fini(&report);
}

static void short_operations_are_timed_in_batches(void **state)
{
    struct lab_report report;

    (void)state;
    assert_int_equal(run("times", &report), 0);
    assert_string_equal(report.results[0].why_not, "");
    assert_int_equal(report.results[0].count, 1);
    assert_string_equal(report.results[0].figures[0].unit, "ns");
    assert_true(report.results[0].figures[0].value.median > 0);
    lab_report_fini(&report);
}

static void names_are_known_whole(void **state)
{
    (void)state;
    assert_true(lab_probe_exists("tells", 5));
    assert_true(lab_probe_exists("tells,x", 5));
    assert_false(lab_probe_exists("tell", 4));
    assert_false(lab_probe_exists("tellsx", 6));
    assert_false(lab_probe_exists("", 0));
}

static void without_descriptors_it_is_said(void **state)
{
    struct rlimit before, none;
    struct lab_report report;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){0, before.rlim_max};
    lab_report_begin(&report, true);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int r = lab_run(&report, &(struct lab_run){.only = "tells"});
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(r, -EMFILE);
    lab_report_fini(&report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_come_through_with_all_that_was_said),
        cmocka_unit_test(a_probe_that_fails_keeps_its_figures_and_says_why),
        cmocka_unit_test(a_probe_that_is_killed_takes_no_other_with_it),
        cmocka_unit_test(an_interrupt_ends_a_probe_and_keeps_those_before),
        cmocka_unit_test(what_a_probe_leaves_behind_is_killed),
        cmocka_unit_test(short_operations_are_timed_in_batches),
        cmocka_unit_test(names_are_known_whole),
        cmocka_unit_test(without_descriptors_it_is_said),
    };
    seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return seen == MAP_FAILED ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
