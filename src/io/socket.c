/* SPDX-License-Identifier: MIT */
/* socket.c - what is common to all sockets: sending, receiving, ending.
 *
 * Checked by: tests/unit/io/test_socket.c, test_net_every_point.c */
#include <ravel/net.h>

#include <errno.h>

#include <ravel/io.h>

#include "io/call.h"
#include "sys/sock.h"

ssize_t rv_recv(int fd, void *buf, size_t count, int flags, rv_time deadline)
{
    struct rvi_op op = rvi_op_recv(fd, buf, count, flags);

    return rvi_io_call(&op, deadline);
}

ssize_t rv_send(int fd, const void *buf, size_t count, int flags, rv_time deadline)
{
    struct rvi_op op = rvi_op_send(fd, buf, count, flags);

    return rvi_io_call(&op, deadline);
}

int rv_send_all(int fd, const void *buf, size_t count, size_t *ret_done, rv_time deadline)
{
    const char *bytes = buf;
    size_t done = 0;
    ssize_t n = 0;

    while (done < count && (n = rv_send(fd, bytes + done, count - done, 0, deadline)) >= 0)
        done += (size_t)n;
    if (ret_done)
        *ret_done = done;
    return n < 0 ? (int)n : 0;
}

ssize_t rv_recvmsg(int fd, struct msghdr *msg, int flags, rv_time deadline)
{
    struct rvi_op op = rvi_op_recvmsg(fd, msg, flags);

    return rvi_io_call(&op, deadline);
}

ssize_t rv_sendmsg(int fd, const struct msghdr *msg, int flags, rv_time deadline)
{
    struct rvi_op op = rvi_op_sendmsg(fd, msg, flags);

    return rvi_io_call(&op, deadline);
}

int rv_addr_local(int fd, struct rv_addr *ret)
{
    return rvi_sock_addr(fd, false, ret);
}

int rv_addr_peer(int fd, struct rv_addr *ret)
{
    return rvi_sock_addr(fd, true, ret);
}

int rv_shutdown(int fd, int how)
{
    return rvi_sock_shut_down(fd, how);
}

/* A small buffer: it lies on the task's stack, of which an idle connection should touch little. */
int rv_close_gracefully(int fd, rv_time deadline)
{
    char unwanted[256];
    ssize_t r = rvi_sock_shut_down(fd, SHUT_WR);

    while (r >= 0) {
        r = rv_recv(fd, unwanted, sizeof unwanted, 0, deadline);
        if (r == 0)
            break;
    }
    int closed = rv_close(fd);
    return r < 0 ? (int)r : closed;
}
