/* SPDX-License-Identifier: MIT */
/* by_epoll.c - operations by readiness: one epoll a worker.
 *
 * A descriptor of ours (fds.h) is registered when it is first waited for, for all events, edge
 * triggered, and stays so until it is closed, when the kernel forgets it: a wait then costs no
 * system call of its own. The number and its generation are the event's data, so an event of a
 * description that lives on under another number (dup) is told apart. Any other descriptor may be
 * closed and be another one at the next call, and we would not know: it is registered anew for each
 * wait and for one event, by a modification that the kernel refuses if the description is not the
 * one that it has.
 *
 *   E1  A watch's waiters are those that have been tried since the last edge, or wait for it in
 *       vain: who submits has tried just before (or knows better, see below), with no event
 *       collected in between; an event tries all whom it concerns.
 *   E2  A watch that is not ours and has waiters is armed.
 *   E3  Nothing that is wrongly woken, or tried in vain, matters but for its time.
 *
 * A read that has given less than it had room for has emptied the socket, and what arrives later is
 * an edge: the next read need not be tried before it waits, which saves one system call of three a
 * request. That holds of TCP streams alone (a datagram, a line of a terminal, a descriptor passed
 * in the middle of a Unix stream end a read early too), and only until the peer has ended, failed
 * or sent something urgent: of these there is one edge, and it may have come with the data.
 *
 * Who waits for a descriptor that is closed: rv_close() on the same worker ends it with -EBADF; if
 * the number comes back, as a descriptor of ours, so does the next wait for it.
 *
 * Who waits alone, as almost everybody does, is only told that his descriptor is ready, and makes
 * the operation himself: then what the kernel keeps of a connection is fetched into the cache once,
 * for the read and for the write that answers it. (Reading for 64 connections first and writing for
 * all of them after took half as much time again with 1,024 of them.) Of several that wait for one
 * descriptor all would wake for each event, in no order: those are served here.
 *
 * Rejected: level triggering, two system calls a wait, or one and a spurious wake.
 * Checked by: tests/unit/loop/test_loop.c, tests/unit/io/test_call.c, tests/stress/stress_io.c */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "loop/fds.h"
#include "loop/loop.h"
#include "sys/fd.h"
#include "sys/op.h"
#include "sys/poller.h"

enum {
    FEW = 4,            /* events that are not worth looking ahead for */
    BATCH = 64,         /* events of one look: then those that are ready run */
    CHUNK_WATCHES = 64, /* of neighbouring numbers */
};

#define FOR_LIFE (EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET)
#define ENDS (EPOLLHUP | EPOLLERR)

/* What is known of a number. Zeroed: nothing. */
struct watch {
    struct rvi_list waiting;
    uint32_t generation; /* of ours, registered for life; 0: it is not */
    bool is_made;        /* the list */
    bool is_tcp;
    bool is_empty;    /* there was nothing more to read, and no event since */
    bool may_deceive; /* that is never to be concluded again */
};

struct by_epoll {
    struct rvi_loop base;
    int fd;
    size_t chunk_count;
    struct watch **chunks;
    struct epoll_event events[BATCH];
};

#define CALL_DATA UINT64_MAX /* the event of the call descriptor */

static struct by_epoll *of(struct rvi_loop *loop)
{
    return rvi_container_of(loop, struct by_epoll, base);
}

/* --- watches --- */

/* NULL: there has been none. */
static struct watch *find(const struct by_epoll *self, int fd)
{
    size_t chunk = (unsigned)fd / CHUNK_WATCHES;

    if (rvi_unlikely(chunk >= self->chunk_count || !self->chunks[chunk]))
        return NULL;
    return &self->chunks[chunk][(unsigned)fd % CHUNK_WATCHES];
}

static int add_chunks(struct by_epoll *self, size_t count)
{
    struct watch **chunks = rvi_realloc(self->chunks, count * sizeof *chunks);

    if (!chunks)
        return -ENOMEM;
    memset(chunks + self->chunk_count, 0, (count - self->chunk_count) * sizeof *chunks);
    self->chunks = chunks;
    self->chunk_count = count;
    return 0;
}

/* -EBADF: no descriptor has this number. */
static int find_or_make(struct by_epoll *self, int fd, struct watch **ret)
{
    size_t chunk = (unsigned)fd / CHUNK_WATCHES;

    if (fd < 0)
        return -EBADF;
    if (chunk >= self->chunk_count && add_chunks(self, (chunk + 1) * 2) < 0)
        return -ENOMEM;
    if (!self->chunks[chunk] &&
        !(self->chunks[chunk] = rvi_calloc(CHUNK_WATCHES, sizeof **self->chunks)))
        return -ENOMEM;
    *ret = find(self, fd);
    if (!(*ret)->is_made)
        rvi_list_init(&(*ret)->waiting);
    (*ret)->is_made = true;
    return 0;
}

static struct rvi_pending *pending_of(struct rvi_link *link)
{
    return rvi_container_of(link, struct rvi_pending, link);
}

static void end_all(struct by_epoll *self, struct watch *watch, int result)
{
    struct rvi_link *link;

    while ((link = rvi_list_pop_front(&watch->waiting)))
        rvi_loop_finish(&self->base, pending_of(link), result);
}

/* --- registering --- */

/* The kernel knows a description and a number; we may be wrong about whether it does. */
static int tell(struct by_epoll *self, int what, int fd, uint32_t events, uint64_t data)
{
    int other = what == EPOLL_CTL_ADD ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    int r = rvi_poller_control(self->fd, what, fd, events, data);

    if (r == -EEXIST || r == -ENOENT)
        r = rvi_poller_control(self->fd, other, fd, events, data);
    return r;
}

static int register_for_life(struct by_epoll *self, struct watch *watch, int fd,
                             uint32_t generation)
{
    int r = tell(self, EPOLL_CTL_ADD, fd, FOR_LIFE, (uint64_t)generation << 32 | (unsigned)fd);

    if (r < 0)
        return r;
    end_all(self, watch, -EBADF); /* of a descriptor that had this number */
    watch->generation = generation;
    watch->is_tcp = rvi_fd_is_tcp(fd);
    watch->is_empty = false;
    watch->may_deceive = false;
    return 0;
}

/* For one event that any of the waiters, or one more, wants. */
static int arm(struct by_epoll *self, struct watch *watch, int fd, uint32_t events)
{
    RVI_LIST_FOREACH(link, &watch->waiting)
        events |= (uint32_t)rvi_op_readiness(pending_of(link)->op);
    watch->generation = 0;
    watch->is_empty = false;
    return tell(self, EPOLL_CTL_MOD, fd, events | EPOLLONESHOT, (unsigned)fd);
}

static int submit(struct rvi_loop *loop, struct rvi_pending *p)
{
    struct by_epoll *self = of(loop);
    int fd = p->op->fd, r;
    uint32_t generation = rvi_fds_generation(fd);
    uint32_t wanted = (uint32_t)rvi_op_readiness(p->op);
    struct watch *watch = find(self, fd);

    if (wanted == 0)
        return -EPERM;
    if (rvi_unlikely(!watch || !watch->is_made) && (r = find_or_make(self, fd, &watch)) < 0)
        return r;
    if (rvi_unlikely(generation == 0))
        r = arm(self, watch, fd, wanted);
    else
        r = rvi_likely(watch->generation == generation)
                ? 0
                : register_for_life(self, watch, fd, generation);
    if (r == 0)
        rvi_list_push_back(&watch->waiting, &p->link);
    return r;
}

static bool cancel(struct rvi_loop *loop, struct rvi_pending *p)
{
    (void)loop;
    rvi_link_remove(&p->link);
    return true;
}

/* --- events --- */

/* Something was read: less than there was room for means that there is no more. */
static void learn(struct watch *watch, const struct rvi_op *op, int64_t result)
{
    if (rvi_op_reads(op) && result > 0 && (size_t)result < op->buf.len && op->flags == 0)
        watch->is_empty = watch->is_tcp && !watch->may_deceive;
}

/* The waiter's task makes it itself, when it runs. */
static void hand_over(struct by_epoll *self, struct rvi_pending *p, uint32_t events)
{
    uint32_t wanted = (uint32_t)rvi_op_readiness(p->op);

    if (!(events & (wanted | ENDS)))
        return;
    rvi_link_remove(&p->link);
    rvi_loop_finish(&self->base, p,
                    p->op->kind == RVI_OP_POLL ? (int64_t)(events & (wanted | ENDS)) : -EAGAIN);
}

/* Of several, who waited first is served first; the others of a kind need not try what has failed
 * just now. */
static void serve_in_order(struct by_epoll *self, struct watch *watch, uint32_t events)
{
    RVI_LIST_FOREACH_SAFE(link, &watch->waiting) {
        struct rvi_pending *p = pending_of(link);
        uint32_t wanted = (uint32_t)rvi_op_readiness(p->op);
        if (!(events & (wanted | ENDS)))
            continue;
        int64_t result = rvi_op_try(p->op);
        if (result == -EAGAIN) {
            if (p->op->kind != RVI_OP_POLL)
                events &= ~wanted;
            continue;
        }
        learn(watch, p->op, result);
        rvi_link_remove(link);
        rvi_loop_finish(&self->base, p, result);
    }
}

static void serve(struct by_epoll *self, struct watch *watch, uint32_t events)
{
    struct rvi_link *first = rvi_list_first(&watch->waiting);

    watch->is_empty = false;
    watch->may_deceive |= (events & (ENDS | EPOLLRDHUP | EPOLLPRI)) != 0;
    if (rvi_likely(first && first->next == &watch->waiting.head))
        hand_over(self, pending_of(first), events);
    else
        serve_in_order(self, watch, events);
}

/* One that cannot be armed again is told why. */
static void keep_armed(struct by_epoll *self, struct watch *watch, int fd)
{
    int r = rvi_list_is_empty(&watch->waiting) ? 0 : arm(self, watch, fd, 0);

    if (r < 0)
        end_all(self, watch, r);
}

static void take_event(struct by_epoll *self, const struct epoll_event *event)
{
    uint64_t data = event->data.u64;
    uint32_t generation = (uint32_t)(data >> 32);
    struct watch *watch = data == CALL_DATA ? NULL : find(self, (int)(uint32_t)data);

    if (rvi_unlikely(!watch || watch->generation != generation))
        return; /* a call; or of a description that has not got this number any more */
    serve(self, watch, event->events);
    if (rvi_unlikely(generation == 0))
        keep_armed(self, watch, (int)(uint32_t)data);
}

/* With many descriptors none of what an event leads to is in the cache: all misses at one time,
 * first of the watches, then of their waiters. */
static void fetch(struct by_epoll *self, int n)
{
    for (int i = 0; i < n; i++)
        rvi_prefetch(find(self, (int)(uint32_t)self->events[i].data.u64), 0);
    for (int i = 0; i < n; i++) {
        const struct watch *watch = find(self, (int)(uint32_t)self->events[i].data.u64);
        if (rvi_likely(watch != NULL)) {
            rvi_prefetch(watch->waiting.head.next, 0);
            rvi_prefetch(watch->waiting.head.next, RVI_CACHE_LINE);
        }
    }
}

static void collect(struct rvi_loop *loop, rv_time deadline)
{
    struct by_epoll *self = of(loop);
    int n = rvi_poller_wait(self->fd, self->events, BATCH, deadline);

    if (n > FEW)
        fetch(self, n);
    for (int i = 0; i < n; i++)
        take_event(self, &self->events[i]);
}

/* --- what is known --- */

static struct watch *registered(struct rvi_loop *loop, int fd)
{
    struct watch *watch = find(of(loop), fd);

    return watch && watch->generation && watch->generation == rvi_fds_generation(fd) ? watch : NULL;
}

static bool would_block(struct rvi_loop *loop, const struct rvi_op *op)
{
    const struct watch *watch;

    if (!rvi_op_reads(op))
        return false;
    watch = registered(loop, op->fd);
    return watch && watch->is_empty && op->buf.len > 0 && !(op->flags & MSG_OOB);
}

static void note(struct rvi_loop *loop, const struct rvi_op *op, int64_t result)
{
    struct watch *watch;

    if (rvi_op_reads(op) && (watch = registered(loop, op->fd)))
        learn(watch, op, result);
}

static void closing(struct rvi_loop *loop, int fd)
{
    struct watch *watch = find(of(loop), fd);

    if (watch && watch->is_made)
        end_all(of(loop), watch, -EBADF);
}

/* --- life --- */

static void close_loop(struct rvi_loop *loop)
{
    struct by_epoll *self = of(loop);

    rvi_fd_close(self->fd);
    for (size_t i = 0; i < self->chunk_count; i++)
        rvi_free(self->chunks[i]);
    rvi_free(self->chunks);
    rvi_free(self);
}

static const struct rvi_loop_backend by_epoll = {
    .name = RV_BACKEND_EPOLL,
    .submit = submit,
    .cancel = cancel,
    .collect = collect,
    .would_block = would_block,
    .note = note,
    .closing = closing,
    .close = close_loop,
};

int rvi_loop_open_epoll(struct rvi_loop **ret, int call)
{
    struct by_epoll *self = rvi_calloc(1, sizeof *self);
    int r;

    if (!self)
        return -ENOMEM;
    self->base.backend = &by_epoll;
    r = self->fd = rvi_poller_open();
    if (r < 0)
        goto free_self;
    r = rvi_poller_control(self->fd, EPOLL_CTL_ADD, call, EPOLLIN | EPOLLET, CALL_DATA);
    if (r < 0)
        goto close_fd;
    *ret = &self->base;
    return 0;

close_fd:
    rvi_fd_close(self->fd);
free_self:
    rvi_free(self);
    return r;
}
