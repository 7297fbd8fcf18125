/* SPDX-License-Identifier: MIT */
#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/call.h"
#include "sys/net_seam.h"

/* Linux has closed it also when a signal came meanwhile. */
int rvi_fd_close(int fd)
{
    struct rvi_net_seam *net = rvi_net_seam();
    int r = net ? net->close(net, fd) : -ENOTSUP;

    if (r != -ENOTSUP)
        return r;
    if (close(fd) == 0 && !rvi_call_fails(RVI_CALL_CLOSE))
        return 0;
    return errno == EINTR ? 0 : -errno;
}

int rvi_fd_pipe(int ret[2], int flags)
{
    struct rvi_net_seam *net = rvi_net_seam();

    if (net)
        return net->pipe(net, ret);
    return RVI_CALL(OPEN_PIPE, pipe2(ret, flags | O_CLOEXEC)) < 0 ? -errno : 0;
}

int rvi_fd_unblock(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags < 0 || RVI_CALL(UNBLOCK, fcntl(fd, F_SETFL, flags | O_NONBLOCK)) < 0 ? -errno : 0;
}

int rvi_fd_copy(int fd)
{
    int copy = RVI_CALL(COPY_FD, fcntl(fd, F_DUPFD_CLOEXEC, 0));

    return copy < 0 ? -errno : copy;
}

/* Fails for what is no descriptor alone. */
void rvi_fd_close_on_exec(int fd)
{
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

int rvi_fd_event(void)
{
    int fd = RVI_CALL(OPEN_EVENT, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));

    return fd < 0 ? -errno : fd;
}

/* Its counter is not full before 2^64 signals. */
void rvi_fd_event_signal(int fd)
{
    const uint64_t one = 1;
    ssize_t n = write(fd, &one, sizeof one);

    (void)n;
}

void rvi_fd_event_clear(int fd)
{
    uint64_t count;
    ssize_t n = read(fd, &count, sizeof count);

    (void)n;
}

int rvi_fd_is_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags < 0 ? -errno : (flags & O_NONBLOCK) != 0;
}

bool rvi_fd_is_tcp(int fd)
{
    int protocol = 0;
    socklen_t size = sizeof protocol;

    return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 &&
           protocol == IPPROTO_TCP;
}
