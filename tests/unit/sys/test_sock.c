/* SPDX-License-Identifier: MIT */
/* test_sock.c - what is asked of sockets at once, and what the kernel says to it. */
#include "sys/sock.h"

#include <ravel/addr.h>

#include "../../support/held.h"
#include "descriptors.h"

static void assert_is_ours(int fd)
{
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

static void sockets_never_block_and_are_closed_on_exec(void **state)
{
    int fd = rvi_sock_open(AF_INET, SOCK_STREAM, 0), fds[2];
    (void)state;
    assert_is_ours(fd);
    close(fd);
    assert_int_equal(rvi_sock_pair(SOCK_DGRAM, fds), 0);
    assert_is_ours(fds[0]);
    assert_is_ours(fds[1]);
    close_pair(fds);
    assert_int_equal(rvi_sock_open(AF_INET, 4711, 0), -EINVAL);
    assert_int_equal(rvi_sock_pair(4711, fds), -EINVAL);
}

static void a_socket_knows_its_names(void **state)
{
    struct rv_addr addr, own = {0}, peer = {.len = 4711};
    int fd = rvi_sock_open(AF_INET, SOCK_STREAM, 0);
    (void)state;
    assert_int_equal(rv_addr_parse(&addr, "127.0.0.1:0", NULL), 0);
    assert_int_equal(rvi_sock_bind(fd, &addr), 0);
    assert_int_equal(rvi_sock_bind(fd, &addr), -EINVAL);
    assert_int_equal(rvi_sock_listen(fd, 1), 0);
    assert_int_equal(rvi_sock_addr(fd, false, &own), 0);
    assert_true(own.sa.sa_family == AF_INET && own.len == addr.len);
    assert_int_equal(rvi_sock_addr(fd, true, &peer), -ENOTCONN);
    assert_int_equal(peer.len, 4711);
    assert_int_equal(rvi_sock_shut_down(fd, 4711), -EINVAL);
    close(fd);
    assert_int_equal(rvi_sock_addr(fd, false, &own), -EBADF);
    assert_int_equal(rvi_sock_listen(fd, 1), -EBADF);
}

static void options_are_set_and_read(void **state)
{
    int fd = rvi_sock_open(AF_INET, SOCK_STREAM, 0), value = 0;
    (void)state;
    assert_int_equal(rvi_sock_set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1), 0);
    assert_int_equal(rvi_sock_get(fd, SOL_SOCKET, SO_KEEPALIVE, &value, sizeof value), 0);
    assert_int_equal(value, 1);
    assert_int_equal(rvi_sock_set_int(fd, SOL_SOCKET, 4711, 1), -ENOPROTOOPT);
    assert_int_equal(rvi_sock_get(fd, SOL_SOCKET, 4711, &value, sizeof value), -ENOPROTOOPT);
    close(fd);
}

static void interfaces_have_numbers(void **state)
{
    (void)state;
    assert_int_equal(rvi_sock_interface("lo") > 0, 1);
    assert_int_equal(rvi_sock_interface("no such one"), 0);
}

static void any_of_several_makes_one_readable(void **state)
{
    int one[2], two[2];
    (void)state;
    assert_true(open_pair(OF_PIPE, true, one) && open_pair(OF_STREAM, true, two));
    const struct pollfd fds[] = {{.fd = one[0], .events = POLLIN},
                                 {.fd = two[0], .events = POLLIN}};
    struct pollfd any = {.fd = rvi_sock_any_of(fds, 2), .events = POLLIN};
    assert_int_equal(fcntl(any.fd, F_GETFD), FD_CLOEXEC);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(poll(&any, 1, 0), 0);
        send_portion(i == 0 ? one : two);
        assert_int_equal(poll(&any, 1, -1), 1);
        empty(i == 0 ? one[0] : two[0]);
    }
    close(any.fd);
    close_pair(one);
    close_pair(two);
}

static void any_of_what_cannot_be_waited_for_is_refused(void **state)
{
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), pair[2];
    (void)state;
    assert_true(open_pair(OF_PIPE, true, pair));
    const struct pollfd fds[] = {{.fd = pair[0], .events = POLLIN}, {.fd = file, .events = POLLIN}};
    size_t before = open_descriptors();
    assert_int_equal(rvi_sock_any_of(fds, 2), -EPERM);
    assert_int_equal(open_descriptors(), before);
    close_pair(pair);
    close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sockets_never_block_and_are_closed_on_exec),
        cmocka_unit_test(a_socket_knows_its_names),
        cmocka_unit_test(options_are_set_and_read),
        cmocka_unit_test(interfaces_have_numbers),
        cmocka_unit_test(any_of_several_makes_one_readable),
        cmocka_unit_test(any_of_what_cannot_be_waited_for_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
