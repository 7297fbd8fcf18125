/* SPDX-License-Identifier: MIT */
/* runtime.h - what a runtime has besides its scheduler. */
#pragma once

#include <ravel/blocking.h>

#include "sched/sched.h"

struct rvi_runtime {
    rv_limiter *blocking; /* of rv_blocking() calls that name none */
};

static inline struct rvi_runtime *rvi_runtime_of(const struct rvi_sched *sched)
{
    return sched->runtime;
}
