/* SPDX-License-Identifier: MIT */
/* runtime.h - what a runtime has besides its scheduler. */
#pragma once

#include <ravel/blocking.h>

#include "sched/sched.h"

struct rvi_runtime {
    rv_limiter *blocking; /* of rv_blocking() calls that name none */
};

/** rv_run() with every option settled, wherever they come from. */
int rvi_runtime_run(rv_fn *entry, void *arg, const struct rvi_sched_opts *opts)
    __attribute__((warn_unused_result));

/** Cancel a task and all that it owns, as a scope around it would. On its home worker, between
 * tasks. */
void rvi_task_cancel_here(struct rvi_task *task);

static inline struct rvi_runtime *rvi_runtime_of(const struct rvi_sched *sched)
{
    return sched->runtime;
}
