/* SPDX-License-Identifier: MIT */
/* test_log.c - lines of the log: who says what, which are wanted, and what they look like. */
#include <ctype.h>

#include "print_test.h"

static int log_from_task(void *arg)
{
    RV_CHECK(rv_task_rename("fetch") == 0);
    return rv_log(RV_LOG_WARN, "attempt %d of %s", 3, (const char *)arg);
}

/* "2026-01-31T12:00:00.123456Z " */
static const char *skip_time(const char *line)
{
    static const char shape[] = "0000-00-00T00:00:00.000000Z ";

    for (size_t i = 0; shape[i]; i++) {
        if (shape[i] == '0' ? !isdigit((unsigned char)line[i]) : shape[i] != line[i])
            fail_msg("no time: %s", line);
    }
    return line + sizeof shape - 1;
}

static void log_from_a_task(void)
{
    RV_CHECK(run_on(1, log_from_task, (void *)(uintptr_t) "three") == 0);
}

static void a_line_has_time_level_task_and_text(void **state)
{
    (void)state;
    char *text = errors_of(log_from_a_task);
    assert_string_equal(skip_time(text), "warn  fetch: attempt 3 of three\n");
    free(text);
}

static void log_each_level(void)
{
    RV_CHECK(pthread_setname_np(pthread_self(), "main") == 0);
    for (int level = RV_LOG_OFF; level <= RV_LOG_DEBUG; level++) {
        int r = rv_log((enum rv_log_level)level, "%d", level);
        RV_CHECK(r == 0);
    }
    RV_CHECK(rv_log((enum rv_log_level)9, "no such level") == -EINVAL);
}

static void check_levels(const char *wanted, const char *levels)
{
    if (wanted)
        setenv("RAVEL_LOG", wanted, 1);
    else
        unsetenv("RAVEL_LOG");
    char *text = errors_of(log_each_level), *rest;
    size_t lines = 0;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(line, "ravel: ", 7) == 0)
            continue;
        assert_int_equal(line[strlen(line) - 1], levels[lines]);
        assert_non_null(strstr(skip_time(line), " main: "));
        lines++;
    }
    assert_int_equal(lines, strlen(levels));
    free(text);
    unsetenv("RAVEL_LOG");
}

static void the_environment_says_which_levels_are_wanted(void **state)
{
    (void)state;
    check_levels(NULL, "123");
    check_levels("", "123");
    check_levels("off", "");
    check_levels("error", "1");
    check_levels("warn", "12");
    check_levels("debug", "1234");
    check_levels("debugging", "123"); /* with a complaint */
    check_levels("warn,yaml", "123");
}

static void a_setting_that_is_not_understood_is_told(void **state)
{
    (void)state;
    setenv("RAVEL_LOG", "loud", 1);
    char *text = errors_of(log_each_level);
    unsetenv("RAVEL_LOG");
    assert_non_null(strstr(text, "ravel: RAVEL_LOG=loud: give off, error, warn, info or debug"));
    free(text);
}

static void set_up_by_program(void)
{
    rv_log_setup(RV_LOG_ERROR, 0);
    RV_CHECK(rv_log_wants(RV_LOG_ERROR) && !rv_log_wants(RV_LOG_WARN));
    RV_CHECK(!rv_log_wants(RV_LOG_OFF) && rv_log(RV_LOG_WARN, "not wanted") == 0);
    rv_log_setup(RV_LOG_OFF, 0);
    RV_CHECK(!rv_log_wants(RV_LOG_ERROR) && rv_log(RV_LOG_ERROR, "not wanted") == 0);
}

static void the_program_may_decide_instead(void **state)
{
    (void)state;
    char *text = errors_of(set_up_by_program);
    assert_string_equal(text, "");
    free(text);
}

/* --- JSON --- */

static const struct {
    const char *text, *json;
} strings[] = {
    {"plain", "plain"},
    {"say \"yes\" \\ no", "say \\\"yes\\\" \\\\ no"},
    {"two\nlines\t\x01", "two\\u000alines\\u0009\\u0001"},
    {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
     "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"},
    {"cut \xe2\x82", "cut \\ufffd\\ufffd"},
    {"over\xc0\xaflong", "over\\ufffd\\ufffdlong"},
    {"sur\xed\xa0\x80rogate", "sur\\ufffd\\ufffd\\ufffdrogate"},
    {"high\xf4\x90\x80\x80", "high\\ufffd\\ufffd\\ufffd\\ufffd"},
};

enum { STRINGS = sizeof strings / sizeof strings[0] };

static int log_strings(void *arg)
{
    int r = 0;

    (void)arg;
    RV_CHECK(rv_task_rename("a\"b") == 0);
    for (size_t i = 0; r == 0 && i < STRINGS; i++)
        r = rv_log(RV_LOG_INFO, "%s", strings[i].text);
    return r;
}

static void log_as_json(void)
{
    RV_CHECK(run_on(1, log_strings, NULL) == 0);
}

static void json_has_one_object_a_line_and_is_clean_utf8(void **state)
{
    (void)state;
    static const char rest[] = "\",\"level\":\"info\",\"task\":\"a\\\"b\",\"id\":1,\"text\":\"";
    setenv("RAVEL_LOG", "info,json", 1);
    char *text = errors_of(log_as_json), *line = text;
    unsetenv("RAVEL_LOG");
    for (size_t i = 0; i < STRINGS; i++) {
        char expected[200];
        snprintf(expected, sizeof expected, "%s%s\"}\n", rest, strings[i].json);
        assert_int_equal(strncmp(line, "{\"time\":\"", 9), 0);
        line += 9 + 27;
        assert_int_equal(strncmp(line, expected, strlen(expected)), 0);
        line += strlen(expected);
    }
    assert_string_equal(line, "");
    free(text);
}

static void log_without_memory(void)
{
    RV_CHECK(rv_log(RV_LOG_ERROR, "first") == 0);
    for (long n = 1; n <= 2; n++) { /* the text, then the line around it */
        rvi_alloc_fail_after(n);
        RV_CHECK(rv_log(RV_LOG_ERROR, "%0*d", 3000, 0) == -ENOMEM);
    }
    RV_CHECK(rv_log(RV_LOG_ERROR, "%0*d", 3000, 0) == 0);
}

static void a_long_line_needs_memory_and_is_left_out_without(void **state)
{
    (void)state;
    char *text = errors_of(log_without_memory);
    const char *second = strchr(text, '\n') + 1;
    assert_int_equal(strspn(strstr(second, ": ") + 2, "0"), 3000);
    assert_string_equal(strchr(second, '\n'), "\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_time_level_task_and_text),
        cmocka_unit_test(the_environment_says_which_levels_are_wanted),
        cmocka_unit_test(a_setting_that_is_not_understood_is_told),
        cmocka_unit_test(the_program_may_decide_instead),
        cmocka_unit_test(json_has_one_object_a_line_and_is_clean_utf8),
        cmocka_unit_test(a_long_line_needs_memory_and_is_left_out_without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
