/* SPDX-License-Identifier: MIT */
/* local.c - what only Unix sockets can do: pass descriptors, and tell who is there.
 *
 * Received descriptors are never lost. The kernel installs those that fit and drops the others,
 * which it tells by MSG_CTRUNC: then what came is closed, for a message of which half is missing is
 * of no use. The room for control data is told exactly: its padding would hold one more.
 *
 * Checked by: tests/unit/io/test_local.c, test_net_every_point.c */
#include <ravel/net.h>

#include <errno.h>
#include <string.h>

#include <ravel/io.h>

#include "loop/fds.h"
#include "sys/sock.h"

/* Room for what passes, aligned as the kernel wants it. */
union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(RV_PASSED_MAX * sizeof(int))];
};

int rv_socketpair(int type, int ret[2])
{
    int r = rvi_sock_pair(type, ret);

    for (int i = 0; r == 0 && i < 2; i++)
        rvi_fds_made(ret[i], true);
    return r;
}

ssize_t rv_send_fds(int fd, const void *buf, size_t count, const int *fds, size_t fd_count,
                    rv_time deadline)
{
    struct iovec one = {(void *)(uintptr_t)buf, count};
    struct msghdr msg = {.msg_iov = &one, .msg_iovlen = 1};
    union control control;

    if (count == 0 || fd_count > RV_PASSED_MAX)
        return -EINVAL;
    if (fd_count > 0) {
        size_t bytes = fd_count * sizeof *fds;
        memset(&control, 0, CMSG_SPACE(bytes));
        msg.msg_control = &control;
        msg.msg_controllen = CMSG_SPACE(bytes);
        control.align.cmsg_level = SOL_SOCKET;
        control.align.cmsg_type = SCM_RIGHTS;
        control.align.cmsg_len = CMSG_LEN(bytes);
        memcpy(CMSG_DATA(&control.align), fds, bytes);
    }
    return rv_sendmsg(fd, &msg, 0, deadline);
}

/* Takes the descriptors out of the control data; there may be credentials besides. */
static size_t take_fds(struct msghdr *msg, int *fds)
{
    size_t count = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
            size_t bytes = c->cmsg_len - CMSG_LEN(0);
            memcpy(fds + count, CMSG_DATA(c), bytes);
            count += bytes / sizeof *fds;
        }
    }
    for (size_t i = 0; i < count; i++)
        rvi_fds_made(fds[i], false); /* others have them, too */
    return count;
}

static int refuse(int *fds, size_t count, size_t room)
{
    for (size_t i = 0; i < count; i++)
        (void)rv_close(fds[i]);
    return count < room ? -EMFILE : -EMSGSIZE;
}

ssize_t rv_recv_fds(int fd, void *buf, size_t count, int *fds, size_t room, size_t *ret_count,
                    rv_time deadline)
{
    struct iovec one = {buf, count};
    union control control;
    struct msghdr msg = {.msg_iov = &one, .msg_iovlen = 1, .msg_control = &control};

    if (room > RV_PASSED_MAX)
        return -EINVAL;
    msg.msg_controllen = room > 0 ? CMSG_LEN(room * sizeof *fds) : 0;
    ssize_t n = rv_recvmsg(fd, &msg, MSG_CMSG_CLOEXEC, deadline);
    if (n < 0)
        return n;
    size_t came = take_fds(&msg, fds);
    if (msg.msg_flags & MSG_CTRUNC)
        return refuse(fds, came, room);
    *ret_count = came;
    return n;
}

int rv_peer_of(int fd, struct rv_peer *ret)
{
    struct ucred cred;
    int domain;
    int r = rvi_sock_get(fd, SOL_SOCKET, SO_DOMAIN, &domain, sizeof domain);

    if (r < 0)
        return r;
    if (domain != AF_UNIX)
        return -EINVAL;
    r = rvi_sock_get(fd, SOL_SOCKET, SO_PEERCRED, &cred, sizeof cred);
    if (r < 0)
        return r;
    if (cred.pid == 0 && cred.uid == (uid_t)-1)
        return -ENOTCONN;
    *ret = (struct rv_peer){cred.pid, cred.uid, cred.gid};
    return 0;
}
