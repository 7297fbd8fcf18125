/* SPDX-License-Identifier: MIT */
/* helpers.h - plain threads that make blocking calls for tasks. They come on demand and leave when
 * idle.
 *
 * How many calls run at one time is the limiters' business (blocking.h); here every call gets a
 * thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ravel/def.h>
#include <ravel/time.h>

#include "base/atomic.h"
#include "base/list.h"
#include "sched/wait.h"
#include "sys/lock.h"

struct rvi_helpers {
    struct rvi_lock lock;   /* guards all below */
    _Atomic(uint32_t) work; /* futex: changes when an idle helper has to look around */
    struct rvi_fifo calls;  /* that no helper has begun */
    size_t call_count;
    struct rvi_list here;    /* helpers that work or wait for work */
    struct rvi_list leaving; /* helpers that are about to end and have to be joined */
    size_t idle;
    rv_time idle_ns; /* how long a helper without work stays; a test may shorten it */
    bool stopping;
};

/* One blocking call; in the waiting task's frame. */
struct rvi_helper_call {
    struct rvi_qlink link;
    rv_fn *fn;
    void *arg;
    int result;
    struct rvi_waiter waiter;
};

void rvi_helpers_init(struct rvi_helpers *helpers);

/** Wait for the threads to leave; no call may be under way. */
void rvi_helpers_fini(struct rvi_helpers *helpers);

/** Run fn(arg) on a helper while the calling task waits, whatever is cancelled meanwhile.
 * Errors: -EAGAIN no helper could be started and none is there: fn has not run. */
int rvi_helpers_call(struct rvi_helpers *helpers, rv_fn *fn, void *arg)
    __attribute__((warn_unused_result));
