/* SPDX-License-Identifier: MIT */
/* here.h - who am I: the calling thread's worker and the task that it runs, if any.
 *
 * A started task never changes its thread, so compilers may keep the address of this thread-local
 * over a switch. rv_migrate() is the one exception and keeps out of it. */
#pragma once

struct rvi_worker;
struct rvi_task;

struct rvi_here {
    struct rvi_worker *worker; /* NULL on a plain thread */
    struct rvi_task *task;     /* NULL on a plain thread, and while the worker itself runs */
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
