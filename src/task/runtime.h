/* SPDX-License-Identifier: MIT */
/* runtime.h - what a runtime has besides its scheduler. */
#pragma once

#include <stdbool.h>

#include <ravel/blocking.h>
#include <ravel/run.h>

#include "sched/sched.h"
#include "task/interrupt.h"

struct rvi_layout;

struct rvi_runtime {
    rv_limiter *blocking; /* of rv_blocking() calls that name none */
    rv_limiter *files;    /* of input and output that a worker cannot wait for */
    rv_limiter *starting; /* of children that are being started */
    struct rvi_interrupt interrupt;
    const struct rvi_layout *layout; /* layout.h; that it is used here keeps it in every program */
};

/** Which signals a run wants to hear of. */
struct rvi_runtime_signals {
    bool dumps;      /* SIGQUIT */
    bool interrupts; /* SIGINT */
};

/** Settle the options of a run, by the environment where the program has left them open.
 *
 * Errors: as rv_run() */
int rvi_runtime_opts(struct rvi_sched_opts *ret, struct rvi_runtime_signals *ret_signals,
                     const struct rv_run_opts *opts) __attribute__((warn_unused_result));

/** rv_run() with every option settled, wherever they come from.
 *
 * @param interrupts  rvi_interrupt_all() means this one too */
int rvi_runtime_run(rv_fn *entry, void *arg, const struct rvi_sched_opts *opts, bool interrupts)
    __attribute__((warn_unused_result));

/** rv_blocking() of which the wait for its turn has a deadline: -ETIME, fn has not run. */
int rvi_blocking_until(rv_fn *fn, void *arg, rv_limiter *limiter, rv_time deadline)
    __attribute__((warn_unused_result));

/** Cancel a task and all that it owns, as a scope around it would, whose token has the reason by
 * now. On its birth worker, between tasks; once in the task's life. */
void rvi_task_cancel(struct rvi_task *task);

/** The same on its home worker. */
void rvi_task_cancel_here(struct rvi_task *task);

static inline struct rvi_runtime *rvi_runtime_of(const struct rvi_sched *sched)
{
    return sched->runtime;
}
