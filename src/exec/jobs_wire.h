/* SPDX-License-Identifier: MIT */
/* jobs_wire.h - what an executor and its worker processes say to each other.
 *
 * Both sides are the same build of the same program (proc/identity.h), so structures travel as they
 * are. A job is named by its key, 64 bits of its name's hash, which a slot carries in `what` and
 * `flags`; nothing has to be agreed on before the first job of a kind.
 *
 * Behind the ring lie notes, one a slot, in which the worker says how far a job is; a slot tells
 * whether there is one of the job that it holds. Pages that nobody writes are not there.
 *
 * In a slot (shm/ring.h) lies first what the worker says of the job's times, then, of a small job,
 * its input and its result. Both sides compute from the job's type whether it is small, and where
 * its result lies. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ravel/job.h>
#include <ravel/time.h>

#include "proc/proc.h"
#include "shm/note.h"
#include "shm/object.h"
#include "shm/ring.h"

/* The worker's side, serve_jobs.c. */
extern struct rvi_role rvi_jobs_role;

/* The descriptors that go with the hello, in their order. */
enum rvi_jobs_fd {
    RVI_JOBS_FD_SEGMENT,
    RVI_JOBS_FD_BELL,
    RVI_JOBS_FD_SERVICE,
    RVI_JOBS_FD_LEADER,
    RVI_JOBS_FDS,
};

/* What the parent says over the control socket; a worker says struct rvi_shm_ask. */
enum rvi_jobs_order {
    RVI_JOBS_STOP,  /* job `index` is to stop, because of `why` */
    RVI_JOBS_LEAVE, /* take no job any more, and end */
    RVI_JOBS_LEND,  /* `answer`, with a descriptor if there is one: rv_shm_map() */
};

struct rvi_jobs_message {
    enum rvi_jobs_order order;
    int why;
    uint64_t index;
    struct rvi_shm_answer answer;
};

/* What lies in a slot's bytes. Its times are the worker's to write, and so not to be believed. */
struct rvi_letter {
    _Atomic(int64_t) begun; /* 0 from sending until the worker has looked at the clock */
    _Atomic(int64_t) ended;
    unsigned char small[RVI_SLOT_INLINE - 2 * sizeof(int64_t)];
};

_Static_assert(sizeof(struct rvi_letter) == RVI_SLOT_INLINE, "a letter fills its slot");
_Static_assert(offsetof(struct rvi_slot, bytes) + offsetof(struct rvi_letter, small) + 16 ==
                   RVI_CACHE_LINE,
               "a job of two words has one line");

static inline struct rvi_letter *rvi_letter_of(struct rvi_slot *slot)
{
    return (struct rvi_letter *)slot->bytes;
}

/** Where the notes begin in a segment whose ring has so many slots, and how many bytes they are. */
static inline size_t rvi_jobs_notes_at(uint32_t slots)
{
    return rvi_ring_bytes(slots);
}

static inline size_t rvi_jobs_notes_bytes(uint32_t slots)
{
    return slots * sizeof(struct rvi_note);
}

_Static_assert((int)RV_PROGRESS_MOST == (int)RVI_NOTE_BYTES, "what a job says fits a note");

/** The job that was registered last, and through job->next all others; NULL: there is none. */
const struct rv_job *rvi_job_newest(void);

/** Find a registered job by its key; NULL: this executable has none. */
const struct rv_job *rvi_job_find_key(uint64_t key);

/** Where a job's result lies behind its input, in bytes. What is shorter than max_align_t is
 * aligned to less than that: so a word there and a word back are in one line with the slot's
 * head. */
static inline size_t rvi_job_out_at(const struct rv_job *job)
{
    size_t most = _Alignof(max_align_t), align = job->out_bytes < most ? most / 2 : most;

    return (job->in_bytes + align - 1) & ~(align - 1);
}

/** Whether input and result fit the slot. Neither is beyond half of the address space: see
 * rvi_future_new(). */
static inline bool rvi_job_is_small(const struct rv_job *job)
{
    return rvi_job_out_at(job) + job->out_bytes <= sizeof(((struct rvi_letter *)0)->small);
}

static inline void rvi_slot_name(struct rvi_slot *slot, uint64_t key)
{
    slot->what = (uint32_t)key;
    slot->flags = (uint32_t)(key >> 32);
}

static inline uint64_t rvi_slot_key(const struct rvi_slot *slot)
{
    return (uint64_t)slot->flags << 32 | slot->what;
}
