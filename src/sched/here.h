/* SPDX-License-Identifier: MIT */
/* here.h - who am I: all that the runtime keeps for a thread, of which the worker and the task that
 * it runs matter most.
 *
 * A simulation runs several threads on one and exchanges this structure when it changes between
 * them: nothing else in the runtime that is a thread's own may be a thread-local.
 *
 * A started task never changes its thread, so compilers may keep the address of this thread-local
 * over a switch. rv_migrate() is the one exception and keeps out of it. */
#pragma once

#include "base/rng.h"

struct rvi_cancel;
struct rvi_worker;
struct rvi_task;

struct rvi_here {
    struct rvi_worker *worker; /* NULL on a plain thread */
    struct rvi_task *task;     /* NULL on a plain thread, and while the worker itself runs */
    struct rvi_cancel *cancel; /* of a plain thread: its token, NULL for none */
    const void *serving;       /* of a plain thread: the executor whose job it runs */
    void *job;                 /* of a plain thread: the job that it runs, a struct rv_future */
    int why;                   /* of a plain thread that waits: enum rvi_why */
    const void *simulated;     /* of a simulated thread: which one it is */
    struct rvi_rng rng;        /* of a plain thread; state[0] is 0 until it is seeded */
};

extern _Thread_local struct rvi_here rvi_here __attribute__((tls_model("initial-exec")));

/** The calling thread's worker; NULL on a plain thread. */
static inline struct rvi_worker *rvi_worker_self(void)
{
    return rvi_here.worker;
}

/** The calling task; NULL on a plain thread. */
static inline struct rvi_task *rvi_task_self(void)
{
    return rvi_here.task;
}

/** Who calls, for objects that have an owner: the task, or else the plain thread, simulated or not,
 * by an odd address. */
static inline const void *rvi_party_self(void)
{
    const void *thread = rvi_here.simulated;

    if (rvi_here.task)
        return rvi_here.task;
    return (const char *)(thread ? thread : &rvi_here) + 1;
}

/** Of a party the task; NULL: it is none. */
static inline const struct rvi_task *rvi_party_task(const void *party)
{
    return (uintptr_t)party & 1 ? NULL : party;
}
