/* SPDX-License-Identifier: MIT */
#include <ravel/io.h>

#include <errno.h>
#include <fcntl.h>

#include "io/call.h"
#include "loop/fds.h"
#include "sched/worker.h"
#include "sys/fd.h"

ssize_t rv_read(int fd, void *buf, size_t count, rv_time deadline)
{
    struct rvi_op op = rvi_op_read(fd, buf, count, RVI_OP_AT_POSITION);
    return rvi_io_call(&op, deadline);
}

ssize_t rv_readv(int fd, const struct iovec *iov, int iov_count, rv_time deadline)
{
    struct rvi_op op = rvi_op_readv(fd, iov, iov_count, RVI_OP_AT_POSITION);
    return rvi_io_call(&op, deadline);
}

int rv_read_full(int fd, void *buf, size_t count, size_t *ret_done, rv_time deadline)
{
    char *bytes = buf;
    size_t done = 0;
    ssize_t n = 1;

    while (done < count && (n = rv_read(fd, bytes + done, count - done, deadline)) > 0)
        done += (size_t)n;
    if (ret_done)
        *ret_done = done;
    return n < 0 ? (int)n : n == 0 ? -ENODATA : 0;
}

ssize_t rv_write(int fd, const void *buf, size_t count, rv_time deadline)
{
    struct rvi_op op = rvi_op_write(fd, buf, count, RVI_OP_AT_POSITION);
    return rvi_io_call(&op, deadline);
}

ssize_t rv_writev(int fd, const struct iovec *iov, int iov_count, rv_time deadline)
{
    struct rvi_op op = rvi_op_writev(fd, iov, iov_count, RVI_OP_AT_POSITION);
    return rvi_io_call(&op, deadline);
}

int rv_write_all(int fd, const void *buf, size_t count, size_t *ret_done, rv_time deadline)
{
    const char *bytes = buf;
    size_t done = 0;
    ssize_t n = 0;

    while (done < count && (n = rv_write(fd, bytes + done, count - done, deadline)) >= 0)
        done += (size_t)n;
    if (ret_done)
        *ret_done = done;
    return n < 0 ? (int)n : 0;
}

int rv_poll(int fd, short events, rv_time deadline)
{
    return rvi_io_poll(fd, events, RVI_WHY_POLL, deadline);
}

int rv_pipe(int ret_ends[2])
{
    int ends[2];
    int r = rvi_fd_pipe(ends, O_NONBLOCK);

    if (r < 0)
        return r;
    for (int i = 0; i < 2; i++) {
        rvi_fds_made(ends[i], true);
        ret_ends[i] = ends[i];
    }
    return 0;
}

int rv_close(int fd)
{
    struct rvi_worker *w = rvi_worker_self();

    if (fd < 0)
        return 0;
    if (w && w->loop)
        rvi_loop_closing(w->loop, fd);
    rvi_fds_closing(fd);
    return rvi_fd_close(fd);
}
