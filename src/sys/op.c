/* SPDX-License-Identifier: MIT */
#include "sys/op.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "sys/call.h"

short rvi_op_readiness(const struct rvi_op *op)
{
    switch ((enum rvi_op_kind)op->kind) {
    case RVI_OP_POLL:
        return (short)op->flags;
    case RVI_OP_READ:
    case RVI_OP_READV:
    case RVI_OP_RECV:
    case RVI_OP_RECVMSG:
    case RVI_OP_ACCEPT:
        return POLLIN;
    case RVI_OP_WRITE:
    case RVI_OP_WRITEV:
    case RVI_OP_SEND:
    case RVI_OP_SENDMSG:
    case RVI_OP_CONNECT:
        return POLLOUT;
    default:
        return 0;
    }
}

static int64_t poll_once(const struct rvi_op *op, int timeout_ms)
{
    struct pollfd wanted = {.fd = op->fd, .events = (short)op->flags};
    int n = RVI_CALL(POLL, poll(&wanted, 1, timeout_ms));

    return n > 0 ? wanted.revents : n;
}

/* RWF_NOWAIT wants vectors. An offset of -1 is the position for preadv2 too. */
static ssize_t read_some(const struct rvi_op *op, int rwf)
{
    const struct iovec one = {op->buf.data, op->buf.len};

    if (op->kind == RVI_OP_READV)
        return RVI_CALL(READ, preadv2(op->fd, op->vec.iov, op->vec.count, op->vec.offset, rwf));
    return RVI_CALL(READ, preadv2(op->fd, &one, 1, op->buf.offset, rwf));
}

static ssize_t write_some(const struct rvi_op *op, int rwf)
{
    const struct iovec one = {op->buf.data, op->buf.len};

    if (op->kind == RVI_OP_WRITEV)
        return RVI_CALL(WRITE, pwritev2(op->fd, op->vec.iov, op->vec.count, op->vec.offset, rwf));
    return RVI_CALL(WRITE, pwritev2(op->fd, &one, 1, op->buf.offset, rwf));
}

/* A connection under way is asked for its end, once its socket is writable. */
static int64_t connect_now(const struct rvi_op *op)
{
    if (RVI_CALL(CONNECT, connect(op->fd, op->peer.addr, op->peer.size)) == 0)
        return 0;
    return errno == EINPROGRESS || errno == EALREADY ? -EAGAIN : errno == EISCONN ? 0 : -errno;
}

/* What of a call depends on whether it may wait: its flags. Nothing does of the path calls. */
static int64_t make_call(struct rvi_op *op, bool may_wait)
{
    int msg = may_wait ? 0 : MSG_DONTWAIT;
    int rwf = may_wait ? 0 : RWF_NOWAIT;
    const char *name = op->path.name;

    switch ((enum rvi_op_kind)op->kind) {
    case RVI_OP_POLL:
        return poll_once(op, may_wait ? -1 : 0);
    case RVI_OP_READ:
    case RVI_OP_READV:
        return read_some(op, rwf);
    case RVI_OP_WRITE:
    case RVI_OP_WRITEV:
        return write_some(op, rwf);
    case RVI_OP_RECV:
        return RVI_CALL(RECV, recv(op->fd, op->buf.data, op->buf.len, op->flags | msg));
    case RVI_OP_SEND:
        return RVI_CALL(SEND,
                        send(op->fd, op->buf.data, op->buf.len, op->flags | msg | MSG_NOSIGNAL));
    case RVI_OP_RECVMSG:
        return RVI_CALL(RECV, recvmsg(op->fd, op->msg, op->flags | msg));
    case RVI_OP_SENDMSG:
        return RVI_CALL(SEND, sendmsg(op->fd, op->msg, op->flags | msg | MSG_NOSIGNAL));
    case RVI_OP_ACCEPT:
        return RVI_CALL(ACCEPT, accept4(op->fd, op->peer.addr, op->peer.len, op->flags));
    case RVI_OP_CONNECT:
        return connect_now(op);
    case RVI_OP_OPEN:
        return RVI_CALL(OPEN, openat(op->fd, name, op->flags, op->path.mode));
    case RVI_OP_STAT:
        return RVI_CALL(STAT, statx(op->fd, name, op->flags, op->path.mask, op->path.stat));
    case RVI_OP_SYNC:
        return RVI_CALL(SYNC, op->flags ? fdatasync(op->fd) : fsync(op->fd));
    case RVI_OP_RENAME:
        return RVI_CALL(RENAME, renameat2(op->fd, name, op->path.new_fd, op->path.new_name,
                                          (unsigned)op->flags));
    case RVI_OP_UNLINK:
        return RVI_CALL(UNLINK, unlinkat(op->fd, name, op->flags));
    case RVI_OP_MKDIR:
        return RVI_CALL(MKDIR, mkdirat(op->fd, name, op->path.mode));
    case RVI_OP_TRUNCATE:
        return RVI_CALL(TRUNCATE, ftruncate(op->fd, op->size));
    }
    rvi_panic("unknown operation %d", op->kind);
}

static int64_t with_errno(int64_t result)
{
    return result == -1 ? -errno : result;
}

int64_t rvi_op_try(struct rvi_op *op)
{
    int64_t result;

    if (rvi_op_readiness(op) == 0)
        return -EAGAIN;
    do
        result = with_errno(make_call(op, false));
    while (result == -EINTR);
    return op->kind == RVI_OP_POLL && result == 0 ? -EAGAIN : result;
}

int64_t rvi_op_perform(struct rvi_op *op)
{
    int64_t result;

    do
        result = with_errno(make_call(op, true));
    while (result == -EINTR);
    return result;
}
