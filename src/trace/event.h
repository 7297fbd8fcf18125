/* SPDX-License-Identifier: MIT */
/* event.h - what a worker notes. */
#pragma once

#include <stdint.h>

enum rvi_trace_kind {
    RVI_TRACE_SPAWN = 1, /* a descriptor was made for a task; arg: who spawns, 0 for no task */
    RVI_TRACE_BEGIN,     /* its first switch; arg: 1 when it was spawned by another worker */
    RVI_TRACE_RESUME,    /* a later one */
    RVI_TRACE_PARK,      /* arg: enum rvi_why */
    RVI_TRACE_WAKE,      /* it is ready; arg: the task that woke it, 0 when by a message or timer */
    RVI_TRACE_YIELD,     /* and others ran */
    RVI_TRACE_MIGRATE,   /* it leaves this worker */
    RVI_TRACE_END,
    RVI_TRACE_STEAL,        /* task 0; arg: how many, the victim's index above bit 32 */
    RVI_TRACE_SLEEP,        /* the worker; task 0 */
    RVI_TRACE_AWAKE,        /* the worker; task 0 */
    RVI_TRACE_SCOPE_OPEN,   /* task: the owner */
    RVI_TRACE_SCOPE_CLOSE,  /* task: the owner */
    RVI_TRACE_SCOPE_CANCEL, /* task: the owner; arg: the reason, negated */
};

/* 24 bytes in the ring too. */
struct rvi_trace_event {
    int64_t time_ns; /* rvi_clock_now() */
    uint64_t task;   /* its number */
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
