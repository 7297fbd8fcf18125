/* SPDX-License-Identifier: MIT */
/* fg_watch.h - the thread that notices when a foreground is held. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <ravel/time.h>

#include "base/atomic.h"
#include "sys/stack.h"

struct rvi_fg_watch {
    bool is_running;
    pthread_t thread;
    int thread_id; /* the foreground's */
    struct rvi_stack stack;
    rv_time budget_ns;
    void (*report)(void *arg, const char *text);
    void *arg;
    _Atomic(bool) is_due;     /* something waits for the foreground */
    _Atomic(uint32_t) inside; /* of dispatching, how deep */
    _Atomic(uint32_t) turn;   /* changes when the foreground begins or ends anything of ours */
    _Atomic(uint32_t) rest;   /* futex: of the watch */
    _Atomic(uint64_t) held;
};

/** Start it, on the foreground. budget_ns, report and arg are set.
 * Errors: -EAGAIN, -ENOMEM; others from asking for the thread's stack. */
int rvi_fg_watch_start(struct rvi_fg_watch *watch) __attribute__((warn_unused_result));

/** End it, if it was started. */
void rvi_fg_watch_stop(struct rvi_fg_watch *watch);

/** Something is due, or is not any more. Under a lock of the callers'; when it is, call the watch
 * after that. */
void rvi_fg_watch_due(struct rvi_fg_watch *watch, bool is_due);
void rvi_fg_watch_call(struct rvi_fg_watch *watch);

/** The foreground is deeper inside by so much, or has got on. On the foreground. */
void rvi_fg_watch_step(struct rvi_fg_watch *watch, int deeper);
