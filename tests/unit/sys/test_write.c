/* SPDX-License-Identifier: MIT */
/* test_write.c - all of it arrives, however small the pieces. */
#include "sys/write.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>

#include "sys_test.h"

enum { BYTES = 1 << 20 };

static void *drain(void *fd)
{
    static char buffer[1000];
    size_t total = 0;
    ssize_t n;
    while ((n = read(*(int *)fd, buffer, sizeof buffer)) > 0)
        total += (size_t)n;
    return (void *)total;
}

static void all_arrives_through_a_pipe_that_does_not_block(void **state)
{
    (void)state;
    static char bytes[BYTES];
    int fds[2];
    void *total;
    pthread_t reader;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(pthread_create(&reader, NULL, drain, &fds[0]), 0);
    assert_int_equal(rvi_write_all(fds[1], bytes, sizeof bytes), 0);
    close(fds[1]);
    pthread_join(reader, &total);
    close(fds[0]);
    assert_int_equal((size_t)total, BYTES);
}

static void a_file_that_is_not_open_is_refused(void **state)
{
    (void)state;
    assert_int_equal(rvi_write_all(-1, "x", 1), -EBADF);
    assert_int_equal(rvi_write_all(-1, "x", 0), 0);
}

static void a_reader_that_is_gone_shows(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    close(fds[0]);
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(rvi_write_all(fds[1], "x", 1), -EPIPE);
    signal(SIGPIPE, SIG_DFL);
    close(fds[1]);
}

/* The signal would kill; one that was sent by somebody else is still there afterwards. */
static void a_quiet_write_raises_no_signal_and_takes_none_away(void **state)
{
    (void)state;
    sigset_t broken_pipe, pending;
    int fds[2];
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    signal(SIGPIPE, SIG_DFL);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(rvi_write_all_quietly(fds[1], "x", 1), 0);
    close(fds[0]);
    assert_int_equal(rvi_write_all_quietly(fds[1], "x", 1), -EPIPE);
    sigpending(&pending);
    assert_false(sigismember(&pending, SIGPIPE));

    assert_int_equal(pthread_sigmask(SIG_BLOCK, &broken_pipe, NULL), 0);
    raise(SIGPIPE);
    assert_int_equal(rvi_write_all_quietly(fds[1], "x", 1), -EPIPE);
    sigpending(&pending);
    assert_true(sigismember(&pending, SIGPIPE));
    assert_int_equal(sigwaitinfo(&broken_pipe, NULL), SIGPIPE);
    pthread_sigmask(SIG_UNBLOCK, &broken_pipe, NULL);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_arrives_through_a_pipe_that_does_not_block),
        cmocka_unit_test(a_file_that_is_not_open_is_refused),
        cmocka_unit_test(a_reader_that_is_gone_shows),
        cmocka_unit_test(a_quiet_write_raises_no_signal_and_takes_none_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
