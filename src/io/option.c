/* SPDX-License-Identifier: MIT */
/* option.c - socket options as plain numbers.
 *
 * Checked by: tests/unit/io/test_option.c */
#include <ravel/net.h>

#include <errno.h>
#include <netinet/tcp.h>

#include "sys/sock.h"

/* Options that are one number; the others are made of several. */
static const struct {
    int level, name;
} plain[] = {
    [RV_SOCK_NODELAY] = {IPPROTO_TCP, TCP_NODELAY},
    [RV_SOCK_CORK] = {IPPROTO_TCP, TCP_CORK},
    [RV_SOCK_USER_TIMEOUT] = {IPPROTO_TCP, TCP_USER_TIMEOUT},
    [RV_SOCK_SEND_BYTES] = {SOL_SOCKET, SO_SNDBUF},
    [RV_SOCK_RECV_BYTES] = {SOL_SOCKET, SO_RCVBUF},
    [RV_SOCK_BROADCAST] = {SOL_SOCKET, SO_BROADCAST},
};

static int set_keepalive(int fd, int seconds)
{
    int r = seconds > 0 ? rvi_sock_set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds) : 0;

    return r < 0 ? r : rvi_sock_set_int(fd, SOL_SOCKET, SO_KEEPALIVE, seconds > 0);
}

static int get_keepalive(int fd, int *ret)
{
    int is_on, seconds;
    int r = rvi_sock_get(fd, SOL_SOCKET, SO_KEEPALIVE, &is_on, sizeof is_on);

    if (r < 0 || (r = rvi_sock_get(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds)) < 0)
        return r;
    *ret = is_on ? seconds : 0;
    return 0;
}

static int set_linger(int fd, int seconds)
{
    struct linger linger = {.l_onoff = seconds >= 0, .l_linger = seconds >= 0 ? seconds : 0};

    return rvi_sock_set(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

static int get_linger(int fd, int *ret)
{
    struct linger linger;
    int r = rvi_sock_get(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);

    if (r < 0)
        return r;
    *ret = linger.l_onoff ? linger.l_linger : -1;
    return 0;
}

static bool is_plain(unsigned option)
{
    return option < sizeof plain / sizeof plain[0] && plain[option].name != 0;
}

int rv_sock_set(int fd, enum rv_sock_opt option, int value)
{
    if (value < (option == RV_SOCK_LINGER ? -1 : 0))
        return -EINVAL;
    if (option == RV_SOCK_KEEPALIVE)
        return set_keepalive(fd, value);
    if (option == RV_SOCK_LINGER)
        return set_linger(fd, value);
    if (!is_plain(option))
        return -EINVAL;
    return rvi_sock_set_int(fd, plain[option].level, plain[option].name, value);
}

int rv_sock_get(int fd, enum rv_sock_opt option, int *ret_value)
{
    int value;

    if (option == RV_SOCK_KEEPALIVE)
        return get_keepalive(fd, ret_value);
    if (option == RV_SOCK_LINGER)
        return get_linger(fd, ret_value);
    if (!is_plain(option))
        return -EINVAL;
    int r = rvi_sock_get(fd, plain[option].level, plain[option].name, &value, sizeof value);
    if (r == 0)
        *ret_value = value;
    return r;
}
