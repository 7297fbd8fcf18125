/* SPDX-License-Identifier: MIT */
/* op.c - which call is made, and what makes it one that does not wait.
 *
 * An attempt sets no flag of a description, which others may share. It does not wait by a flag of
 * the call (MSG_DONTWAIT, RWF_NOWAIT), or because the description has O_NONBLOCK anyway: which is
 * asked only where the call has no such flag, or the description refuses it.
 *
 * The C library's read(), write(), recv() and send() look, in a process with threads, whether their
 * thread is to be cancelled, before the call and after it, by an atomic read-modify-write each:
 * some 2% of a small request. What cannot wait does without (AT_ONCE).
 *
 * Checked by: tests/unit/sys/test_op.c, tests/unit/io, tests/faults */
#include "sys/op.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <poll.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "sys/call.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/net_seam.h"
#include "sys/stack.h"
#include "sys/write.h"

/* Sanitizers know what the C library's functions read and write, and what they order. */
#if RVI_ASAN || RVI_TSAN
#define AT_ONCE(name, ...) name(__VA_ARGS__)
#else
#define AT_ONCE(name, ...) syscall(SYS_##name, __VA_ARGS__)
#endif

short rvi_op_readiness(const struct rvi_op *op)
{
    switch ((enum rvi_op_kind)op->kind) {
    case RVI_OP_POLL:
        return (short)(op->flags | POLLERR | POLLHUP);
    case RVI_OP_READ:
    case RVI_OP_READV:
    case RVI_OP_RECV:
    case RVI_OP_RECVMSG:
    case RVI_OP_RECVMMSG:
    case RVI_OP_SPLICE_IN:
    case RVI_OP_ACCEPT:
        return POLLIN;
    case RVI_OP_WRITE:
    case RVI_OP_WRITEV:
    case RVI_OP_SEND:
    case RVI_OP_SENDMSG:
    case RVI_OP_SENDMMSG:
    case RVI_OP_SENDFILE:
    case RVI_OP_SPLICE_OUT:
    case RVI_OP_CONNECT:
        return POLLOUT;
    default:
        return 0;
    }
}

static int64_t poll_once(const struct rvi_op *op, int timeout_ms)
{
    struct pollfd wanted = {.fd = op->fd, .events = (short)op->flags};

    if (op->fd < 0)
        return POLLNVAL; /* which poll(2) would pass over */
    int n = RVI_CALL(POLL, poll(&wanted, 1, timeout_ms));

    return n > 0 ? wanted.revents : n;
}

/* Where the description does not block, or this thread may, the plain calls do, which are the
 * cheaper ones. RWF_NOWAIT wants vectors, and an offset of -1 is the position there too. */
static ssize_t read_some(const struct rvi_op *op, bool is_plain)
{
    struct iovec one;

    if (op->kind == RVI_OP_READV) {
        return RVI_CALL(READ, preadv2(op->fd, op->vec.iov, op->vec.count, op->vec.offset,
                                      is_plain ? 0 : RWF_NOWAIT));
    }
    if (is_plain && op->buf.offset == RVI_OP_AT_POSITION)
        return RVI_CALL(READ, op->is_nonblocking ? AT_ONCE(read, op->fd, op->buf.data, op->buf.len)
                                                 : read(op->fd, op->buf.data, op->buf.len));
    if (is_plain)
        return RVI_CALL(READ, pread(op->fd, op->buf.data, op->buf.len, op->buf.offset));
    one = (struct iovec){op->buf.data, op->buf.len};
    return RVI_CALL(READ, preadv2(op->fd, &one, 1, op->buf.offset, RWF_NOWAIT));
}

static ssize_t write_some(const struct rvi_op *op, bool is_plain)
{
    struct iovec one;

    if (op->kind == RVI_OP_WRITEV) {
        return RVI_CALL(WRITE, pwritev2(op->fd, op->vec.iov, op->vec.count, op->vec.offset,
                                        is_plain ? 0 : RWF_NOWAIT));
    }
    if (is_plain && op->buf.offset == RVI_OP_AT_POSITION)
        return RVI_CALL(WRITE, op->is_nonblocking
                                   ? AT_ONCE(write, op->fd, op->buf.data, op->buf.len)
                                   : write(op->fd, op->buf.data, op->buf.len));
    if (is_plain)
        return RVI_CALL(WRITE, pwrite(op->fd, op->buf.data, op->buf.len, op->buf.offset));
    one = (struct iovec){op->buf.data, op->buf.len};
    return RVI_CALL(WRITE, pwritev2(op->fd, &one, 1, op->buf.offset, RWF_NOWAIT));
}

/* A connection under way is asked for its end, once its socket is writable. */
static int64_t connect_now(const struct rvi_op *op)
{
    if (RVI_CALL(CONNECT, connect(op->fd, op->peer.addr, op->peer.size)) == 0)
        return 0;
    return errno == EINPROGRESS || errno == EALREADY ? -EAGAIN : errno == EISCONN ? 0 : -errno;
}

static ssize_t transfer_now(const struct rvi_op *op)
{
    off_t offset = op->transfer.offset;

    switch (op->kind) {
    case RVI_OP_SENDFILE:
        return RVI_CALL(SENDFILE, sendfile(op->fd, op->transfer.other, &offset, op->transfer.len));
    case RVI_OP_SPLICE_IN:
        return RVI_CALL(SPLICE, splice(op->fd, NULL, op->transfer.other, NULL, op->transfer.len,
                                       SPLICE_F_NONBLOCK));
    default:
        return RVI_CALL(SPLICE, splice(op->transfer.other, NULL, op->fd, NULL, op->transfer.len,
                                       SPLICE_F_NONBLOCK));
    }
}

/* Into a socket these have no MSG_NOSIGNAL. */
static ssize_t transfer(const struct rvi_op *op)
{
    struct rvi_quiet quiet;

    rvi_quiet_begin(&quiet);
    ssize_t n = transfer_now(op);
    rvi_quiet_end(&quiet, n < 0 && errno == EPIPE);
    return n;
}

static ssize_t receive(const struct rvi_op *op, bool may_wait)
{
    if (may_wait)
        return RVI_CALL(RECV, recv(op->fd, op->buf.data, op->buf.len, op->flags));
    return RVI_CALL(RECV, AT_ONCE(recvfrom, op->fd, op->buf.data, op->buf.len,
                                  op->flags | MSG_DONTWAIT, NULL, NULL));
}

static ssize_t transmit(const struct rvi_op *op, bool may_wait)
{
    int flags = op->flags | MSG_NOSIGNAL;

    if (may_wait)
        return RVI_CALL(SEND, send(op->fd, op->buf.data, op->buf.len, flags));
    return RVI_CALL(
        SEND, AT_ONCE(sendto, op->fd, op->buf.data, op->buf.len, flags | MSG_DONTWAIT, NULL, 0));
}

/* What of a call depends on whether it may wait: its flags. Nothing does of the path calls. */
static int64_t make_call(struct rvi_op *op, bool may_wait)
{
    int msg = may_wait ? 0 : MSG_DONTWAIT;
    bool is_plain = may_wait || op->is_nonblocking;
    const char *name = op->path.name;

    switch ((enum rvi_op_kind)op->kind) {
    case RVI_OP_POLL:
        return poll_once(op, may_wait ? -1 : 0);
    case RVI_OP_READ:
    case RVI_OP_READV:
        return read_some(op, is_plain);
    case RVI_OP_WRITE:
    case RVI_OP_WRITEV:
        return write_some(op, is_plain);
    case RVI_OP_RECV:
        return receive(op, may_wait);
    case RVI_OP_SEND:
        return transmit(op, may_wait);
    case RVI_OP_RECVMSG:
        return RVI_CALL(RECV, recvmsg(op->fd, op->msg, op->flags | msg));
    case RVI_OP_SENDMSG:
        return RVI_CALL(SEND, sendmsg(op->fd, op->msg, op->flags | msg | MSG_NOSIGNAL));
    case RVI_OP_RECVMMSG:
        return RVI_CALL(RECV, recvmmsg(op->fd, op->batch.list, op->batch.count,
                                       op->flags | msg | MSG_WAITFORONE, NULL));
    case RVI_OP_SENDMMSG:
        return RVI_CALL(SEND, sendmmsg(op->fd, op->batch.list, op->batch.count,
                                       op->flags | msg | MSG_NOSIGNAL));
    case RVI_OP_SENDFILE:
    case RVI_OP_SPLICE_IN:
    case RVI_OP_SPLICE_OUT:
        return transfer(op);
    case RVI_OP_ACCEPT:
        return RVI_CALL(ACCEPT, accept4(op->fd, op->peer.addr, op->peer.len, op->flags));
    case RVI_OP_CONNECT:
        return connect_now(op);
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

static int64_t make_until_no_signal(struct rvi_op *op, bool may_wait)
{
    int64_t result;

    do
        result = with_errno(make_call(op, may_wait));
    while (result == -EINTR);
    return result;
}

/* Calls that have no flag of their own to say that they must not wait. */
static bool depends_on_description(const struct rvi_op *op)
{
    switch ((enum rvi_op_kind)op->kind) {
    case RVI_OP_ACCEPT:
    case RVI_OP_CONNECT:
    case RVI_OP_SENDFILE:
    case RVI_OP_SPLICE_IN:
    case RVI_OP_SPLICE_OUT:
        return true;
    default:
        return false;
    }
}

/* Calls whose flag not every description understands. */
static bool has_flag_for_some(const struct rvi_op *op)
{
    return op->kind >= RVI_OP_READ && op->kind <= RVI_OP_WRITEV;
}

static int64_t try_by_description(struct rvi_op *op)
{
    int r = rvi_fd_is_nonblocking(op->fd);

    if (r < 0)
        return r;
    op->is_nonblocking = r;
    return r ? make_until_no_signal(op, false) : RVI_OP_UNTRIED;
}

int64_t rvi_op_try(struct rvi_op *op)
{
    struct rvi_net_seam *net = rvi_net_seam();
    int64_t result;

    if (net)
        return net->attempt(net, op);
    if (rvi_op_readiness(op) == 0)
        return -EAGAIN;
    if (depends_on_description(op) && !op->is_nonblocking)
        return try_by_description(op);
    result = make_until_no_signal(op, false);
    if (rvi_unlikely(result == -EOPNOTSUPP && !op->is_nonblocking && has_flag_for_some(op)))
        return try_by_description(op);
    return op->kind == RVI_OP_POLL && result == 0 ? -EAGAIN : result;
}

int64_t rvi_op_perform(struct rvi_op *op)
{
    return make_until_no_signal(op, true);
}

bool rvi_op_is_of_file(const struct rvi_op *op)
{
    struct stat status;

    return rvi_op_readiness(op) == 0 ||
           (fstat(op->fd, &status) == 0 &&
            (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode) || S_ISDIR(status.st_mode)));
}

int64_t rvi_op_await(const struct rvi_op *op, int64_t deadline_ns)
{
    struct pollfd wanted = {.fd = op->fd, .events = rvi_op_readiness(op)};
    bool is_endless = deadline_ns == INT64_MAX;
    int64_t left = deadline_ns > 0 && !is_endless ? deadline_ns - rvi_clock_now() : 0;
    const struct timespec limit = {left > 0 ? left / 1000000000 : 0,
                                   left > 0 ? left % 1000000000 : 0};
    int n = RVI_CALL(POLL, ppoll(&wanted, 1, is_endless ? NULL : &limit, NULL));

    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    return n > 0 ? 1 : left <= 0 ? -ETIME : 0;
}

const char *rvi_op_word(unsigned kind)
{
    static const char *const words[] = {
        [RVI_OP_POLL] = "poll",         [RVI_OP_READ] = "read",
        [RVI_OP_WRITE] = "write",       [RVI_OP_READV] = "readv",
        [RVI_OP_WRITEV] = "writev",     [RVI_OP_RECV] = "recv",
        [RVI_OP_SEND] = "send",         [RVI_OP_RECVMSG] = "recvmsg",
        [RVI_OP_SENDMSG] = "sendmsg",   [RVI_OP_ACCEPT] = "accept",
        [RVI_OP_CONNECT] = "connect",   [RVI_OP_STAT] = "stat",
        [RVI_OP_SYNC] = "sync",         [RVI_OP_RENAME] = "rename",
        [RVI_OP_UNLINK] = "unlink",     [RVI_OP_MKDIR] = "mkdir",
        [RVI_OP_TRUNCATE] = "truncate", [RVI_OP_RECVMMSG] = "recvmmsg",
        [RVI_OP_SENDMMSG] = "sendmmsg", [RVI_OP_SENDFILE] = "sendfile",
        [RVI_OP_SPLICE_IN] = "splice",  [RVI_OP_SPLICE_OUT] = "splice",
    };

    return kind <= RVI_OP_LAST ? words[kind] : "call";
}
