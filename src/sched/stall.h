/* SPDX-License-Identifier: MIT */
/* stall.h - telling of a task that holds its worker: who, where, and what to call instead. */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include <ravel/time.h>

#include "base/atomic.h"

struct rvi_stall;
struct rvi_worker;

/** The monitor's. */
struct rvi_staller {
    struct rvi_stall *stall; /* the last one; NULL: none yet */
    pthread_t thread;        /* that tells of it */
    bool is_started;         /* and not joined */
    _Atomic(bool) is_telling;
    rv_time told; /* when one was told last */
    unsigned untold;
};

/** A worker has been held for so long. It is told at once, on a thread of its own as that takes its
 * time, unless one was in the last second, or is just being told. */
void rvi_stall_tell(struct rvi_staller *staller, const struct rvi_worker *w, rv_time held);

/** Wait for that thread. */
void rvi_stall_fini(struct rvi_staller *staller);
