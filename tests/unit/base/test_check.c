/* SPDX-License-Identifier: MIT */
/* test_check.c - what a failed check prints and how the process ends, seen from a parent. */
#include "base/check.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../support/child.h"

static void call(void *body)
{
    (*(void (**)(void))body)();
}

/* Runs `body` in a child, collects its standard error, and returns its wait status. */
static int run_in_child(void (*body)(void), char *output, size_t bytes)
{
    struct ending ending = run_child(call, &body);
    assert_true(strlen(ending.text) < bytes);
    strcpy(output, ending.text);
    return ending.status;
}

static bool aborted(int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void panic_with_a_number(void)
{
    rvi_panic("worker %d is lost", 7);
}

static void panic_writes_one_line_and_aborts(void **state)
{
    (void)state;
    char output[256];
    assert_true(aborted(run_in_child(panic_with_a_number, output, sizeof(output))));
    assert_string_equal(output, "ravel: worker 7 is lost\n");
}

static void panic_with_a_long_message(void)
{
    char message[2000];
    memset(message, 'x', sizeof(message) - 1);
    message[sizeof(message) - 1] = '\0';
    rvi_panic("%s", message);
}

static void panic_cuts_a_long_message_and_keeps_the_newline(void **state)
{
    (void)state;
    char output[4096];
    assert_true(aborted(run_in_child(panic_with_a_long_message, output, sizeof(output))));
    size_t length = strlen(output);
    assert_in_range(length, 500, 512);
    assert_int_equal(output[length - 1], '\n');
    assert_ptr_equal(strchr(output, '\n'), output + length - 1);
}

static void check_that_fails(void)
{
    RV_CHECK(1 + 1 == 3);
}

static void failed_check_names_the_place_and_the_condition(void **state)
{
    (void)state;
    char output[1024];
    assert_true(aborted(run_in_child(check_that_fails, output, sizeof(output))));
    assert_non_null(strstr(output, "test_check.c:"));
    assert_non_null(strstr(output, "check failed: 1 + 1 == 3\n"));
}

static void check_evaluates_its_condition_once(void **state)
{
    (void)state;
    int evaluated = 0;
    RV_CHECK(++evaluated == 1);
    assert_int_equal(evaluated, 1);
}

static void debug_checks_evaluate_only_in_their_tier(void **state)
{
    (void)state;
    int evaluated = 0;
    RV_DCHECK(++evaluated > 0);
    assert_int_equal(evaluated, RVI_DEBUG_CHECKS >= 1);
    evaluated = 0;
    RV_DCHECK_SLOW(++evaluated > 0);
    assert_int_equal(evaluated, RVI_DEBUG_CHECKS >= 2);
}

static void container_of_finds_the_structure_around_a_member(void **state)
{
    (void)state;
    struct {
        long before;
        int member;
    } object;
    typedef __typeof__(object) object_type;
    assert_ptr_equal(rvi_container_of(&object.member, object_type, member), &object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(panic_writes_one_line_and_aborts),
        cmocka_unit_test(panic_cuts_a_long_message_and_keeps_the_newline),
        cmocka_unit_test(failed_check_names_the_place_and_the_condition),
        cmocka_unit_test(check_evaluates_its_condition_once),
        cmocka_unit_test(debug_checks_evaluate_only_in_their_tier),
        cmocka_unit_test(container_of_finds_the_structure_around_a_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
