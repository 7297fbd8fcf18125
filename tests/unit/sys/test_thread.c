/* SPDX-License-Identifier: MIT */
/* test_thread.c - the runtime's own threads. */
#include "sys/thread.h"

#include <sys/prctl.h>

#include "sys_test.h"

static void *report_mask(void *arg)
{
    pthread_sigmask(SIG_SETMASK, NULL, arg);
    return arg;
}

static void asynchronous_signals_are_blocked_and_faults_are_not(void **state)
{
    (void)state;
    sigset_t mask;
    pthread_t thread;
    assert_int_equal(rvi_thread_start(&thread, "masked", report_mask, &mask), 0);
    void *result;
    pthread_join(thread, &result);
    assert_ptr_equal(result, &mask);
    assert_true(sigismember(&mask, SIGINT));
    assert_true(sigismember(&mask, SIGTERM));
    assert_true(sigismember(&mask, SIGCHLD));
    assert_true(sigismember(&mask, SIGALRM));
    assert_false(sigismember(&mask, SIGSEGV));
    assert_false(sigismember(&mask, SIGBUS));
    assert_false(sigismember(&mask, SIGPROF));
}

static void the_starter_keeps_its_mask(void **state)
{
    (void)state;
    sigset_t before, after, mask;
    pthread_t thread;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    assert_int_equal(rvi_thread_start(&thread, NULL, report_mask, &mask), 0);
    pthread_join(thread, NULL);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_int_equal(sigismember(&before, SIGINT), sigismember(&after, SIGINT));
    assert_int_equal(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));
}

static void *wait_for_release(void *arg)
{
    pthread_mutex_lock(arg);
    pthread_mutex_unlock(arg);
    return NULL;
}

static void a_long_name_is_cut(void **state)
{
    (void)state;
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&gate);
    pthread_t thread;
    char name[16];
    assert_int_equal(rvi_thread_start(&thread, "ravel-worker-number-17", wait_for_release, &gate),
                     0);
    assert_int_equal(pthread_getname_np(thread, name, sizeof(name)), 0);
    assert_string_equal(name, "ravel-worker-nu");
    pthread_mutex_unlock(&gate);
    pthread_join(thread, NULL);
}

static void timer_slack_is_set_and_the_old_one_returned(void **state)
{
    (void)state;
    long old = rvi_timer_slack_set(1000);
    if (old < 0)
        skip(); /* an emulator without it */
    assert_int_equal(rvi_timer_slack_set((unsigned long)old), 1000);
    assert_int_equal(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0), old);
}

static void a_page_is_a_power_of_two(void **state)
{
    (void)state;
    size_t page = rvi_page_bytes();
    assert_true(page >= 4096);
    assert_int_equal(page & (page - 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asynchronous_signals_are_blocked_and_faults_are_not),
        cmocka_unit_test(the_starter_keeps_its_mask),
        cmocka_unit_test(a_long_name_is_cut),
        cmocka_unit_test(timer_slack_is_set_and_the_old_one_returned),
        cmocka_unit_test(a_page_is_a_power_of_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
