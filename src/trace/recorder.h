/* SPDX-License-Identifier: MIT */
/* recorder.h - whether another program reads what this process does, and where that is noted.
 *
 * One that was started for it inherits the memory, by RAVEL_RECORD. A running one is asked: whoever
 * wants to read writes a number into the door of its memory, process_vm_writev(2), which each
 * worker compares with the one that it knows, where it looks at the clock in any case and when it
 * has slept. The first one that sees another makes the memory and says in the door what its
 * descriptor is; the reader opens that in /proc and locks it, and reads until it says in the memory
 * that it is over, or is gone and its lock with it. Each worker lets go where it looks next, and
 * the last one unmaps.
 *
 * So a program pays for being recorded while it is, and otherwise a comparison in some 64 switches;
 * and nobody but who may write to its memory can ask. recorder.c has the argument. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "trace/event.h"
#include "trace/shared.h"

#define RVI_TRACE_DOOR_MAGIC UINT64_C(0x31726f6f64657672) /* "rvedoor1" */

/** What is written and read from outside (look/recording.c). */
struct rvi_trace_door {
    uint64_t magic;
    _Atomic(uint64_t)
        wanted; /* megabytes a place, and above bit 32 a number that none had before */
    _Atomic(uint64_t) served; /* the last that was seen: what follows is the answer */
    _Atomic(int64_t) answer;  /* a descriptor; or why there is none: -EBUSY is read already, others
                                 of making memory */
};

extern struct rvi_trace_door rvi_trace_door;

struct rvi_recording;

/** The first runtime of a process looks whether that was started to be recorded. */
void rvi_recorder_inherit(void);

/** Whether rvi_recorder_follow() has something to do, for one that notes in this memory, or NULL,
 * since it last saw `wanted`. Who notes follows also without it from time to time: its reader may
 * be gone. */
static inline bool rvi_recorder_calls(const struct rvi_trace_shared *memory, uint64_t seen)
{
    return rvi_load_relaxed(&rvi_trace_door.wanted) != seen ||
           (memory && rvi_load_relaxed(&memory->is_over));
}

/** A worker begins, goes on or ceases to be recorded; on its thread, or before that begins.
 *
 * @param held     what it holds, NULL at first; becomes what it holds then
 * @param seen     becomes `wanted`
 * @param runtime  stands for its runtime
 * @param workers  of that, of which it is number `index`
 * @return its ring; NULL: it is not recorded */
struct rvi_trace *rvi_recorder_follow(struct rvi_recording **held, uint64_t *seen,
                                      const void *runtime, unsigned workers, unsigned index);

/** It ends. NULL is fine. */
void rvi_recorder_leave(struct rvi_recording **held, const void *runtime);

/** Where its texts lie, as long as it is held. */
struct rvi_trace_shared *rvi_recorder_memory(struct rvi_recording *held);

/** Whether what has a name already is to be told again: to the first who asks of a recording and a
 * process. */
bool rvi_recorder_wants_names(struct rvi_recording *held);

/* --- what threads do that are no workers --- */

extern _Atomic(uint32_t) rvi_recorder_is_on;

/** Whether those below may have something to do. */
static inline bool rvi_recorder_listens(void)
{
    return rvi_load_relaxed(&rvi_recorder_is_on) ||
           rvi_load_relaxed(&rvi_trace_door.wanted) != rvi_load_relaxed(&rvi_trace_door.served);
}

enum { RVI_RECORDER_PLACES = 1 << 16, RVI_RECORDER_PLACE = 1 << 24 };

/** The lane of what is neither a thread nor a process here: a place among those of a pool. */
static inline int rvi_recorder_place(uint64_t pool, uint64_t place)
{
    return (int)(RVI_RECORDER_PLACE + pool % 64 * RVI_RECORDER_PLACES +
                 place % RVI_RECORDER_PLACES);
}

/** Note that a lane which is no worker's began a job, or has ended it; any thread.
 *
 * @param lane  a thread's or process's number, or rvi_recorder_place()
 * @param what  it is called, with the number behind it
 * @param when  by rvi_clock_now(): it may be some time ago
 * @param job   its name
 * @param kind  enum rv_outcome_kind
 * @param ran   for so many ns of that time it ran elsewhere; 0: all of it, here */
void rvi_recorder_begin_job(int lane, const char *what, int64_t when, const char *job)
    __attribute__((cold));
void rvi_recorder_end_job(int lane, const char *what, int64_t when, unsigned kind, int64_t ran)
    __attribute__((cold));

/** Note what is called so from now on: RVI_TRACE_THING; any thread.
 *
 * @param name  NULL: nothing is, by that number */
void rvi_recorder_name(const void *thing, const char *name, uint64_t number) __attribute__((cold));
