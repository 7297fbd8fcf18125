/* SPDX-License-Identifier: MIT */
/* workqueue.h - a bounded queue of work in memory that several processes map: put, get, done; what
 * a process had taken and not done when it died goes back.
 *
 * Nothing here waits or allocates, and no lock is ever held; workqueue.c has the argument. Who
 * wants to wait says so (rvi_workqueue_want), looks once more, and sleeps on its bell; above this
 * is task/queue_shared.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"

enum {
    RVI_WORKQUEUE_MEMBERS = 256,            /* handles on one queue at one time, in all processes */
    RVI_WORKQUEUE_CAPACITY = (1 << 20) - 2, /* items at most */
};

/** What a member may wait for. */
enum rvi_workqueue_want {
    RVI_WANT_ITEM,
    RVI_WANT_ROOM,
    RVI_WANT_END, /* nothing is unfinished */
    RVI_WANT_KINDS,
};

struct rvi_workqueue_shared;

/** One member's view of a queue: in its own memory, so that nobody else can change where it writes.
 * All calls but enter and leave may be made by several threads at a time. */
struct rvi_workqueue {
    struct rvi_workqueue_shared *shared;
    _Atomic(uint64_t) *room;  /* a bit a slot: free, and nobody has reached for it */
    _Atomic(uint64_t) *cells; /* which slot holds the item of a ticket */
    unsigned char *slots;
    uint32_t item_bytes;
    uint32_t capacity;
    uint32_t slot_bytes;
    uint32_t lap;                /* cells: a power of two, more than slots */
    uint32_t me;                 /* the member: its number and its generation */
    _Atomic(uint32_t) next_bell; /* whose turn it is to be rung first */
};

/** An item in the caller's hands. */
struct rvi_taken {
    uint32_t slot;
    uint64_t ticket; /* items are numbered in the order of their puts */
};

/** The bytes of memory that a queue takes; 0: the capacity or an item is too large. */
size_t rvi_workqueue_bytes(size_t item_bytes, size_t capacity);

/** Make a queue of zeroed memory of that many bytes, before anybody enters.
 *
 * @param memory  begins at a cache line */
void rvi_workqueue_format(void *memory, size_t item_bytes, size_t capacity);

/** Become a member: take part, and be looked after.
 *
 * @param ret     the caller's view
 * @param memory  what rvi_workqueue_format() has made, wherever it is mapped here
 * @param bytes   that are mapped
 * @return 0
 * Errors:  -EBADMSG it is no queue, or of another size; -EUSERS there are too many members
 * Blocks:  no
 * Threads: any
 * Lifetime: until rvi_workqueue_leave; a process that ends without it is noticed */
int rvi_workqueue_enter(struct rvi_workqueue *ret, void *memory, size_t bytes)
    __attribute__((warn_unused_result));

/** Be a member no more: what was taken and is not done goes back. Nobody of the process is inside
 * another call on this view. */
void rvi_workqueue_leave(struct rvi_workqueue *q);

/** Put an item, behind all others.
 * Errors: -EAGAIN full; -EPIPE closed; -EBADMSG the memory makes no sense: some process has written
 * over it. */
int rvi_workqueue_put(struct rvi_workqueue *q, const void *item)
    __attribute__((warn_unused_result));

/** Take an item: the oldest of those given back, or else the oldest.
 * Errors: -EAGAIN empty; -EPIPE closed and empty; -EBADMSG. */
int rvi_workqueue_get(struct rvi_workqueue *q, void *ret_item, struct rvi_taken *ret)
    __attribute__((warn_unused_result));

/** Say that the work of an item that this member took is done. Errors: -EBADMSG it is not there. */
int rvi_workqueue_done(struct rvi_workqueue *q, struct rvi_taken taken)
    __attribute__((warn_unused_result));

/** Nothing is put from here on. Twice is the same as once. Errors: -EBADMSG. */
int rvi_workqueue_close(struct rvi_workqueue *q);

/** Whether there was a moment, since this was called, at which nothing was unfinished. May be false
 * in doubt: then there will be a ring for RVI_WANT_END. */
bool rvi_workqueue_is_finished(struct rvi_workqueue *q);

/** Items that nobody has taken, and those not done, the former included; exact while all rest. */
void rvi_workqueue_count(struct rvi_workqueue *q, size_t *ret_waiting, size_t *ret_unfinished);

/* --- waiting ---
 *
 *     seen = rvi_workqueue_bell(q);
 *     rvi_workqueue_want(q, what);
 *     if (what is wanted is there after all)
 *         rvi_workqueue_unwant(q, what);
 *     else
 *         rvi_workqueue_sleep(q, seen, deadline);       and again, from the top
 *
 * A ring takes the want away. Whoever stops wanting without having looked since, says unwant, which
 * hands a ring that has come meanwhile on to somebody else. */

/** How often this member's bell has rung. */
uint32_t rvi_workqueue_bell(const struct rvi_workqueue *q);

void rvi_workqueue_want(struct rvi_workqueue *q, enum rvi_workqueue_want what);
void rvi_workqueue_unwant(struct rvi_workqueue *q, enum rvi_workqueue_want what);

/** Sleep until this member's bell has rung more than `seen` times. Returns as rvi_futex_wait(). */
int rvi_workqueue_sleep(struct rvi_workqueue *q, uint32_t seen, int64_t deadline_ns);

/** Ring one's own bell: all threads of this process that sleep on it wake. */
void rvi_workqueue_ring_self(struct rvi_workqueue *q);

/* --- the dead --- */

/** Give back what the members of a process have taken, free what they had begun to write, and ring
 * for all that wait. Any number of processes may do it at a time, and any may die at it.
 *
 * @param pid  has surely ended, but its number is not used again yet: it is not reaped, or this is
 *             who has just reaped it */
void rvi_workqueue_forget(struct rvi_workqueue *q, uint32_t pid);

/** The same of one member, whose process has ended, or does nothing on it any more. */
void rvi_workqueue_forget_member(struct rvi_workqueue *q, uint32_t member);

/** Look for members whose process has ended, and forget them. Returns how many there were. */
unsigned rvi_workqueue_look_around(struct rvi_workqueue *q);
