/* SPDX-License-Identifier: MIT */
/* test_futex.c - waiting and waking on a word. */
#include "sys/futex.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "base/atomic.h"
#include "sys/clock.h"
#include "sys_test.h"

static void a_word_that_differs_is_not_waited_for(void **state)
{
    (void)state;
    _Atomic(uint32_t) word = 7;
    assert_int_equal(rvi_futex_wait(&word, 8, INT64_MAX), -EAGAIN);
}

static void a_deadline_ends_the_wait_and_not_before(void **state)
{
    (void)state;
    _Atomic(uint32_t) word = 7;
    int64_t deadline = rvi_clock_now() + 3000000;
    assert_int_equal(rvi_futex_wait(&word, 7, deadline), -ETIME);
    assert_true(rvi_clock_now() >= deadline);
}

static void a_deadline_in_the_past_ends_the_wait_at_once(void **state)
{
    (void)state;
    _Atomic(uint32_t) word = 7;
    assert_int_equal(rvi_futex_wait(&word, 7, 0), -ETIME);
    assert_int_equal(rvi_futex_wait(&word, 7, -5), -ETIME);
    assert_int_equal(rvi_futex_wait(&word, 7, INT64_MIN), -ETIME);
}

static void *set_and_wake(void *arg)
{
    _Atomic(uint32_t) *word = arg;
    rvi_store_relaxed(word, 1);
    rvi_futex_wake(word, 1);
    return NULL;
}

static void a_wake_reaches_a_sleeper(void **state)
{
    (void)state;
    _Atomic(uint32_t) word = 0;
    pthread_t waker;
    assert_int_equal(pthread_create(&waker, NULL, set_and_wake, &word), 0);
    while (rvi_load_relaxed(&word) == 0) {
        int rc = rvi_futex_wait(&word, 0, INT64_MAX);
        assert_true(rc == 0 || rc == -EAGAIN || (RVI_TSAN && rc == -EINTR)); /* in short waits */
    }
    pthread_join(waker, NULL);
}

static void on_alarm(int number)
{
    (void)number;
}

static void a_signal_handler_interrupts_the_wait(void **state)
{
    (void)state;
    _Atomic(uint32_t) word = 0;
    struct sigaction action = {.sa_handler = on_alarm}, old;
    sigaction(SIGALRM, &action, &old);
    /* Periodic: the first may come before the wait begins. */
    struct itimerval period = {.it_interval.tv_usec = 5000, .it_value.tv_usec = 5000};
    setitimer(ITIMER_REAL, &period, NULL);
    assert_int_equal(rvi_futex_wait(&word, 0, INT64_MAX), -EINTR);
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    signal(SIGALRM, SIG_IGN); /* the last may be on its way */
    sigaction(SIGALRM, &old, NULL);
}

static void waking_nobody_is_fine(void **state)
{
    (void)state;
    _Atomic(uint32_t) word = 0;
    rvi_futex_wake(&word, 1);
    rvi_futex_wake(&word, INT32_MAX);
}

static void another_process_wakes_a_shared_word(void **state)
{
    (void)state;
    _Atomic(uint32_t) *word =
        mmap(NULL, sizeof(*word), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(word, MAP_FAILED);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        rvi_store_relaxed(word, 1);
        rvi_futex_wake_shared(word, 1);
        _exit(0);
    }
    while (rvi_load_relaxed(word) == 0) {
        int rc = rvi_futex_wait_shared(word, 0, INT64_MAX);
        assert_true(rc == 0 || rc == -EAGAIN || rc == -EINTR);
    }
    assert_int_equal(rvi_futex_wait_shared(word, 1, rvi_clock_now() + 1000000), -ETIME);
    assert_int_equal(waitpid(child, NULL, 0), child);
    munmap(word, sizeof(*word));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_that_differs_is_not_waited_for),
        cmocka_unit_test(a_deadline_ends_the_wait_and_not_before),
        cmocka_unit_test(a_deadline_in_the_past_ends_the_wait_at_once),
        cmocka_unit_test(a_wake_reaches_a_sleeper),
        cmocka_unit_test(a_signal_handler_interrupts_the_wait),
        cmocka_unit_test(waking_nobody_is_fine),
        cmocka_unit_test(another_process_wakes_a_shared_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
