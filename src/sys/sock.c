/* SPDX-License-Identifier: MIT */
#include "sys/sock.h"

#include <errno.h>
#include <net/if.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <ravel/addr.h>

#include "sys/call.h"
#include "sys/net_seam.h"

/* epoll takes poll's bits as they are. */
_Static_assert(POLLIN == EPOLLIN && POLLOUT == EPOLLOUT, "poll and epoll name events alike");

static int with_errno(int result)
{
    return result < 0 ? -errno : result;
}

int rvi_sock_open(int family, int type, int protocol)
{
    struct rvi_net_seam *net = rvi_net_seam();

    if (net)
        return net->open(net, family, type);
    type |= SOCK_CLOEXEC | SOCK_NONBLOCK;
    return with_errno(RVI_CALL(SOCKET, socket(family, type, protocol)));
}

int rvi_sock_pair(int type, int ret[2])
{
    struct rvi_net_seam *net = rvi_net_seam();

    if (net)
        return net->pair(net, type, ret);
    type |= SOCK_CLOEXEC | SOCK_NONBLOCK;
    return with_errno(RVI_CALL(SOCKET_PAIR, socketpair(AF_UNIX, type, 0, ret)));
}

int rvi_sock_bind(int fd, const struct rv_addr *addr)
{
    struct rvi_net_seam *net = rvi_net_seam();

    if (net)
        return net->bind(net, fd, &addr->sa, addr->len);
    return with_errno(RVI_CALL(BIND, bind(fd, &addr->sa, addr->len)));
}

int rvi_sock_listen(int fd, int backlog)
{
    struct rvi_net_seam *net = rvi_net_seam();

    if (net)
        return net->listen(net, fd, backlog);
    return with_errno(RVI_CALL(LISTEN, listen(fd, backlog)));
}

int rvi_sock_shut_down(int fd, int how)
{
    struct rvi_net_seam *net = rvi_net_seam();

    if (net)
        return net->shut_down(net, fd, how);
    return with_errno(RVI_CALL(SHUT_DOWN, shutdown(fd, how)));
}

static int ask_for_addr(int fd, bool of_peer, struct rv_addr *ret)
{
    struct rvi_net_seam *net = rvi_net_seam();

    if (net)
        return net->addr(net, fd, of_peer, &ret->storage, &ret->len);
    return with_errno(of_peer ? RVI_CALL(ASK_SOCKET, getpeername(fd, &ret->sa, &ret->len))
                              : RVI_CALL(ASK_SOCKET, getsockname(fd, &ret->sa, &ret->len)));
}

int rvi_sock_addr(int fd, bool of_peer, struct rv_addr *ret)
{
    struct rv_addr addr = {.len = sizeof addr.storage};
    int r = ask_for_addr(fd, of_peer, &addr);

    if (r == 0)
        *ret = addr;
    return r;
}

int rvi_sock_set(int fd, int level, int option, const void *value, socklen_t len)
{
    struct rvi_net_seam *net = rvi_net_seam();

    if (net)
        return net->set(net, fd, level, option);
    return with_errno(RVI_CALL(SET_SOCKET, setsockopt(fd, level, option, value, len)));
}

int rvi_sock_set_int(int fd, int level, int option, int value)
{
    return rvi_sock_set(fd, level, option, &value, sizeof value);
}

int rvi_sock_get(int fd, int level, int option, void *ret, socklen_t len)
{
    struct rvi_net_seam *net = rvi_net_seam();

    if (net)
        return net->get(net, fd, level, option, ret, len);
    return with_errno(RVI_CALL(ASK_SOCKET, getsockopt(fd, level, option, ret, &len)));
}

unsigned rvi_sock_interface(const char *name)
{
    unsigned index = RVI_CALL(ASK_INTERFACE, if_nametoindex(name));

    return index == (unsigned)-1 ? 0 : index;
}

static int add(int epoll, const struct pollfd *fd)
{
    struct epoll_event event = {.events = (uint32_t)fd->events};

    return with_errno(RVI_CALL(EPOLL_ADD, epoll_ctl(epoll, EPOLL_CTL_ADD, fd->fd, &event)));
}

int rvi_sock_any_of(const struct pollfd *fds, size_t count)
{
    struct rvi_net_seam *net = rvi_net_seam();

    if (net)
        return net->any_of(net, fds, count);
    int epoll = with_errno(RVI_CALL(EPOLL, epoll_create1(EPOLL_CLOEXEC)));
    int r = epoll;

    for (size_t i = 0; r >= 0 && i < count; i++)
        r = add(epoll, &fds[i]);
    if (r < 0 && epoll >= 0)
        close(epoll);
    return r < 0 ? r : epoll;
}
