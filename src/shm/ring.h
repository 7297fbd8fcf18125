/* SPDX-License-Identifier: MIT */
/* ring.h - jobs to one worker process and their ends back, in memory that both map.
 *
 * A ring is a header and a power of two of slots. A job has one slot for its whole way: its parent
 * writes the request there, the worker takes it, runs the job and writes the status there, the
 * parent collects it. Jobs are taken in the order sent, run one after the other, and collected in
 * that order.
 *
 *     parent, under one lock of its own           worker, one thread
 *     slot = rvi_ring_room(); fill it in          rvi_ring_take(): sleeps while there is none
 *     rvi_ring_send(), perhaps more               run it, from the bytes that the slot names
 *     rvi_ring_call(): wakes a sleeper            rvi_ring_done(): rings the bell (shm/bell.h)
 *     rvi_ring_collect(), until it gives none
 *
 * What may happen to a slot:
 *
 *     FREE -> QUEUED      the parent sends
 *     QUEUED -> TAKEN     the worker begins                          compare-and-swap
 *     TAKEN -> DONE       the worker has ended, status and result are there
 *     QUEUED -> RECALLED  the parent wants it back: it has not begun, and never will here
 *     RECALLED -> PASSED  the worker has come past it
 *     DONE, PASSED -> QUEUED  the parent has collected it, and sends another
 *
 * When the worker dies, wherever that is, each slot says what became of its job (rvi_ring_bury()).
 *
 * The parent believes nothing that the worker can write but two words of a slot, state and status,
 * each read once; what it has sent and what that was for it knows by itself. So a worker that
 * writes at random into all that it can reach gets -EPROTO, or a wrong result for jobs that were
 * sent to it, and nothing else. ring.c has the argument for the orders of memory. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/check.h"
#include "shm/bell.h"
#include "shm/spin.h"

enum rvi_slot_state {
    RVI_SLOT_FREE,
    RVI_SLOT_QUEUED,
    RVI_SLOT_TAKEN,
    RVI_SLOT_DONE,
    RVI_SLOT_RECALLED,
    RVI_SLOT_PASSED,
};

enum {
    RVI_SLOT_BYTES = 256,
    RVI_SLOT_INLINE = 224, /* of them, for input and result of a small job */
    RVI_SLOT_UNIT = 16,    /* in_at counts these: what max_align_t needs */
    RVI_RING_MOST = 1024,  /* slots */
};

/* The first line holds all of a job of at most 32 bytes: one line goes there and comes back. */
struct rvi_slot {
    _Alignas(RVI_CACHE_LINE) _Atomic(uint32_t) state; /* enum rvi_slot_state */
    _Atomic(int32_t) status;                          /* the worker's, from DONE on */
    /* The parent's, from QUEUED on; it never reads them back. */
    uint32_t what;   /* which job, by number */
    uint32_t flags;  /* as the two agree */
    uint64_t object; /* where input and result lie: 0 in the ring's segment, or a rv_shm's id */
    uint32_t in_at;  /* from its start, in units */
    _Atomic(uint32_t) has_note; /* the worker's: it has said something of this job elsewhere */
    _Alignas(RVI_SLOT_UNIT) unsigned char bytes[RVI_SLOT_INLINE];
};

_Static_assert(sizeof(struct rvi_slot) == RVI_SLOT_BYTES, "a slot has its lines to itself");

struct rvi_ring_shared {
    /* The parent's, final before the worker begins. */
    _Alignas(RVI_CACHE_LINE) uint32_t slot_count;
    int usable_cores;
    /* Whether the worker sleeps, or is about to; both write it. */
    _Alignas(RVI_CACHE_LINE) _Atomic(uint32_t) bed;
    _Alignas(RVI_SLOT_BYTES) struct rvi_slot slots[];
};

/* --- the parent's side --- */

/* In the parent's private memory. One thread at a time. */
struct rvi_ring {
    struct rvi_ring_shared *shared;
    struct rvi_slot *slots;
    uint32_t mask;      /* how many, less one */
    uint64_t sent;      /* jobs; the next one's index */
    uint64_t collected; /* of them */
    bool *is_recalled;  /* by slot: it was taken back, and waits to be passed */
};

/** How much memory a ring of so many slots needs. */
size_t rvi_ring_bytes(uint32_t slot_count);

/** Make a ring.
 *
 * @param memory        rvi_ring_bytes() of zeros, at a multiple of RVI_SLOT_BYTES in a segment
 * @param slot_count    a power of two, at most RVI_RING_MOST
 * @param usable_cores  of the machine: on one alone nobody spins
 * @return 0
 * Errors:  -ENOMEM
 * Blocks:  no
 * Threads: any
 * Lifetime: until rvi_ring_fini; the memory is the caller's */
int rvi_ring_init(struct rvi_ring *ring, void *memory, uint32_t slot_count, int usable_cores)
    __attribute__((warn_unused_result));

/** Forget a ring: the worker is dead, or does not mind. */
void rvi_ring_fini(struct rvi_ring *ring);

/** The slot of a job's index. */
static inline struct rvi_slot *rvi_ring_slot(const struct rvi_ring *ring, uint64_t index)
{
    return &ring->slots[index & ring->mask];
}

/** Jobs sent and not collected. */
static inline uint32_t rvi_ring_load(const struct rvi_ring *ring)
{
    return (uint32_t)(ring->sent - ring->collected);
}

/** The slot that is next to be sent, to be filled in; NULL: all are in use. */
static inline struct rvi_slot *rvi_ring_room(const struct rvi_ring *ring)
{
    return rvi_ring_load(ring) > ring->mask ? NULL : rvi_ring_slot(ring, ring->sent);
}

/** Send the slot that rvi_ring_room() gave. The worker may be asleep: rvi_ring_call() follows, once
 * for as many as are sent in a row.
 *
 * @return the job's index, counted from 0 */
uint64_t rvi_ring_send(struct rvi_ring *ring);

/** Wake the worker, if it sleeps. Needs no lock. */
void rvi_ring_call(struct rvi_ring *ring);

/** Take a job back that has not begun. Its slot stays in use until the worker has come past it; its
 * input and the room for its result are free at once.
 *
 * @param index  sent, not collected
 * @return whether it was taken back; otherwise it has begun, or been recalled before */
bool rvi_ring_recall(struct rvi_ring *ring, uint64_t index);

/** Whether a job seems to have begun, or more: what its state was at some moment. */
bool rvi_ring_has_begun(const struct rvi_ring *ring, uint64_t index);

/** Whether rvi_ring_collect() would return something else than 0: for going to sleep, after
 * rvi_bell_set(). Needs the lock as all others. */
bool rvi_ring_has_end(const struct rvi_ring *ring);

/** The state of the oldest job, to be looked at without the lock while the ring's memory is mapped;
 * NULL: there is none. */
static inline const _Atomic(uint32_t) *rvi_ring_oldest(const struct rvi_ring *ring)
{
    return rvi_ring_load(ring) > 0 ? &rvi_ring_slot(ring, ring->collected)->state : NULL;
}

/** Whether there may be something to collect in whose oldest job's state this is. */
static inline bool rvi_ring_may_have_end(const _Atomic(uint32_t) *oldest)
{
    uint32_t state = rvi_load_relaxed(oldest);

    return state != RVI_SLOT_QUEUED && state != RVI_SLOT_TAKEN && state != RVI_SLOT_RECALLED;
}

enum rvi_fate {
    RVI_FATE_DONE,     /* status and result are there */
    RVI_FATE_RECALLED, /* by rvi_ring_recall(), which has told */
    RVI_FATE_UNBEGUN,  /* the worker is dead, and has not touched it */
    RVI_FATE_LOST,     /* the worker is dead, and had begun it */
};

struct rvi_ring_end {
    uint64_t index;
    enum rvi_fate fate;
    int status; /* of RVI_FATE_DONE */
};

/** Collect the end of the oldest job. The slot may be used again once the result was copied, that
 * is: from the next rvi_ring_send() on.
 *
 * @return 1 there was one; 0 not yet
 * Errors:  -EPROTO the worker does not keep to the protocol: it is to be killed
 * Blocks:  no */
int rvi_ring_collect(struct rvi_ring *ring, struct rvi_ring_end *ret)
    __attribute__((warn_unused_result));

/** The same when the worker's process is known to be gone: what has become of the oldest job.
 *
 * @return whether there was one more */
bool rvi_ring_bury(struct rvi_ring *ring, struct rvi_ring_end *ret);

/* --- the worker's side --- */

/* In the worker's private memory. One thread, but for rvi_ring_quit(). */
struct rvi_taker {
    struct rvi_ring_shared *shared;
    struct rvi_slot *slots;
    uint32_t mask;
    uint64_t next; /* the index that it looks for */
    const struct rvi_bell *bell;
    struct rvi_spin spin;
    bool has_waited; /* the last job was not there yet when it was looked for */
    _Atomic(uint32_t) has_quit;
};

/** Begin to work on a ring.
 *
 * @param bell  rung at each end of a job; NULL: somebody looks all the time */
void rvi_taker_init(struct rvi_taker *taker, struct rvi_ring_shared *shared,
                    const struct rvi_bell *bell);

/** Take the next job, waiting for it: spinning for a while that follows how long that has been
 * worth it, then asleep.
 *
 * @param ret       TAKEN; the worker's until rvi_ring_done
 * @param deadline  absolute monotonic nanoseconds, INT64_MAX for never
 * @return 0
 * Errors:  -ECANCELED rvi_ring_quit(), before a job; -ETIME
 * Blocks:  the thread */
int rvi_ring_take(struct rvi_taker *taker, struct rvi_slot **ret, int64_t deadline)
    __attribute__((warn_unused_result));

/** The job has ended, and its result is written. The slot is the parent's again. */
void rvi_ring_done(struct rvi_taker *taker, struct rvi_slot *slot, int status);

/** Let rvi_ring_take() take nothing any more. Any thread of the worker. */
void rvi_ring_quit(struct rvi_taker *taker);
