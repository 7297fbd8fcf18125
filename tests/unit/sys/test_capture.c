/* SPDX-License-Identifier: MIT */
/* test_capture.c - a running thread shows where it is, and each reason not to. */
#include "sys/capture.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>

#include "base/atomic.h"
#include "sys/clock.h"
#include "sys/thread.h"
#include "sys_test.h"

static struct rvi_capture capture; /* too large for some stacks */

static struct {
    _Atomic(int) thread_id;
    _Atomic(bool) is_over;
    struct rvi_stack stack;
    bool blocks;
} spinner;

/* Asks the kernel now and then, where ThreadSanitizer delivers signals. */
static __attribute__((noinline)) void spin_here(void)
{
    while (!rvi_load_relaxed(&spinner.is_over))
        rvi_thread_yield();
    __asm__ volatile("" ::: "memory");
}

static void *spin(void *arg)
{
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGPROF);
    if (spinner.blocks)
        pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    RV_CHECK(rvi_stack_adopt_thread(&spinner.stack) == 0);
    rvi_store_release(&spinner.thread_id, rvi_thread_id()); /* pairs: test-ready */
    spin_here();
    return arg;
}

static pthread_t start_spinner(bool blocks)
{
    pthread_t thread;
    spinner.blocks = blocks;
    rvi_store_relaxed(&spinner.thread_id, 0);
    rvi_store_relaxed(&spinner.is_over, false);
    assert_int_equal(rvi_thread_start(&thread, "spinner", spin, NULL), 0);
    while (!rvi_load_acquire(&spinner.thread_id)) /* pairs: test-ready */
        rvi_thread_yield();
    return thread;
}

static void stop_spinner(pthread_t thread)
{
    rvi_store_relaxed(&spinner.is_over, true);
    rvi_thread_join(thread);
}

static uintptr_t end_of_stack(uintptr_t sp, void *arg)
{
    (void)sp;
    *(int *)arg = rvi_thread_id();
    return (uintptr_t)spinner.stack.high;
}

static int capture_spinner(int *seen, int64_t deadline)
{
    return rvi_capture_thread(rvi_load_relaxed(&spinner.thread_id), end_of_stack, seen, &capture,
                              deadline);
}

static void a_running_thread_shows_where_it_is(void **state)
{
    (void)state;
    const void *pcs[64];
    struct rvi_frame frame;
    int seen = 0;
    bool is_there = false;
    pthread_t thread = start_spinner(false);
    struct rvi_backtracer *b = rvi_backtracer_new(true);
    for (int round = 0; round < 5; round++)
        assert_int_equal(capture_spinner(&seen, INT64_MAX), 0);
    assert_int_equal(seen, rvi_load_relaxed(&spinner.thread_id));
    stop_spinner(thread);
    if (!rvi_backtracer_is_exact(b)) {
        rvi_backtracer_free(b);
        skip();
    }
    size_t count = rvi_backtrace(b, &capture.view, pcs, 64);
    for (size_t i = 0; i < count; i++) {
        rvi_backtrace_frame(b, pcs[i], &frame);
        is_there |= frame.function && strcmp(frame.function, "spin_here") == 0;
    }
    rvi_backtracer_free(b);
    assert_true(is_there || RVI_TSAN); /* which calls handlers from frames of its own */
}

static void a_thread_that_blocks_the_signal_is_given_up_on(void **state)
{
    (void)state;
    int seen = 0;
    pthread_t thread = start_spinner(true);
    assert_int_equal(capture_spinner(&seen, rvi_clock_now() + 10000000), -ETIME);
    assert_int_equal(seen, 0);
    stop_spinner(thread); /* with the signal pending, which harms nobody */
}

static void a_thread_that_is_gone_is_not_waited_for(void **state)
{
    (void)state;
    int seen = 0;
    assert_int_equal(rvi_capture_thread(INT_MAX, end_of_stack, &seen, &capture, INT64_MAX), -ESRCH);
}

static void own_handler(int number)
{
    (void)number;
}

static void a_program_that_handles_the_signal_keeps_it(void **state)
{
    (void)state;
    int seen = 0;
    struct sigaction own = {.sa_handler = own_handler}, before, now;
    assert_int_equal(sigaction(SIGPROF, &own, &before), 0);
    assert_int_equal(capture_spinner(&seen, INT64_MAX), -EBUSY);
    assert_int_equal(sigaction(SIGPROF, &before, &now), 0);
    assert_ptr_equal(now.sa_handler, own_handler);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_running_thread_shows_where_it_is),
        cmocka_unit_test(a_thread_that_blocks_the_signal_is_given_up_on),
        cmocka_unit_test(a_thread_that_is_gone_is_not_waited_for),
        cmocka_unit_test(a_program_that_handles_the_signal_keeps_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
