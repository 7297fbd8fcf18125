/* SPDX-License-Identifier: MIT */
/* sleeper.h - how a worker's thread goes to sleep and how others wake it.
 *
 *     sleeper                                   waker
 *     rvi_sleeper_prepare(): state = ASLEEP     make work visible (see below)
 *     look once more for work                   rvi_sleeper_wake(): ASLEEP -> a reason; futex wake
 *     found: rvi_sleeper_cancel()
 *     none:  rvi_sleeper_sleep(deadline)
 *
 * A worker with operations under way sleeps where the kernel tells of them (loop.h) rather than on
 * the word: it announces ASLEEP_IN_LOOP, and a waker then signals its eventfd. That signal ends a
 * sleep that has begun, or the one that is about to; one that comes later, because the worker woke
 * by itself meanwhile, ends some later sleep for nothing.
 *
 * Work is made visible by a seq_cst read-modify-write, or by a store and a pair of fences.
 * Store-then-look on both sides, all sequentially consistent: either the sleeper sees the work or
 * the waker sees ASLEEP. Exactly one waker wins each sleep, so wake-ups can be counted. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <ravel/time.h>

#include "base/atomic.h"

enum rvi_sleeper_state {
    RVI_SLEEPER_AWAKE,
    RVI_SLEEPER_CALLED,   /* somebody has something for this worker */
    RVI_SLEEPER_ENLISTED, /* somebody wants one more searcher, and has counted it already */
    RVI_SLEEPER_ASLEEP,
    RVI_SLEEPER_ASLEEP_IN_LOOP,
};

struct rvi_sleeper {
    _Atomic(uint32_t) state;
    int call; /* an eventfd, -1 before the first sleep in a loop; open until no waker is left */
};

static inline void rvi_sleeper_init(struct rvi_sleeper *s)
{
    rvi_store_relaxed(&s->state, RVI_SLEEPER_AWAKE);
    s->call = -1;
}

/** Make what is needed for sleeps in a loop. Errors: -EMFILE, -ENFILE, -ENOMEM. */
int rvi_sleeper_open_call(struct rvi_sleeper *s) __attribute__((warn_unused_result));

/** Nobody sleeps or wakes here any more. */
void rvi_sleeper_fini(struct rvi_sleeper *s);

/** Whether a wake would do something, at some moment. */
static inline bool rvi_sleeper_looks_asleep(const struct rvi_sleeper *s)
{
    return rvi_load_seq_cst(&s->state) >= RVI_SLEEPER_ASLEEP; /* pairs: sleeper */
}

/** Announce sleep, ASLEEP or ASLEEP_IN_LOOP. Follow it by a last look for work. */
void rvi_sleeper_prepare(struct rvi_sleeper *s, enum rvi_sleeper_state how);

/** In a loop: whether nobody has called since. If so, sleep; rvi_sleeper_cancel() after it. */
static inline bool rvi_sleeper_may_sleep(const struct rvi_sleeper *s)
{
    return rvi_load_acquire(&s->state) == RVI_SLEEPER_ASLEEP_IN_LOOP; /* pairs: sleeper */
}

/** Take the announcement back. Returns AWAKE, or the reason of a waker that was faster. */
enum rvi_sleeper_state rvi_sleeper_cancel(struct rvi_sleeper *s);

/** Sleep until woken or until `deadline`. Returns AWAKE for the deadline, or the waker's reason. */
enum rvi_sleeper_state rvi_sleeper_sleep(struct rvi_sleeper *s, rv_time deadline);

/** Wake a sleeper for a reason. Returns whether this call was the one that woke it. Any thread. */
bool rvi_sleeper_wake(struct rvi_sleeper *s, enum rvi_sleeper_state reason);
