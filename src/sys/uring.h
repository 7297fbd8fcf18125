/* SPDX-License-Identifier: MIT */
/* uring.h - io_uring(7): operations go into a ring of the kernel's, their ends come out of another.
 *
 * A ring belongs to the thread that opened it. What is pushed is seen by the kernel at the next
 * rvi_uring_enter(), in order. A token comes back with each end. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sys/op.h"

struct rvi_uring;

struct rvi_uring_end {
    uint64_t token;
    int result;
    bool is_last; /* nothing more comes for this push */
};

/** Errors: -ENOSYS the kernel, or this build, has none that would do; -EPERM; -EMFILE; -ENOMEM. */
int rvi_uring_open(struct rvi_uring **ret) __attribute__((warn_unused_result));

/** By the thread that opened it. What is under way is given up. */
void rvi_uring_close(struct rvi_uring *ring);

/** Whether the kernel makes operations of this kind. */
bool rvi_uring_makes(const struct rvi_uring *ring, enum rvi_op_kind kind);

/* All of these: -EBUSY there is no room before some ends have been taken. */
int rvi_uring_push(struct rvi_uring *ring, const struct rvi_op *op, uint64_t token)
    __attribute__((warn_unused_result));
int rvi_uring_push_poll(struct rvi_uring *ring, int fd, short events, uint64_t token)
    __attribute__((warn_unused_result));

/** An end for each time that it becomes readable anew. */
int rvi_uring_push_watch(struct rvi_uring *ring, int fd, uint64_t token)
    __attribute__((warn_unused_result));

/** Ask for the end of what was pushed with token `whom`; its own end has token `token`. */
int rvi_uring_push_cancel(struct rvi_uring *ring, uint64_t whom, uint64_t token)
    __attribute__((warn_unused_result));

/** Ask for the end of all that is under way with a descriptor. */
int rvi_uring_push_cancel_fd(struct rvi_uring *ring, int fd, uint64_t token)
    __attribute__((warn_unused_result));

/** Hand over what was pushed, and let the kernel bring ends; if there is none, wait for one until a
 * deadline, which may be past. Does without the kernel when there is nothing to be done. */
void rvi_uring_enter(struct rvi_uring *ring, int64_t deadline_ns);

/** Take ends, up to `most`. Returns how many. */
unsigned rvi_uring_take(struct rvi_uring *ring, struct rvi_uring_end *ends, unsigned most);
