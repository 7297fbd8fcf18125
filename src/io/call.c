/* SPDX-License-Identifier: MIT */
/* call.c - an operation of a task, or of a plain thread.
 *
 * In a task: try it, unless that is surely in vain; when it would block, submit it to the worker's
 * loop and park. At a deadline or a cancellation the loop is asked to end it, and the task waits
 * for that end, which may still be a success.
 *
 * What a loop on epoll cannot wait for is made by a helper thread: paths, files that are not in
 * memory (of those that are, a try reads), and descriptors without O_NONBLOCK on which there is no
 * way to try (terminals, inotify). Those are waited for first, so that the helper has to wait only
 * if somebody else was faster: then it waits for its turn, and no deadline or cancellation ends
 * that. Helpers for this have a limit of their own, so that slow disks and rv_blocking() do not
 * hold up each other. A ring makes all of these itself, but for what its kernel does not know.
 *
 * A task whose calls never have to wait, because its peer is as fast as it is, yields after some of
 * them: the others have their turn, and so has the loop.
 *
 * Rejected: setting O_NONBLOCK on what is not ours for the time of a call, which all who share the
 * description would feel.
 * Checked by: tests/unit/io/test_call.c, tests/stress/stress_io.c */
#include "io/call.h"

#include <errno.h>
#include <limits.h>

#include <ravel/io.h>

#include "base/seam.h"
#include "loop/fds.h"
#include "sched/sched.h"
#include "sched/wait.h"
#include "sys/clock.h"
#include "sys/sock.h"
#include "task/runtime.h"
#include "task/simio.h"

enum { CALLS_IN_A_ROW = 32 }; /* of one task, that did not have to wait */

#define RETRY_NS RV_MILLISECOND

static enum rvi_why why_of(const struct rvi_op *op)
{
    if (op->why)
        return (enum rvi_why)op->why;
    switch ((enum rvi_op_kind)op->kind) {
    case RVI_OP_POLL:
        return RVI_WHY_POLL;
    case RVI_OP_READ:
    case RVI_OP_READV:
    case RVI_OP_RECV:
    case RVI_OP_RECVMSG:
    case RVI_OP_RECVMMSG:
    case RVI_OP_SPLICE_IN:
        return RVI_WHY_READ;
    case RVI_OP_WRITE:
    case RVI_OP_WRITEV:
    case RVI_OP_SEND:
    case RVI_OP_SENDMSG:
    case RVI_OP_SENDMMSG:
    case RVI_OP_SENDFILE:
    case RVI_OP_SPLICE_OUT:
        return RVI_WHY_WRITE;
    case RVI_OP_ACCEPT:
        return RVI_WHY_ACCEPT;
    case RVI_OP_CONNECT:
        return RVI_WHY_CONNECT;
    default:
        return RVI_WHY_FILE;
    }
}

/* --- on a helper thread --- */

static int perform(void *op)
{
    struct rvi_op *o = op;
    return (int)rvi_op_perform(o);
}

static int64_t by_helper(struct rvi_op *op, rv_time deadline)
{
    return rvi_blocking_until(perform, op, rvi_runtime_of(rvi_sched_self())->files, deadline);
}

/* Where there is room for anything there is room for as much as is written in one piece. */
static void write_no_more_than_fits(struct rvi_op *op)
{
    if (op->kind == RVI_OP_WRITEV && op->vec.count > 0) {
        const struct iovec first = op->vec.iov[0];
        *op = rvi_op_write(op->fd, first.iov_base, first.iov_len, op->vec.offset);
    }
    if (op->kind == RVI_OP_WRITE && op->buf.len > PIPE_BUF)
        op->buf.len = PIPE_BUF;
}

/* --- by the loop --- */

struct call {
    struct rvi_pending pending;
    struct rvi_waiter waiter;
    struct rvi_loop *loop;
    bool is_withdrawn;
};

static void complete(struct rvi_pending *pending)
{
    struct call *call = rvi_container_of(pending, struct call, pending);

    rvi_wake_here(rvi_worker_self(), &call->waiter);
}

static bool withdraw(struct rvi_waiter *waiter, void *object)
{
    struct call *call = object;

    (void)waiter;
    call->is_withdrawn = true;
    return rvi_loop_cancel(call->loop, &call->pending);
}

/* Why it was withdrawn: the wait has forgotten, as its end was still to come. */
static int64_t why_withdrawn(rv_time deadline)
{
    int r = rvi_wait_allowed();

    if (r < 0)
        return r;
    return rvi_clock_now() >= deadline ? -ETIME : -ENOMEM;
}

/* Submit once, and wait for its end. -EAGAIN: it looks as if a try would do. */
static int64_t submit_and_wait(struct rvi_worker *w, struct rvi_op *op, rv_time deadline,
                               bool *ret_is_refused)
{
    struct call call = {.pending = {.op = op, .done = complete}, .loop = w->loop};
    int r;

    rvi_waiter_fill(&call.waiter);
    r = rvi_loop_submit(w->loop, &call.pending);
    *ret_is_refused = r == -EPERM;
    if (r == 0)
        r = rvi_wait(&call.waiter, deadline, why_of(op), withdraw, &call);
    if (r < 0)
        return r;
    if (call.is_withdrawn && call.pending.result == -ECANCELED)
        return why_withdrawn(deadline);
    return call.pending.result;
}

static int64_t by_loop(struct rvi_worker *w, struct rvi_op *op, rv_time deadline)
{
    int64_t r = rvi_worker_open_loop(w);
    bool is_refused;

    if (r < 0)
        return r;
    do
        r = submit_and_wait(w, op, deadline, &is_refused);
    while (r == -EAGAIN && (r = rvi_op_try(op)) == -EAGAIN);
    if (is_refused)
        return by_helper(op, deadline);
    if (r > 0)
        rvi_loop_note(w->loop, op, r);
    return r;
}

/* --- in a task --- */

static void take_turn(struct rvi_worker *w)
{
    uint64_t tick = rvi_load_relaxed(&w->tick);

    if (w->io_tick != tick) {
        w->io_tick = tick;
        w->io_calls = 0;
    }
    if (rvi_unlikely(++w->io_calls >= CALLS_IN_A_ROW))
        rvi_worker_yield(w);
}

void rvi_io_turn(void)
{
    struct rvi_worker *w = rvi_worker_self();

    if (w)
        take_turn(w);
}

/* It did not have to wait. */
static int64_t at_once(struct rvi_worker *w, const struct rvi_op *op, int64_t result)
{
    if (w->loop && result > 0)
        rvi_loop_note(w->loop, op, result);
    take_turn(w);
    return result;
}

/* The backlog of a Unix socket is full, and nobody says when it is no longer. */
static int64_t connect_again(struct rvi_op *op, rv_time deadline)
{
    int64_t r;

    do {
        rv_time next = rvi_clock_now() + RETRY_NS;
        r = next > deadline ? rv_sleep_until(deadline) : rv_sleep_until(next);
        if (r < 0)
            return r;
        if (next > deadline)
            return -ETIME;
    } while ((r = rvi_op_try(op)) == -EAGAIN);
    return r;
}

static bool is_local_connect(const struct rvi_op *op)
{
    return op->kind == RVI_OP_CONNECT && op->peer.addr->sa_family == AF_UNIX;
}

static bool looks_ready(const struct rvi_op *op)
{
    struct rvi_op look = rvi_op_poll(op->fd, rvi_op_readiness(op));

    return rvi_op_try(&look) > 0;
}

/* What has come since the loop last looked is not late: a deadline that has passed already asks for
 * what is there. */
static int64_t at_the_last_moment(struct rvi_op *op)
{
    int64_t r = rvi_op_try(op);

    return r == -EAGAIN || (r == RVI_OP_UNTRIED && !looks_ready(op)) ? -ETIME : r;
}

static int64_t in_task(struct rvi_worker *w, struct rvi_op *op, rv_time deadline)
{
    int64_t r = -EAGAIN;

    if (!w->loop || !rvi_loop_would_block(w->loop, op)) {
        r = rvi_op_try(op);
        if (rvi_likely(r != -EAGAIN && r != RVI_OP_UNTRIED))
            return at_once(w, op, r);
    }
    if (rvi_unlikely(is_local_connect(op)))
        return connect_again(op, deadline);
    r = by_loop(w, op, deadline);
    if (rvi_unlikely(r == -ETIME))
        r = at_the_last_moment(op);
    if (rvi_likely(r != RVI_OP_UNTRIED))
        return r;
    write_no_more_than_fits(op);
    return by_helper(op, deadline);
}

static __attribute__((noinline)) int64_t in_task_seen(struct rvi_worker *w, struct rvi_op *op,
                                                      rv_time deadline)
{
    rvi_probe_op(w, op->kind, op->fd);
    int64_t r = in_task(w, op, deadline);
    rvi_probe_op_end(w, r);
    return r;
}

/* --- in a plain thread --- */

/* One that looks ready, and that there is no way to try. */
static int64_t perform_ready(struct rvi_op *op, bool is_of_file)
{
    if (!is_of_file)
        write_no_more_than_fits(op);
    return rvi_op_perform(op);
}

/* What can be tried is tried a last time when a wait was cut short and it is late; of what cannot
 * be, a wait that is over at once tells whether it is ready. */
static int64_t in_thread(struct rvi_op *op, rv_time deadline)
{
    bool is_late = false;
    int64_t r;

    if (rvi_op_readiness(op) == 0)
        return rvi_op_perform(op);
    while ((r = rvi_op_try(op)) == -EAGAIN || r == RVI_OP_UNTRIED) {
        bool is_untried = r == RVI_OP_UNTRIED, is_of_file = rvi_op_is_of_file(op);
        if (is_late && !is_untried)
            return -ETIME;
        r = is_local_connect(op) ? rv_sleep_until(rvi_clock_now() + RETRY_NS)
                                 : rvi_op_await(op, deadline);
        if (r < 0)
            return r;
        if (r > 0 && (is_untried || is_of_file))
            return perform_ready(op, is_of_file);
        is_late = deadline != RV_NEVER && rvi_clock_now() >= deadline;
    }
    return r;
}

/* --- both --- */

int64_t rvi_io_call(struct rvi_op *op, rv_time deadline)
{
    struct rvi_worker *w = rvi_worker_self();
    int64_t r = rvi_wait_allowed();

    if (r < 0)
        return r;
    if (rvi_unlikely(rvi_seam != NULL))
        return rvi_simio_call(op, why_of(op), deadline);
    op->is_nonblocking = rvi_fds_generation(op->fd) != 0;
    if (!w)
        r = in_thread(op, deadline);
    else
        r = rvi_likely(!w->probes) ? in_task(w, op, deadline) : in_task_seen(w, op, deadline);
    if (r >= 0 && op->kind == RVI_OP_ACCEPT)
        rvi_fds_made((int)r, op->flags & SOCK_NONBLOCK);
    return r;
}

int rvi_io_blocking(rv_fn *fn, void *arg, rv_time deadline)
{
    struct rvi_sched *sched = rvi_sched_self();
    int r = rvi_wait_allowed();

    if (r < 0)
        return r;
    if (rvi_unlikely(rvi_seam != NULL))
        return -EOPNOTSUPP;
    if (deadline != RV_NEVER && rvi_clock_now() >= deadline)
        return -ETIME;
    if (!sched)
        return fn(arg);
    return rvi_blocking_until(fn, arg, rvi_runtime_of(sched)->files, deadline);
}

int rvi_io_poll(int fd, short events, enum rvi_why why, rv_time deadline)
{
    struct rvi_op op = rvi_op_poll(fd, events);

    op.why = (uint8_t)why;
    return (int)rvi_io_call(&op, deadline);
}

int rvi_io_poll_any(const struct pollfd *fds, size_t count, enum rvi_why why, rv_time deadline)
{
    if (count == 1)
        return rvi_io_poll(fds->fd, fds->events, why, deadline);
    int any = rvi_sock_any_of(fds, count);
    if (any < 0)
        return any;
    int r = rvi_io_poll(any, POLLIN, why, deadline);
    (void)rv_close(any);
    return r;
}
