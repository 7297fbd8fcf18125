/* SPDX-License-Identifier: MIT */
#include "net_test.h"

static void assert_kept(int fd, enum rv_sock_opt option, int value, int kept)
{
    int now = -99;
    assert_int_equal(rv_sock_set(fd, option, value), 0);
    assert_int_equal(rv_sock_get(fd, option, &now), 0);
    assert_int_equal(now, kept);
}

static void what_is_set_can_be_asked_for(void **state)
{
    int fds[2];
    int udp = listen_on("udp", "127.0.0.1:0").fd;
    (void)state;
    connect_pair(fds);
    assert_kept(fds[0], RV_SOCK_NODELAY, 0, 0);
    assert_kept(fds[0], RV_SOCK_NODELAY, 1, 1);
    assert_kept(fds[0], RV_SOCK_CORK, 1, 1);
    assert_kept(fds[0], RV_SOCK_CORK, 0, 0);
    assert_kept(fds[0], RV_SOCK_KEEPALIVE, 77, 77);
    assert_kept(fds[0], RV_SOCK_KEEPALIVE, 0, 0);
    assert_kept(fds[0], RV_SOCK_USER_TIMEOUT, 5000, 5000);
    assert_kept(fds[0], RV_SOCK_LINGER, 3, 3);
    assert_kept(fds[0], RV_SOCK_LINGER, 0, 0);
    assert_kept(fds[0], RV_SOCK_LINGER, -1, -1);
    assert_kept(fds[0], RV_SOCK_SEND_BYTES, 20000, 40000);
    assert_kept(fds[0], RV_SOCK_RECV_BYTES, 20000, 40000);
    assert_kept(udp, RV_SOCK_BROADCAST, 1, 1);
    close_pair(fds);
    rv_close(udp);
}

static void what_makes_no_sense_is_refused(void **state)
{
    int fds[2], value;
    (void)state;
    connect_pair(fds);
    assert_int_equal(rv_sock_set(fds[0], (enum rv_sock_opt)99, 1), -EINVAL);
    assert_int_equal(rv_sock_get(fds[0], (enum rv_sock_opt)99, &value), -EINVAL);
    assert_int_equal(rv_sock_set(fds[0], RV_SOCK_NODELAY, -1), -EINVAL);
    assert_int_equal(rv_sock_set(fds[0], RV_SOCK_LINGER, -2), -EINVAL);
    close_pair(fds);
    assert_int_equal(rv_sock_set(-1, RV_SOCK_NODELAY, 1), -EBADF);
    assert_int_equal(rv_sock_get(-1, RV_SOCK_LINGER, &value), -EBADF);
    assert_int_equal(rv_sock_get(-1, RV_SOCK_KEEPALIVE, &value), -EBADF);
    assert_int_equal(rv_socketpair(SOCK_STREAM, fds), 0);
    int r = rv_sock_set(fds[0], RV_SOCK_NODELAY, 1);
    assert_true(r == -EOPNOTSUPP || r == -ENOPROTOOPT);
    close_pair(fds);
}

static void a_linger_of_nothing_resets(void **state)
{
    int fds[2];
    char byte;
    (void)state;
    connect_pair(fds);
    assert_int_equal(rv_sock_set(fds[0], RV_SOCK_LINGER, 0), 0);
    rv_close(fds[0]);
    assert_int_equal(rv_recv(fds[1], &byte, 1, 0, RV_NEVER), -ECONNRESET);
    rv_close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_set_can_be_asked_for),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(a_linger_of_nothing_resets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
