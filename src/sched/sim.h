/* SPDX-License-Identifier: MIT */
/* sim.h - threads that are simulated on one: who runs is a strategy's choice, and time is a number.
 *
 * Inside a simulation the calling thread's rvi_seam is set, so whatever the runtime starts, waits
 * for or asks the time of is simulated (base/seam.h). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <ravel/time.h>

#include "base/seam.h"
#include "explore/strategy.h"
#include "sched/why.h"

struct rvi_task;

/* One step: a thread has come to a point. */
struct rvi_sim_event {
    uint64_t step; /* counted from 1 */
    rv_time now;
    unsigned thread; /* counted from 0 in the order of their start */
    const char *thread_name;
    const struct rvi_task *task; /* that it runs, or NULL */
    enum rvi_point what;
};

struct rvi_sim_opts {
    struct rvi_strategy_opts strategy;
    uint64_t steps;           /* more than these are too many */
    rv_time step_ns;          /* a step takes 1 to twice this, drawn from the seed; at least 1 */
    int cores;                /* what the simulated machine pretends to have */
    struct rvi_net_seam *net; /* the same */
    void *arg;                /* of both functions, which must not wait */
    void (*event)(void *arg, const struct rvi_sim_event *event); /* may be NULL */

    /* -EDEADLK: nobody can run and nobody waits for a time. -ELOOP: too many steps. The first time
     * it is called, and has to bring about the end, for which there are as many steps again. A
     * second time is a panic. */
    void (*stuck)(void *arg, int why);
};

struct rvi_sim_totals {
    uint64_t steps;
    uint64_t digest; /* of all events: equal for equal runs */
    rv_time elapsed;
};

struct rvi_sim;

/** What simulations on the calling thread need, one after the other: stacks, and a stack for signal
 * handlers. On a plain thread that does not simulate.
 * Errors: -ENOMEM; others from stacks and fault handlers. */
int rvi_sim_open(struct rvi_sim **ret) __attribute__((warn_unused_result));

/** On the same thread. */
void rvi_sim_close(struct rvi_sim *sim);

/** Run fn(arg) as the first simulated thread, and all that it starts, until all have ended.
 * Errors: -ENOMEM: fn has not run. */
int rvi_sim_run(struct rvi_sim *sim, const struct rvi_sim_opts *opts, void (*fn)(void *), void *arg,
                struct rvi_sim_totals *ret) __attribute__((warn_unused_result));

/** Inside a simulation: call with the name of each thread that waits for an object as a plain
 * thread. */
void rvi_sim_each_waiting(void (*each)(void *arg, const char *name, enum rvi_why why), void *arg);

/** One word; static. */
const char *rvi_point_word(enum rvi_point what);
