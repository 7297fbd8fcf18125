/* SPDX-License-Identifier: MIT */
/* call.h - make an operation and wait for its end: what every call of this room comes down to. */
#pragma once

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#include <ravel/def.h>
#include <ravel/time.h>

#include "sched/why.h"
#include "sys/op.h"

/** Make an operation; while it would block, the calling task waits, or the plain thread. When this
 * returns the operation is over, and what it points to is the caller's again.
 *
 * Returns the system call's result, or its -errno; -ETIME, -ECANCELED: it has not happened; -ENOMEM
 * no room for a timer. An operation that has succeeded is never reported as late or cancelled. */
int64_t rvi_io_call(struct rvi_op *op, rv_time deadline) __attribute__((warn_unused_result));

/** Run fn(arg), which blocks on files, on a helper thread while the calling task waits; a plain
 * thread runs it. A deadline or cancellation before it has begun: -ETIME, -ECANCELED. */
int rvi_io_blocking(rv_fn *fn, void *arg, rv_time deadline) __attribute__((warn_unused_result));

/** rv_poll() for a reason of the caller's. */
int rvi_io_poll(int fd, short events, enum rvi_why why, rv_time deadline)
    __attribute__((warn_unused_result));

/** Wait until one of several descriptors may be ready for its events. -errno, as of rv_poll();
 * several take a descriptor for the time. */
int rvi_io_poll_any(const struct pollfd *fds, size_t count, enum rvi_why why, rv_time deadline)
    __attribute__((warn_unused_result));

/** Say that a call was done by other means than the above, and perhaps without waiting: after some
 * of those the calling task yields, as it does after operations. */
void rvi_io_turn(void);
