/* SPDX-License-Identifier: MIT */
/* by_uring.c - operations by completion: one io_uring a worker.
 *
 * What is submitted goes to the kernel with the next look at the ring, in one call for all that
 * was submitted since the last: when the worker runs out of tasks, and now and then. The token of
 * an operation is its address, whose lowest bit says in which of two ways the kernel has it:
 *
 *   made     the operation itself. -EAGAIN, which older kernels give where the description has
 *            O_NONBLOCK, leads to
 *   waited   a poll of its descriptor; when that is ready, the loop tries (sys/op.h). Kinds that
 *            the kernel does not make begin here
 *
 *   U1  An operation is in the kernel or in the backlog, until it is finished. It is in the backlog
 *       when the kernel takes no more until some ends have been taken.
 *   U2  One whose cancellation was asked for ends, with -ECANCELED or with what came first: the
 *       request is in the kernel, or in the list `asked`. It is never repeated.
 *
 * A descriptor may be closed under an operation, which holds the description and would not notice.
 * So operations are counted by descriptor: rv_close() ends those of its worker, as on epoll.
 * Closings are counted too: an end that comes after one leads to no further call by that number.
 *
 * Rejected: multishot receives with buffers from a pool. By hand, with nothing around them, they
 * take 0.93 to 0.98 of the CPU that a receive for each message takes with 64 connections, and 0.85
 * to 0.93 with 1,024 (bench/peers/uring.c; pairs on a busy machine, medians of several runs). Of
 * that a copy into the caller's buffer would have to be paid, and who owns what has come. They take
 * data off a socket for which nobody has asked, and a plain descriptor may be read next by another
 * worker, another library or another process, which would miss it. Receives that poll first, and
 * spare the kernel an attempt in vain: 0.99 to 1.01. Multishot accepts: 1.10 to 1.12 of single
 * ones; the kernel's own backlog already is the queue. Linked timeouts: an entry and two
 * completions each, where a timer in the worker's heap costs a tenth. Ring messages as calls: a
 * plain thread has no ring to send one from.
 * Checked by: tests/unit/loop/test_loop.c, tests/unit/io/test_call.c, tests/stress/stress_io.c */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "loop/loop.h"
#include "sys/fd.h"
#include "sys/uring.h"

#ifdef RVI_HAVE_URING

enum {
    BATCH = 64, /* ends of one look: then those that are ready run */
    WAITED = 1, /* in a token: the descriptor is polled */
};

/* Tokens that are no operations. */
enum { CALL_TOKEN = 2, CANCEL_TOKEN = 4 };

struct known {
    uint32_t under_way; /* operations */
    uint32_t closings;  /* by this worker */
    bool is_empty;      /* there was nothing more to read, when it was last read */
};

struct by_uring {
    struct rvi_loop base;
    struct rvi_uring *ring;
    int call;
    bool is_called_by_nobody; /* the watch of `call` has ended, and there was no room for another */
    struct rvi_list backlog;  /* that the kernel does not have */
    struct rvi_list asked;    /* to be cancelled, when there is room to tell the kernel */
    size_t known_count;
    struct known *known; /* by descriptor */
    struct rvi_uring_end ends[BATCH];
};

static struct by_uring *of(struct rvi_loop *loop)
{
    return rvi_container_of(loop, struct by_uring, base);
}

static struct rvi_pending *pending_of(struct rvi_link *link)
{
    return rvi_container_of(link, struct rvi_pending, link);
}

static uint64_t token_of(const struct rvi_pending *p)
{
    return (uint64_t)(uintptr_t)p | (p->is_waited ? WAITED : 0);
}

/* --- by descriptor --- */

static int make_known(struct by_uring *self, int fd)
{
    size_t count = (size_t)fd * 2 + 64;
    struct known *known = rvi_realloc(self->known, count * sizeof *known);

    if (!known)
        return -ENOMEM;
    memset(known + self->known_count, 0, (count - self->known_count) * sizeof *known);
    self->known = known;
    self->known_count = count;
    return 0;
}

/* AT_FDCWD and its like are nobody's. */
static struct known *known_of(struct by_uring *self, int fd)
{
    return fd >= 0 && (size_t)fd < self->known_count ? &self->known[fd] : NULL;
}

/* --- submitting --- */

/* To the kernel, or for later. */
static void push(struct by_uring *self, struct rvi_pending *p)
{
    int r = p->is_waited
                ? rvi_uring_push_poll(self->ring, p->op->fd, rvi_op_readiness(p->op), token_of(p))
                : rvi_uring_push(self->ring, p->op, token_of(p));

    p->is_in_kernel = r == 0;
    if (rvi_unlikely(r < 0))
        rvi_list_push_back(&self->backlog, &p->link);
}

/* Of a transfer at a file's position that ends early by an error (a full disk), the kernel tells
 * how much was done and leaves the position where it was (seen with 6.18): the next write would be
 * over the same place. */
static bool would_lose_position(const struct rvi_op *op)
{
    bool is_at_position =
        ((op->kind == RVI_OP_READ || op->kind == RVI_OP_WRITE) && op->buf.offset < 0) ||
        ((op->kind == RVI_OP_READV || op->kind == RVI_OP_WRITEV) && op->vec.offset < 0);

    return is_at_position && !op->is_nonblocking && rvi_op_is_of_file(op);
}

static int submit(struct rvi_loop *loop, struct rvi_pending *p)
{
    struct by_uring *self = of(loop);
    bool is_made = rvi_uring_makes(self->ring, (enum rvi_op_kind)p->op->kind);
    int fd = p->op->fd;

    if ((!is_made && rvi_op_readiness(p->op) == 0) || would_lose_position(p->op))
        return -EPERM;
    if (rvi_unlikely(fd >= 0 && (size_t)fd >= self->known_count) && make_known(self, fd) < 0)
        return -ENOMEM;
    if (fd >= 0) {
        self->known[fd].under_way++;
        p->closings = self->known[fd].closings;
    }
    rvi_link_init(&p->link);
    p->is_waited = !is_made;
    p->is_asked = false;
    push(self, p);
    return 0;
}

static void finish(struct by_uring *self, struct rvi_pending *p, int64_t result)
{
    struct known *known = known_of(self, p->op->fd);

    if (rvi_unlikely(rvi_link_is_linked(&p->link)))
        rvi_link_remove(&p->link); /* from `asked` */
    if (known)
        known->under_way--;
    rvi_loop_finish(&self->base, p, result);
}

/* --- cancelling --- */

static void ask_to_cancel(struct by_uring *self, struct rvi_pending *p)
{
    if (rvi_uring_push_cancel(self->ring, token_of(p), CANCEL_TOKEN) < 0)
        rvi_list_push_back(&self->asked, &p->link);
}

static bool cancel(struct rvi_loop *loop, struct rvi_pending *p)
{
    struct by_uring *self = of(loop);

    if (p->is_in_kernel) {
        p->is_asked = true;
        ask_to_cancel(self, p);
        return false;
    }
    struct known *known = known_of(self, p->op->fd);
    rvi_link_remove(&p->link);
    if (known)
        known->under_way--;
    return true;
}

/* Those that are still in the backlog end here, the others by their completions. The kernel is told
 * before the number can become another descriptor. */
static void closing(struct rvi_loop *loop, int fd)
{
    struct by_uring *self = of(loop);
    struct known *known = known_of(self, fd);

    if (!known)
        return;
    known->is_empty = false;
    known->closings++;
    if (known->under_way == 0)
        return;
    RVI_LIST_FOREACH_SAFE(link, &self->backlog) {
        if (pending_of(link)->op->fd == fd)
            finish(self, pending_of(link), -EBADF);
    }
    if (known->under_way > 0 && rvi_uring_push_cancel_fd(self->ring, fd, CANCEL_TOKEN) == 0)
        rvi_uring_enter(self->ring, 0);
}

/* --- completing --- */

/* Its number may be another descriptor's by now. */
static bool is_closed(struct by_uring *self, const struct rvi_pending *p)
{
    const struct known *known = known_of(self, p->op->fd);

    return known && known->closings != p->closings;
}

/* Its descriptor looked ready. */
static int64_t make_waited(struct by_uring *self, const struct rvi_pending *p, int64_t result)
{
    return result < 0 ? result : is_closed(self, p) ? -EBADF : rvi_op_try(p->op);
}

/* A cancellation that nobody asked for is that of a descriptor that was closed; an interruption was
 * one of the kernel's own threads. */
static void take_end(struct by_uring *self, struct rvi_pending *p, int64_t result)
{
    p->is_in_kernel = false;
    if (p->is_waited)
        result = make_waited(self, p, result);
    if (rvi_unlikely(result == -EAGAIN || result == -EINTR)) {
        if (!p->is_asked && !is_closed(self, p)) {
            p->is_waited = p->is_waited || (result == -EAGAIN && rvi_op_readiness(p->op));
            push(self, p);
            return;
        }
        result = -ECANCELED;
    }
    if (rvi_unlikely(result == -ECANCELED && !p->is_asked))
        result = -EBADF;
    finish(self, p, result);
}

static void take_call(struct by_uring *self, bool is_last)
{
    if (!is_last)
        return;
    rvi_fd_event_clear(self->call);
    self->is_called_by_nobody = rvi_uring_push_watch(self->ring, self->call, CALL_TOKEN) < 0;
}

/* What had to wait for room. */
static void catch_up(struct by_uring *self)
{
    struct rvi_list backlog, asked;
    struct rvi_link *link;

    if (rvi_unlikely(self->is_called_by_nobody))
        take_call(self, true);
    if (rvi_likely(rvi_list_is_empty(&self->backlog) && rvi_list_is_empty(&self->asked)))
        return;
    rvi_list_init(&backlog);
    rvi_list_init(&asked);
    rvi_list_concat(&backlog, &self->backlog);
    rvi_list_concat(&asked, &self->asked);
    while ((link = rvi_list_pop_front(&backlog)))
        push(self, pending_of(link));
    while ((link = rvi_list_pop_front(&asked)))
        ask_to_cancel(self, pending_of(link));
}

static void collect(struct rvi_loop *loop, rv_time deadline)
{
    struct by_uring *self = of(loop);

    catch_up(self);
    rvi_uring_enter(self->ring, deadline);
    unsigned n = rvi_uring_take(self->ring, self->ends, BATCH);
    for (unsigned i = 0; i < n; i++) {
        const struct rvi_uring_end *end = &self->ends[i];
        if (end->token > CANCEL_TOKEN)
            take_end(self, (void *)(uintptr_t)(end->token & ~(uint64_t)WAITED), end->result);
        else if (end->token == CALL_TOKEN)
            take_call(self, end->is_last);
    }
}

/* --- what is known --- */

/* If it is wrong, the kernel makes the read when it gets it: a little later, nothing worse. So this
 * is no more than a guess, of any descriptor. */
static bool would_block(struct rvi_loop *loop, const struct rvi_op *op)
{
    const struct known *known;

    if (!rvi_op_reads(op))
        return false;
    known = known_of(of(loop), op->fd);
    return known && known->is_empty;
}

static void note(struct rvi_loop *loop, const struct rvi_op *op, int64_t result)
{
    struct known *known;

    if (rvi_op_reads(op) && (known = known_of(of(loop), op->fd)))
        known->is_empty = (size_t)result < op->buf.len;
}

/* --- life --- */

static void close_loop(struct rvi_loop *loop)
{
    struct by_uring *self = of(loop);

    rvi_uring_close(self->ring);
    rvi_free(self->known);
    rvi_free(self);
}

static const struct rvi_loop_backend by_uring = {
    .name = RV_BACKEND_URING,
    .submit = submit,
    .cancel = cancel,
    .collect = collect,
    .would_block = would_block,
    .note = note,
    .closing = closing,
    .close = close_loop,
};

int rvi_loop_open_uring(struct rvi_loop **ret, int call)
{
    struct by_uring *self = rvi_calloc(1, sizeof *self);
    int r;

    if (!self)
        return -ENOMEM;
    if ((r = rvi_uring_open(&self->ring)) < 0)
        goto free_self;
    if ((r = rvi_uring_push_watch(self->ring, call, CALL_TOKEN)) < 0)
        goto close_ring;
    self->base.backend = &by_uring;
    self->call = call;
    rvi_list_init(&self->backlog);
    rvi_list_init(&self->asked);
    *ret = &self->base;
    return 0;

close_ring:
    rvi_uring_close(self->ring);
free_self:
    rvi_free(self);
    return r;
}

#else

int rvi_loop_open_uring(struct rvi_loop **ret, int call)
{
    (void)ret;
    (void)call;
    return -ENOSYS;
}

#endif
