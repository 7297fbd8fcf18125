/* SPDX-License-Identifier: MIT */
/* loop.h - one worker's operations that are under way: submitted, completed, cancelled.
 *
 *     rvi_loop_submit(loop, &p)      p.op, p.done set; both stay until it is over
 *     ... rvi_loop_reap(), rvi_loop_sleep() call p.done(&p): p.result is the operation's, or
 *         -EAGAIN: its descriptor looks ready, try it
 *     or rvi_loop_cancel(loop, &p)   true: it is over, nothing has happened; done is not called
 *                                    false: done is still to come, with whatever has happened
 *
 * Two backends do it, the same from outside:
 *   epoll   an operation is one whose descriptor is waited for (by_epoll.c)
 *   uring   the kernel has the operation and says when it is over (by_uring.c)
 *
 * A loop is touched by its worker's thread alone, but for its call descriptor, an eventfd by which
 * other threads end a sleep. `done` is called from inside the functions below; it may make tasks
 * ready, and must not submit. This room knows no fibers. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <ravel/run.h>
#include <ravel/time.h>

#include "base/atomic.h"
#include "base/list.h"

struct rvi_loop;
struct rvi_op;

/** An operation under way; in the waiting task's frame. */
struct rvi_pending {
    struct rvi_op *op;
    void (*done)(struct rvi_pending *p);
    int64_t result;
    /* the backend's: */
    struct rvi_link link;
    uint32_t closings;
    bool is_waited, is_in_kernel, is_asked;
};

struct rvi_loop_backend {
    enum rv_backend name;
    int (*submit)(struct rvi_loop *loop, struct rvi_pending *p);
    bool (*cancel)(struct rvi_loop *loop, struct rvi_pending *p);
    void (*collect)(struct rvi_loop *loop, rv_time deadline);
    bool (*would_block)(struct rvi_loop *loop, const struct rvi_op *op);
    void (*note)(struct rvi_loop *loop, const struct rvi_op *op, int64_t result);
    void (*closing)(struct rvi_loop *loop, int fd);
    void (*close)(struct rvi_loop *loop);
};

struct rvi_loop {
    const struct rvi_loop_backend *backend;
    uint32_t pending; /* submitted, and not over */
    uint32_t forks;   /* rvi_loop_forks when it was opened */
};

/** Open one for the calling thread, which is the only one to use it.
 *
 * @param backend  AUTO: whichever is better here, of those that there are
 * @param call     an eventfd: a signal to it ends a sleep; the caller's, and open for longer
 * Errors: -ENOMEM, -EMFILE; of URING also -ENOSYS, -EPERM: refused here */
int rvi_loop_open(struct rvi_loop **ret, enum rv_backend backend, int call)
    __attribute__((warn_unused_result));

/** Nothing may be pending. NULL is fine. */
void *rvi_loop_close(struct rvi_loop *loop);

/** How many forks lie between this process and its first ancestor that had a loop. */
extern _Atomic(uint32_t) rvi_loop_forks;

__attribute__((noreturn, cold)) void rvi_loop_stop_child(void);

/** Stop the process if it is a fork's child, whose loops are its parent's. */
static inline void rvi_loop_check_process(const struct rvi_loop *loop)
{
    if (rvi_unlikely(loop->forks != rvi_load_relaxed(&rvi_loop_forks)))
        rvi_loop_stop_child();
}

/** Begin an operation.
 * Errors, and nothing has begun: -EPERM its descriptor cannot be waited for, as it is a file's, or
 * it has none: it has to be made by another thread; -EBADF; -ENOMEM, -ENOSPC. */
static inline int rvi_loop_submit(struct rvi_loop *loop, struct rvi_pending *p)
{
    rvi_loop_check_process(loop);
    int r = loop->backend->submit(loop, p);
    loop->pending += r == 0;
    return r;
}

/** Ask for an end of one that is pending; see above. */
static inline bool rvi_loop_cancel(struct rvi_loop *loop, struct rvi_pending *p)
{
    bool is_over = loop->backend->cancel(loop, p);
    loop->pending -= is_over;
    return is_over;
}

static inline bool rvi_loop_is_busy(const struct rvi_loop *loop)
{
    return loop && loop->pending > 0;
}

/** Complete what can be completed by now, some of it at least; begin what was submitted. */
static inline void rvi_loop_reap(struct rvi_loop *loop)
{
    rvi_loop_check_process(loop);
    loop->backend->collect(loop, 0);
}

/** The same, and wait for the first completion, for a call, or for a deadline; or for nothing. */
static inline void rvi_loop_sleep(struct rvi_loop *loop, rv_time deadline)
{
    rvi_loop_check_process(loop);
    loop->backend->collect(loop, deadline);
}

/** Whether an attempt to make the operation at once would surely be in vain. */
static inline bool rvi_loop_would_block(struct rvi_loop *loop, const struct rvi_op *op)
{
    return loop->backend->would_block(loop, op);
}

/** One that was not submitted has succeeded: the loop may learn from it. */
static inline void rvi_loop_note(struct rvi_loop *loop, const struct rvi_op *op, int64_t result)
{
    loop->backend->note(loop, op, result);
}

/** A descriptor is about to be closed: whoever waits for it here has -EBADF. */
static inline void rvi_loop_closing(struct rvi_loop *loop, int fd)
{
    loop->backend->closing(loop, fd);
}

/* --- for the backends --- */

int rvi_loop_open_epoll(struct rvi_loop **ret, int call);
int rvi_loop_open_uring(struct rvi_loop **ret, int call);

/** An operation is over. */
static inline void rvi_loop_finish(struct rvi_loop *loop, struct rvi_pending *p, int64_t result)
{
    loop->pending--;
    p->result = result;
    p->done(p);
}
