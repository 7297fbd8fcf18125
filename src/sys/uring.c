/* SPDX-License-Identifier: MIT */
/* uring.c - io_uring by liburing.
 *
 * What a kernel has is found out by trying: the flags of a ring by opening one with them, then with
 * fewer; operations by asking the ring. One without IORING_FEAT_RSRC_TAGS (5.13), whose polls know
 * no edges, counts as none. With DEFER_TASKRUN (6.1) the kernel does what completions take when
 * this thread comes for them, and not in the middle of a task; IORING_SQ_TASKRUN says that it is
 * worth coming.
 *
 * The rings' memory is not inherited by a fork (MADV_DONTFORK).
 *
 * Checked by: tests/unit/sys/test_uring.c, tests/unit/loop/test_loop.c, tests/faults */
#include "sys/uring.h"

#include <errno.h>

#ifdef RVI_HAVE_URING

#include <liburing.h>
#include <poll.h>
#include <time.h>

#include "base/alloc.h"
#include "base/check.h"
#include "sys/call.h"
#include "sys/clock.h"

#ifndef IORING_SETUP_SINGLE_ISSUER
#define IORING_SETUP_SINGLE_ISSUER (1U << 12)
#endif
#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_DEFER_TASKRUN (1U << 13)
#endif

enum {
    SUBMISSIONS = 256,
    COMPLETIONS = 2048, /* those beyond wait inside the kernel */
    LONGEST_PIECE = 0x7ffff000,
    PAUSE_NS = 1000000,
};

#define NEEDED (IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_RSRC_TAGS)

struct rvi_uring {
    struct io_uring ring;
    bool makes[RVI_OP_LAST + 1];
};

/* --- operations --- */

static const int8_t code_of[RVI_OP_LAST + 1] = {
    [RVI_OP_POLL] = IORING_OP_POLL_ADD,   [RVI_OP_READ] = IORING_OP_READ,
    [RVI_OP_WRITE] = IORING_OP_WRITE,     [RVI_OP_READV] = IORING_OP_READV,
    [RVI_OP_WRITEV] = IORING_OP_WRITEV,   [RVI_OP_RECV] = IORING_OP_RECV,
    [RVI_OP_SEND] = IORING_OP_SEND,       [RVI_OP_RECVMSG] = IORING_OP_RECVMSG,
    [RVI_OP_SENDMSG] = IORING_OP_SENDMSG, [RVI_OP_ACCEPT] = IORING_OP_ACCEPT,
    [RVI_OP_STAT] = IORING_OP_STATX,      [RVI_OP_SYNC] = IORING_OP_FSYNC,
    [RVI_OP_RENAME] = IORING_OP_RENAMEAT, [RVI_OP_UNLINK] = IORING_OP_UNLINKAT,
    [RVI_OP_MKDIR] = IORING_OP_MKDIRAT,
    /* Others are 0, a call that does nothing: they are not made. */
};

static unsigned piece(size_t len)
{
    return len < LONGEST_PIECE ? (unsigned)len : LONGEST_PIECE;
}

/* A call that must not wait ignores MSG_WAITALL, which here would be obeyed. */
static void fill(struct io_uring_sqe *sqe, const struct rvi_op *op)
{
    const char *name = op->path.name;
    int fd = op->fd;

    switch ((enum rvi_op_kind)op->kind) {
    case RVI_OP_POLL:
        io_uring_prep_poll_add(sqe, fd, (unsigned)rvi_op_readiness(op));
        return;
    case RVI_OP_READ:
        io_uring_prep_read(sqe, fd, op->buf.data, piece(op->buf.len), (uint64_t)op->buf.offset);
        return;
    case RVI_OP_WRITE:
        io_uring_prep_write(sqe, fd, op->buf.data, piece(op->buf.len), (uint64_t)op->buf.offset);
        return;
    case RVI_OP_READV:
        io_uring_prep_readv(sqe, fd, op->vec.iov, (unsigned)op->vec.count,
                            (uint64_t)op->vec.offset);
        return;
    case RVI_OP_WRITEV:
        io_uring_prep_writev(sqe, fd, op->vec.iov, (unsigned)op->vec.count,
                             (uint64_t)op->vec.offset);
        return;
    case RVI_OP_RECV:
        io_uring_prep_recv(sqe, fd, op->buf.data, piece(op->buf.len), op->flags & ~MSG_WAITALL);
        return;
    case RVI_OP_SEND:
        io_uring_prep_send(sqe, fd, op->buf.data, piece(op->buf.len), op->flags | MSG_NOSIGNAL);
        return;
    case RVI_OP_RECVMSG:
        io_uring_prep_recvmsg(sqe, fd, op->msg, (unsigned)(op->flags & ~MSG_WAITALL));
        return;
    case RVI_OP_SENDMSG:
        io_uring_prep_sendmsg(sqe, fd, op->msg, (unsigned)op->flags | MSG_NOSIGNAL);
        return;
    case RVI_OP_ACCEPT:
        io_uring_prep_accept(sqe, fd, op->peer.addr, op->peer.len, op->flags);
        return;
    case RVI_OP_STAT:
        io_uring_prep_statx(sqe, fd, name, op->flags, op->path.mask, op->path.stat);
        return;
    case RVI_OP_SYNC:
        io_uring_prep_fsync(sqe, fd, op->flags ? IORING_FSYNC_DATASYNC : 0);
        return;
    case RVI_OP_RENAME:
        io_uring_prep_renameat(sqe, fd, name, op->path.new_fd, op->path.new_name,
                               (unsigned)op->flags);
        return;
    case RVI_OP_UNLINK:
        io_uring_prep_unlinkat(sqe, fd, name, op->flags);
        return;
    case RVI_OP_MKDIR:
        io_uring_prep_mkdirat(sqe, fd, name, op->path.mode);
        return;
    default:
        rvi_panic("no ring makes operation %d", op->kind);
    }
}

bool rvi_uring_makes(const struct rvi_uring *self, enum rvi_op_kind kind)
{
    return self->makes[kind];
}

/* --- pushing --- */

/* NULL: the kernel takes no more for now. */
static struct io_uring_sqe *room(struct rvi_uring *self)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&self->ring);

    if (rvi_unlikely(!sqe) && RVI_CALL(ENTER_RING, io_uring_submit(&self->ring)) > 0)
        sqe = io_uring_get_sqe(&self->ring);
    return sqe;
}

int rvi_uring_push(struct rvi_uring *self, const struct rvi_op *op, uint64_t token)
{
    struct io_uring_sqe *sqe = room(self);

    if (!sqe)
        return -EBUSY;
    fill(sqe, op);
    io_uring_sqe_set_data64(sqe, token);
    return 0;
}

int rvi_uring_push_poll(struct rvi_uring *self, int fd, short events, uint64_t token)
{
    const struct rvi_op op = rvi_op_poll(fd, events);

    return rvi_uring_push(self, &op, token);
}

int rvi_uring_push_watch(struct rvi_uring *self, int fd, uint64_t token)
{
    struct io_uring_sqe *sqe = room(self);

    if (!sqe)
        return -EBUSY;
    io_uring_prep_poll_multishot(sqe, fd, POLLIN);
    io_uring_sqe_set_data64(sqe, token);
    return 0;
}

int rvi_uring_push_cancel(struct rvi_uring *self, uint64_t whom, uint64_t token)
{
    struct io_uring_sqe *sqe = room(self);

    if (!sqe)
        return -EBUSY;
    io_uring_prep_cancel64(sqe, whom, 0);
    io_uring_sqe_set_data64(sqe, token);
    return 0;
}

int rvi_uring_push_cancel_fd(struct rvi_uring *self, int fd, uint64_t token)
{
    struct io_uring_sqe *sqe = room(self);

    if (!sqe)
        return -EBUSY;
    io_uring_prep_cancel_fd(sqe, fd, IORING_ASYNC_CANCEL_ALL);
    io_uring_sqe_set_data64(sqe, token);
    return 0;
}

/* --- entering --- */

static bool has_work_for_kernel(const struct rvi_uring *self)
{
    return io_uring_sq_ready(&self->ring) > 0 ||
           IO_URING_READ_ONCE(*self->ring.sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

/* It takes nothing before something has ended that it does itself (-EBUSY), or before it has memory
 * (-EAGAIN, -ENOMEM), however long that lasts: it is asked again when there are ends, and each
 * millisecond, not without pause. */
static void pause_for_ends(const struct rvi_uring *self, int64_t most_ns)
{
    struct pollfd ends = {.fd = self->ring.ring_fd, .events = POLLIN};
    const struct timespec limit = {0, most_ns < PAUSE_NS ? most_ns : PAUSE_NS};

    (void)RVI_CALL(POLL, ppoll(&ends, 1, &limit, NULL));
}

/* What it did not take it takes the next time. */
static void wait_until(struct rvi_uring *self, int64_t deadline_ns)
{
    bool is_endless = deadline_ns == INT64_MAX;
    int64_t left = is_endless ? 0 : deadline_ns - rvi_clock_now();
    int64_t ns = left > 0 ? left : 0;
    struct __kernel_timespec limit = {ns / 1000000000, ns % 1000000000};
    struct io_uring_cqe *cqe;
    int r = rvi_call_fails(RVI_CALL_ENTER_RING)
                ? -errno
                : io_uring_submit_and_wait_timeout(&self->ring, &cqe, 1, is_endless ? NULL : &limit,
                                                   NULL);

    if (rvi_unlikely(r < 0 && r != -ETIME && r != -EINTR))
        pause_for_ends(self, is_endless ? PAUSE_NS : ns);
}

void rvi_uring_enter(struct rvi_uring *self, int64_t deadline_ns)
{
    if (deadline_ns > 0 && io_uring_cq_ready(&self->ring) == 0)
        wait_until(self, rvi_clock_wait_end(deadline_ns));
    else if (has_work_for_kernel(self))
        (void)RVI_CALL(ENTER_RING, io_uring_submit_and_get_events(&self->ring));
}

unsigned rvi_uring_take(struct rvi_uring *self, struct rvi_uring_end *ends, unsigned most)
{
    struct io_uring_cqe *cqe;
    unsigned head, count = 0;

    io_uring_for_each_cqe(&self->ring, head, cqe)
    {
        if (count == most)
            break;
        ends[count++] =
            (struct rvi_uring_end){cqe->user_data, cqe->res, !(cqe->flags & IORING_CQE_F_MORE)};
    }
    io_uring_cq_advance(&self->ring, count);
    return count;
}

/* --- life --- */

/* With what is best, or less. */
static int open_ring(struct io_uring *ring)
{
    static const unsigned wishes[] = {
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
            IORING_SETUP_SUBMIT_ALL,
        IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL,
        0,
    };
    int r = -EINVAL;

    for (size_t i = 0; r == -EINVAL && i < sizeof wishes / sizeof wishes[0]; i++) {
        struct io_uring_params params = {
            .flags = wishes[i] | IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE,
            .cq_entries = COMPLETIONS,
        };
        r = rvi_call_fails(RVI_CALL_OPEN_RING)
                ? -errno
                : io_uring_queue_init_params(SUBMISSIONS, ring, &params);
    }
    return r;
}

static int ask_what_it_makes(struct rvi_uring *self)
{
    struct io_uring_probe *probe =
        rvi_call_fails(RVI_CALL_PROBE_RING) ? NULL : io_uring_get_probe_ring(&self->ring);

    if (!probe)
        return -ENOMEM;
    for (int kind = 0; kind <= RVI_OP_LAST; kind++) {
        self->makes[kind] = (code_of[kind] || kind == RVI_OP_POLL) &&
                            io_uring_opcode_supported(probe, code_of[kind]);
    }
    io_uring_free_probe(probe);
    return self->makes[RVI_OP_POLL] && self->makes[RVI_OP_READ] ? 0 : -ENOSYS;
}

int rvi_uring_open(struct rvi_uring **ret)
{
    struct rvi_uring *self = rvi_calloc(1, sizeof *self);
    int r;

    if (!self)
        return -ENOMEM;
    if ((r = open_ring(&self->ring)) < 0)
        goto free_self;
    r = (self->ring.features & NEEDED) == NEEDED ? ask_what_it_makes(self) : -ENOSYS;
    if (r < 0)
        goto close_ring;
    (void)io_uring_ring_dontfork(&self->ring);
    (void)io_uring_register_ring_fd(
        &self->ring); /* saves a look-up at each call, where it is had */
    *ret = self;
    return 0;

close_ring:
    io_uring_queue_exit(&self->ring);
free_self:
    rvi_free(self);
    return r;
}

void rvi_uring_close(struct rvi_uring *self)
{
    io_uring_queue_exit(&self->ring);
    rvi_free(self);
}

#else

int rvi_uring_open(struct rvi_uring **ret)
{
    (void)ret;
    return -ENOSYS;
}

void rvi_uring_close(struct rvi_uring *ring)
{
    (void)ring;
}

#endif
