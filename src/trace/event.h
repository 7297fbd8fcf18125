/* SPDX-License-Identifier: MIT */
/* event.h - what a worker notes. */
#pragma once

#include <stdint.h>

/* Tasks are told by their numbers, which are unique within a runtime. A text is the number of one
 * in the table of shared.h; 0: not known. */
enum rvi_trace_kind {
    RVI_TRACE_SPAWN = 1, /* a descriptor was made for a task; arg: who spawns, 0 for no task */
    RVI_TRACE_BEGIN,     /* its first switch; arg: 1 when it was spawned by another worker */
    RVI_TRACE_RESUME,    /* a later one */
    RVI_TRACE_PARK,      /* arg: enum rvi_why, and above bit 8 the address of what it waits for:
                            lock, channel, queue, event, ..., for a future the text that names
                            its job; 0: none, or not told */
    RVI_TRACE_WAKE,      /* it is ready; arg: the task that woke it, 0 when by a message or timer */
    RVI_TRACE_YIELD,     /* and others ran */
    RVI_TRACE_MIGRATE,   /* it leaves this worker */
    RVI_TRACE_END,
    RVI_TRACE_STEAL,        /* task 0; arg: how many, the victim's index above bit 32 */
    RVI_TRACE_SLEEP,        /* the worker; task 0 */
    RVI_TRACE_AWAKE,        /* the worker; task 0 */
    RVI_TRACE_SCOPE_OPEN,   /* task: the owner */
    RVI_TRACE_SCOPE_CLOSE,  /* task: the owner; arg: of a recorded run the text that names it */
    RVI_TRACE_SCOPE_CANCEL, /* task: the owner; arg: the reason, negated */

    /* --- of a recorded run alone --- */
    RVI_TRACE_NAME,   /* of a task. arg: a text: of its site, with file and line, when it begins,
                            or a name that it was given later, with none */
    RVI_TRACE_HELD,   /* the task is about to park for a lock; arg: the task that holds it */
    RVI_TRACE_OP,     /* it begins a call for input or output; arg: enum rvi_op_kind, and above
                            bit 8 the descriptor, 32 bits. What it has to wait for is a PARK */
    RVI_TRACE_OP_END, /* that is over; arg: what rvi_trace_result() makes a result */
    RVI_TRACE_LANE,   /* in the ring of no worker, where times are in no order. task: a lane of an
                            executor's, a thread or worker process; arg: the text that names it */
    RVI_TRACE_JOB_BEGIN, /* the same; arg: the text that names the job */
    RVI_TRACE_JOB_END,   /* the same; arg: enum rv_outcome_kind, and above bit 8 for how many ns it
                            ran of that time, if elsewhere; 0: not told */
    RVI_TRACE_THING,     /* in any ring. task: an address as PARK has it; arg: the text that names
                            what lies there, 0: that name is gone; above bit 16 the name's number,
                            so that it takes no later one with it */
    RVI_TRACE_LAST = RVI_TRACE_THING,
};

/* In rings alone, and none who reads them need know it (rvi_trace_unfold()): OP and OP_END in one,
 * of a call of the task that runs which did not have to wait. Its time is the end's; task: the
 * ticks that it took, above 32 bits of its result; arg: OP's. */
#define RVI_TRACE_CALL ((enum rvi_trace_kind)(RVI_TRACE_LAST + 1))

/* 24 bytes in the ring too. */
struct rvi_trace_event {
    union {
        uint64_t ticks;  /* by the ring's clock: as rvi_trace_read() gives it */
        int64_t time_ns; /* by rvi_clock_now(): what rvi_trace_to_ns() makes of that */
    };
    uint64_t task; /* its number */
    uint64_t kind_and_arg;
};

enum { RVI_TRACE_ARG_BITS = 56 };

static inline enum rvi_trace_kind rvi_trace_kind(const struct rvi_trace_event *event)
{
    return (enum rvi_trace_kind)(event->kind_and_arg >> RVI_TRACE_ARG_BITS);
}

static inline uint64_t rvi_trace_arg(const struct rvi_trace_event *event)
{
    return event->kind_and_arg & (((uint64_t)1 << RVI_TRACE_ARG_BITS) - 1);
}

/* --- what an argument says --- */

enum { RVI_TRACE_LOW_BITS = 8 };

/** Of PARK: enum rvi_why, and what is waited for. */
static inline uint64_t rvi_trace_park_arg(unsigned why, uint64_t object)
{
    return why | (object & (((uint64_t)1 << 48) - 1)) << RVI_TRACE_LOW_BITS;
}

/** Of PARK: enum rvi_why; of OP: enum rvi_op_kind. */
static inline unsigned rvi_trace_low(const struct rvi_trace_event *event)
{
    return (unsigned)(rvi_trace_arg(event) & ((1U << RVI_TRACE_LOW_BITS) - 1));
}

/** Of PARK: what is waited for; 0: not told. */
static inline uint64_t rvi_trace_object(const struct rvi_trace_event *event)
{
    return rvi_trace_arg(event) >> RVI_TRACE_LOW_BITS;
}

static inline uint64_t rvi_trace_op_arg(unsigned kind, int fd)
{
    return kind | (uint64_t)(uint32_t)fd << RVI_TRACE_LOW_BITS;
}

/** Of OP: the descriptor; negative: none, as AT_FDCWD. */
static inline int rvi_trace_fd(const struct rvi_trace_event *event)
{
    return (int)(uint32_t)rvi_trace_object(event);
}

/** Of JOB_END: its outcome is rvi_trace_low(), how long it ran rvi_trace_object(). */
static inline uint64_t rvi_trace_job_end_arg(unsigned kind, int64_t ran_ns)
{
    return rvi_trace_park_arg(kind, ran_ns > 0 ? (uint64_t)ran_ns : 0);
}

enum { RVI_TRACE_TEXT_BITS = 16 };

static inline uint64_t rvi_trace_thing_arg(uint64_t text, uint64_t number)
{
    return text | (number & (((uint64_t)1 << 40) - 1)) << RVI_TRACE_TEXT_BITS;
}

/** Of THING: the text; 0: none any more. */
static inline uint64_t rvi_trace_thing_text(const struct rvi_trace_event *event)
{
    return rvi_trace_arg(event) & ((1U << RVI_TRACE_TEXT_BITS) - 1);
}

/** Of THING: the name's number. */
static inline uint64_t rvi_trace_thing_number(const struct rvi_trace_event *event)
{
    return rvi_trace_arg(event) >> RVI_TRACE_TEXT_BITS;
}

static inline uint64_t rvi_trace_result_arg(int64_t result)
{
    return (uint64_t)result & (((uint64_t)1 << RVI_TRACE_ARG_BITS) - 1);
}

/** Of OP_END: bytes or what else its call returns, or -errno. */
static inline int64_t rvi_trace_result(const struct rvi_trace_event *event)
{
    return (int64_t)(rvi_trace_arg(event) << (64 - RVI_TRACE_ARG_BITS)) >>
           (64 - RVI_TRACE_ARG_BITS);
}
