/* SPDX-License-Identifier: MIT */
/* foreground.h - what a foreground is made of, for the files that are one: its queue (fg_queue.c),
 * and the runtime with its tasks (foreground.c). */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ravel/foreground.h>
#include <ravel/scope.h>
#include <ravel/sync.h>

#include "base/atomic.h"
#include "base/list.h"
#include "exec/fg_watch.h"
#include "sched/bias.h"
#include "sched/wait.h"
#include "task/waitlist.h"

struct rvi_fg_job {
    struct rvi_link link;
    struct rvi_fg_caller *caller; /* NULL: posted */
    rv_fg_fn *fn;                 /* of one that was posted */
    void *arg;
};

struct rv_fg {
    /* Set once */
    int bell;
    const void *foreground; /* which party it is */
    rv_time budget_ns;
    void *arg;
    void (*progress)(void *arg, const struct rv_fg_latest *latest);
    const struct rv_run_opts *run; /* gone when the runtime is up */
    pthread_t thread;
    rv_scope *root;
    int run_result;
    struct rv_event is_up, stop;
    struct rvi_fg_watch watch;
    _Atomic(bool) has_ended;

    /* The foreground's own */
    unsigned depth; /* of dispatching */

    _Atomic(uint32_t) news; /* futex: changes with every ring */
    _Atomic(bool) is_closing;
    _Atomic(int) failure; /* the first of a task that was not cancelled */

    struct rvi_bias lock; /* guards all below */
    struct rvi_waitlist posters;
    struct rvi_list queue, unused, tasks;
    bool is_due, has_progress;
    struct rv_fg_latest latest;
    uint64_t run_count;
    size_t waiting, task_count;
    int64_t last_number;
    struct rvi_fg_job slots[];
};

static inline bool rvi_fg_is_foreground(const rv_fg *fg)
{
    return rvi_party_self() == fg->foreground;
}

/** Run what is due, on the foreground, until the runtime has ended and nothing is left. */
void rvi_fg_serve_until_ended(struct rv_fg *fg);
