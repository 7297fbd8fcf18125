/* SPDX-License-Identifier: MIT */
/* test_sigpipe.c - a write that nobody reads is an error while the signal is held, and its end
 * otherwise; the mask is afterwards what it was before. */
#include "sys/sigpipe.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>

#include "sys_test.h"

static void write_to_nobody(void)
{
    int ends[2];
    RV_CHECK(pipe2(ends, O_CLOEXEC) == 0);
    close(ends[0]);
    RV_CHECK(write(ends[1], "x", 1) == -1 && errno == EPIPE);
    close(ends[1]);
}

static bool is_blocked(void)
{
    sigset_t mask;
    RV_CHECK(pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0);
    return sigismember(&mask, SIGPIPE);
}

static bool is_pending(void)
{
    sigset_t pending;
    RV_CHECK(sigpending(&pending) == 0);
    return sigismember(&pending, SIGPIPE);
}

static void a_write_that_nobody_reads_is_an_error_while_it_is_held(void **state)
{
    struct rvi_sigpipe outer, inner;
    (void)state;
    rvi_sigpipe_hold(&outer);
    write_to_nobody();
    rvi_sigpipe_hold(&inner);
    write_to_nobody();
    rvi_sigpipe_release(&inner);
    assert_true(is_blocked() && is_pending());
    rvi_sigpipe_release(&outer);
    assert_false(is_blocked() || is_pending());
}

static void hold_release_and_write(void *arg)
{
    struct rvi_sigpipe state;
    (void)arg;
    rvi_sigpipe_hold(&state);
    rvi_sigpipe_release(&state);
    write_to_nobody();
}

static void it_ends_the_program_again_afterwards(void **state)
{
    (void)state;
    struct ending ending = run_child(hold_release_and_write, NULL);
    assert_true(WIFSIGNALED(ending.status) && WTERMSIG(ending.status) == SIGPIPE);
}

/* Whoever has started us may have ignored or blocked it. */
static int let_it_through(void **state)
{
    sigset_t just_it;
    (void)state;
    sigemptyset(&just_it);
    sigaddset(&just_it, SIGPIPE);
    signal(SIGPIPE, SIG_DFL);
    return pthread_sigmask(SIG_UNBLOCK, &just_it, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_that_nobody_reads_is_an_error_while_it_is_held),
        cmocka_unit_test(it_ends_the_program_again_afterwards),
    };
    return cmocka_run_group_tests(tests, let_it_through, NULL);
}
