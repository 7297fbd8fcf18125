/* SPDX-License-Identifier: MIT */
/* test_fd.c - descriptors: how they are made, what is asked of them, and that a close is one. */
#include "sys/fd.h"

#include "../../support/held.h"
#include "descriptors.h"
#include "sys/call.h"

static bool is_readable(int fd)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    return poll(&readable, 1, 0) == 1;
}

static void pipes_block_as_asked_and_are_closed_on_exec(void **state)
{
    (void)state;
    for (int blocks = 0; blocks < 2; blocks++) {
        int fds[2];
        assert_int_equal(rvi_fd_pipe(fds, blocks ? 0 : O_NONBLOCK), 0);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(rvi_fd_is_nonblocking(fds[i]), !blocks);
            assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
        }
        close_pair(fds);
    }
}

static void one_that_is_ours_alone_is_unblocked(void **state)
{
    int fds[2];
    (void)state;
    assert_int_equal(rvi_fd_pipe(fds, 0), 0);
    assert_int_equal(rvi_fd_unblock(fds[0]), 0);
    assert_int_equal(rvi_fd_is_nonblocking(fds[0]), 1);
    assert_int_equal(rvi_fd_is_nonblocking(fds[1]), 0);
    close_pair(fds);
    assert_int_equal(rvi_fd_unblock(fds[0]), -EBADF);
    assert_int_equal(rvi_fd_is_nonblocking(fds[0]), -EBADF);
}

static void an_event_can_be_read_until_it_is_cleared(void **state)
{
    int fd = rvi_fd_event();
    (void)state;
    assert_true(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    rvi_fd_event_clear(fd); /* which does not wait */
    assert_false(is_readable(fd));
    rvi_fd_event_signal(fd);
    rvi_fd_event_signal(fd);
    assert_true(is_readable(fd));
    rvi_fd_event_clear(fd);
    assert_false(is_readable(fd));
    assert_int_equal(rvi_fd_close(fd), 0);
}

static void a_close_is_one_even_if_it_fails(void **state)
{
    size_t before = open_descriptors();
    int fd = rvi_fd_event();
    (void)state;
    assert_int_equal(rvi_fd_close(fd), 0);
    assert_int_equal(rvi_fd_close(fd), -EBADF);
    if (RVI_DEBUG_CHECKS < 1)
        return;
    fd = rvi_fd_event();
    rvi_call_fail_after(1, 0, false);
    assert_int_equal(rvi_fd_close(fd), -EIO);
    rvi_call_fail_after(-1, 0, false);
    assert_int_equal(open_descriptors(), before);
}

static void tcp_is_told_from_all_else(void **state)
{
    int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), fds[2];
    (void)state;
    assert_true(rvi_fd_is_tcp(tcp));
    assert_false(rvi_fd_is_tcp(udp) || rvi_fd_is_tcp(-1));
    for (int kind = OF_PIPE; kind <= OF_EVENT; kind++) {
        assert_true(open_pair((enum pair_kind)kind, true, fds));
        assert_false(rvi_fd_is_tcp(fds[0]) || rvi_fd_is_tcp(fds[1]));
        close_pair(fds);
    }
    close(udp);
    close(tcp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipes_block_as_asked_and_are_closed_on_exec),
        cmocka_unit_test(one_that_is_ours_alone_is_unblocked),
        cmocka_unit_test(an_event_can_be_read_until_it_is_cleared),
        cmocka_unit_test(a_close_is_one_even_if_it_fails),
        cmocka_unit_test(tcp_is_told_from_all_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
