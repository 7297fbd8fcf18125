/* SPDX-License-Identifier: MIT */
/* monitor.h - the thread that notices what no worker can: one that holds on while others sleep. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <ravel/time.h>

#include "base/atomic.h"
#include "sched/stall.h"

struct rvi_sched;

struct rvi_monitor {
    pthread_t thread;
    bool is_running;
    rv_time stall_ns;         /* 0: no stall watch */
    _Atomic(rv_time) look_ns; /* between two looks; a test may make it longer */
    _Atomic(uint64_t) stalls; /* noticed so far */
    _Atomic(uint32_t) asleep; /* futex: 1 while it sleeps until called */
    uint32_t *seen;           /* the monitor's: a tick a worker, of the last look for surplus */
    struct rvi_watch *watch;  /* the monitor's: what the stall watch saw of each worker */
    struct rvi_staller staller;
};

/** Start it, if there is anything to notice. Errors: -EAGAIN, -ENOMEM. */
int rvi_monitor_start(struct rvi_sched *sched) __attribute__((warn_unused_result));

/** The scheduler is stopping: end it and wait for its end. */
void rvi_monitor_stop(struct rvi_sched *sched);

/** A spawner leaves a lone task behind: somebody has to come back to it. Any worker. */
void rvi_monitor_call(struct rvi_sched *sched);
