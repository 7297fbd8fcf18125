/* SPDX-License-Identifier: MIT */
/* test_last_words.c - the line comes once, from the thread whose line it is, and the process dies
 * as it would have. */
#include "sys/last_words.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "sys/fault.h"
#include "sys_test.h"

#define LINE "these are the last words\n"

/* As simulations have one: memcheck cannot always extend the main stack for a handler. */
static void take_stack_for_handlers(void)
{
    struct rvi_fault_thread thread;
    RV_CHECK(rvi_fault_thread_enter(&thread) == 0);
}

static void set(void)
{
    take_stack_for_handlers();
    RV_CHECK(rvi_last_words_set(LINE) == 0);
}

static void panic_with_words(void *arg)
{
    (void)arg;
    set();
    rvi_panic("of the test");
}

static void send_myself(void *number)
{
    set();
    raise(*(int *)number);
}

static void leave_with_words(void *arg)
{
    (void)arg;
    set();
    exit(3);
}

static void forget_and_die(void *arg)
{
    set();
    rvi_last_words_forget();
    raise(*(int *)arg);
}

static int occurrences(const char *text)
{
    int count = 0;
    for (text = strstr(text, LINE); text; text = strstr(text + 1, LINE))
        count++;
    return count;
}

static void a_panic_is_followed_by_the_line(void **state)
{
    (void)state;
    struct ending ending = run_child(panic_with_words, NULL);
    assert_int_equal(occurrences(ending.text), 1);
    assert_non_null(strstr(ending.text, "of the test"));
    assert_true(WIFSIGNALED(ending.status) && WTERMSIG(ending.status) == SIGABRT);
}

static void each_deadly_signal_brings_the_line_and_death(void **state)
{
    (void)state;
    int numbers[] = {SIGABRT, SIGSEGV, SIGBUS, SIGTRAP};
    for (size_t i = 0; i < (is_under_a_tool() ? 1 : 4); i++) {
        struct ending ending = run_child(send_myself, &numbers[i]);
        assert_int_equal(occurrences(ending.text), 1);
        assert_true(WIFSIGNALED(ending.status) && WTERMSIG(ending.status) == numbers[i]);
    }
}

static void an_exit_brings_the_line(void **state)
{
    (void)state;
    struct ending ending = run_child(leave_with_words, NULL);
    assert_int_equal(occurrences(ending.text), 1);
    assert_true(WIFEXITED(ending.status) && WEXITSTATUS(ending.status) == 3);
}

static void what_was_forgotten_is_not_said(void **state)
{
    (void)state;
    int number = SIGABRT;
    struct ending ending = run_child(forget_and_die, &number);
    assert_int_equal(occurrences(ending.text), 0);
}

static void *set_and_stay(void *barrier)
{
    set();
    pthread_barrier_wait(barrier);
    pthread_barrier_wait(barrier);
    return NULL;
}

static void die_beside_one_with_words(void *arg)
{
    pthread_barrier_t barrier;
    pthread_t thread;
    (void)arg;
    take_stack_for_handlers();
    pthread_barrier_init(&barrier, NULL, 2);
    RV_CHECK(pthread_create(&thread, NULL, set_and_stay, &barrier) == 0);
    pthread_barrier_wait(&barrier);
    abort();
}

static void another_thread_has_nothing_to_say(void **state)
{
    (void)state;
    struct ending ending = run_child(die_beside_one_with_words, NULL);
    assert_int_equal(occurrences(ending.text), 0);
    assert_true(WIFSIGNALED(ending.status) && WTERMSIG(ending.status) == SIGABRT);
}

static void own_handler(int number)
{
    static const char words[] = "own handler\n";
    ssize_t written = write(STDERR_FILENO, words, sizeof(words) - 1);
    (void)written;
    _exit(number);
}

static void die_with_own_handler(void *arg)
{
    (void)arg;
    signal(SIGABRT, own_handler);
    set();
    abort();
}

static void the_programs_handler_comes_after_the_line(void **state)
{
    (void)state;
    struct ending ending = run_child(die_with_own_handler, NULL);
    const char *own = strstr(ending.text, "own handler");
    assert_int_equal(occurrences(ending.text), 1);
    assert_non_null(own);
    assert_true(strstr(ending.text, LINE) < own);
    assert_true(WIFEXITED(ending.status) && WEXITSTATUS(ending.status) == SIGABRT);
}

static void handlers_leave_with_the_last_line(void **state)
{
    (void)state;
    struct sigaction before, during, after;
    sigaction(SIGTRAP, NULL, &before);
    set();
    set();
    rvi_last_words_forget();
    sigaction(SIGTRAP, NULL, &during);
    rvi_last_words_forget();
    sigaction(SIGTRAP, NULL, &after);
    assert_true(before.sa_handler != during.sa_handler);
    assert_true(before.sa_handler == after.sa_handler);
}

static void speak_as_well(void)
{
    ssize_t n = write(STDERR_FILENO, "as well\n", 8);
    (void)n;
}

static void die_with_both(void *number)
{
    set();
    RV_CHECK(rvi_last_words_also(speak_as_well) == 0);
    rvi_last_words_forget(); /* one still wants to be called */
    RV_CHECK(rvi_last_words_set(LINE) == 0);
    raise(*(int *)number);
}

static void who_wants_to_be_called_as_well_is_called_behind_the_line(void **state)
{
    (void)state;
    int number = SIGABRT;
    struct ending ending = run_child(die_with_both, &number);
    assert_non_null(strstr(ending.text, LINE "as well\n"));
    assert_true(WIFSIGNALED(ending.status) && WTERMSIG(ending.status) == SIGABRT);
}

static void die_with_a_call_alone(void *arg)
{
    (void)arg;
    RV_CHECK(rvi_last_words_also(speak_as_well) == 0);
    abort();
}

static void a_call_needs_no_line(void **state)
{
    (void)state;
    struct ending ending = run_child(die_with_a_call_alone, NULL);
    assert_non_null(strstr(ending.text, "as well\n"));
    assert_int_equal(occurrences(ending.text), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_panic_is_followed_by_the_line),
        cmocka_unit_test(each_deadly_signal_brings_the_line_and_death),
        cmocka_unit_test(an_exit_brings_the_line),
        cmocka_unit_test(what_was_forgotten_is_not_said),
        cmocka_unit_test(another_thread_has_nothing_to_say),
        cmocka_unit_test(the_programs_handler_comes_after_the_line),
        cmocka_unit_test(handlers_leave_with_the_last_line),
        cmocka_unit_test(who_wants_to_be_called_as_well_is_called_behind_the_line),
        cmocka_unit_test(a_call_needs_no_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
