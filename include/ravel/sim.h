/* SPDX-License-Identifier: MIT */
/* sim.h - run a program under simulation: one thread, virtual time, an order of events that a seed
 * decides and that can be had again.
 *
 * The same program text as under rv_run(), with the same runtime inside: its workers, helpers and
 * the threads of its executors take turns on the calling thread, changing wherever the kernel could
 * have. A sleep of an hour takes no time. What goes wrong for one seed goes wrong for it each time:
 * the failing seed is printed, also when the program dies, and RAVEL_SEED replays it.
 *
 * Sockets, pairs and pipes are simulated, too: rv_dial() reaches what rv_listen() listens at in the
 * same run, over a network that takes virtual time, holds little, does calls in part, and fails as
 * often as asked. Datagrams, files, children and descriptors from elsewhere are not: -ENOTSUP.
 *
 * A program is replayed as far as it is decided by the runtime: one that asks the kernel for the
 * time or for random numbers, or lets something outside (a real thread, a file) decide, is on its
 * own there. Signal handlers on the simulating thread call nothing of this library. Orders are
 * sequentially consistent; effects of weaker memory are not simulated. */
#pragma once

#include <ravel/def.h>
#include <ravel/time.h>

RV_BEGIN_DECLS

/** How the next one to run is chosen. */
enum rv_sim_strategy {
    RV_SIM_MIXED,       /* each seed draws one of the two, and the depth */
    RV_SIM_RANDOM_WALK, /* at each step everybody who can run is equally likely */
    RV_SIM_PCT,         /* random priorities, changed depth - 1 times (Burckhardt et al. 2010) */
};

/** One step of a simulated run. */
struct rv_sim_event {
    size_t size;             /* sizeof(struct rv_sim_event) */
    uint64_t step;           /* counted from 1 */
    rv_time now;             /* the virtual time */
    unsigned thread;         /* which of the runtime's threads, in the order of their start */
    const char *thread_name; /* what it is for */
    uint64_t task;           /* that it runs; 0: none */
    const char *task_name;   /* "" for none */
    const char *what;        /* it has come to, in a word */
};

/** How to simulate. Zeroed fields mean the default. */
struct rv_sim_opts {
    size_t size;   /* sizeof(struct rv_sim_opts); 0 stands for the first release's fields */
    uint64_t seed; /* of the run; of the first one for rv_sim_explore() */
    enum rv_sim_strategy strategy; /* how the next one to run is chosen */
    unsigned depth; /* for PCT: how many orderings a bug may need, 1 to 16; 0: 3. Mixed: the most */
    uint64_t length;  /* for PCT: steps that a run takes, about; 0: 1000 for rv_sim_run(), measured
                        by rv_sim_explore() */
    uint64_t steps;   /* more than these are reported as -ELOOP; 0: a million */
    uint64_t seeds;   /* rv_sim_explore(): how many to try; 0: 100 */
    unsigned workers; /* 0: two or three, drawn from the seed */
    size_t stack_bytes; /* of a task: as in struct rv_run_opts (RAVEL_STACK) */
    rv_time step_ns;    /* virtual time goes on by 1 to twice this at each step; 0: 100 */
    int quiet;          /* do not print what failed and how, unless the process dies of it */
    void (*event)(void *arg, const struct rv_sim_event *event); /* called at each step, or NULL; it
                        must not block. RAVEL_SIM_LOG names a file to which each step is
                        appended as a line of text. */
    void *event_arg;                                            /* handed to event */
    rv_time net_latency_ns;   /* what is sent takes as long as this, to twice; 0: 50 microseconds */
    size_t net_buffer_bytes;  /* one direction of a connection holds; 0: 4096 */
    unsigned net_descriptors; /* at a time; beyond it -EMFILE; 0: 1024 */
    unsigned net_lose_ppm;    /* of a million sends, those lost and sent again, 200 ms later */
    unsigned net_reset_ppm; /* of a million sends and accepts, those that find a torn connection */
    unsigned net_silence_ppm; /* of a million sends, those after which nothing arrives any more */
    unsigned net_refuse_ppm;  /* of a million connects, those that are refused */
};

/** What came out of rv_sim_explore(). */
struct rv_sim_result {
    size_t size;          /* sizeof(struct rv_sim_result); in: what the caller knows */
    uint64_t runs;        /* that were made */
    uint64_t steps;       /* of all runs */
    uint64_t seed;        /* of the last run, which is the failing one if any is */
    uint64_t digest;      /* of the last run's events: equal for equal runs */
    rv_time elapsed;      /* virtual time that the last run took */
    char replay[64];      /* of the last run: what to set RAVEL_SEED to */
    unsigned descriptors; /* that the last run left open */
};

/** Run `entry` as the first task of a simulated runtime, until it has returned.
 *
 * Where RAVEL_SEED is set, it decides seed, strategy and workers instead of opts.
 *
 * When nobody can run and no timer is armed, every waiting task is listed on standard error: its
 * name, where it was started, what it waits for, and where (as far as backtraces can tell). Then
 * the first task is cancelled, so that the program can take itself down, and the result is
 * -EDEADLK. Too many steps likewise give -ELOOP. A program that does not come to its end by that
 * stops the process.
 *
 * @param entry  the first task
 * @param arg    handed to entry
 * @param opts   NULL for the defaults
 * @return what entry returned
 * Errors:  -EDEADLK, -ELOOP see above; -EINVAL opts out of range or RAVEL_SEED not understood (one
 *          line on stderr says which); -E2BIG opts has fields this library does not know; -EBUSY
 *          called from a task or inside a simulation; -EIO or what fopen() says RAVEL_SIM_LOG
 *          cannot be written; as rv_run() for memory, threads and stacks
 * Blocks:  the calling thread, until entry has returned
 * Threads: plain threads; several may each simulate; not signal handlers
 * Lifetime: arg and opts until return */
RV_API RV_NODISCARD int rv_sim_run(rv_fn *entry, void *arg, const struct rv_sim_opts *opts);

/** Run `entry` under one seed after the other, until one fails: returns something below 0.
 *
 * Each run starts anew: `entry` has to make all that it uses. Where RAVEL_SEED is set, only that
 * run is made.
 *
 * @param entry   the first task of each run
 * @param arg     handed to entry
 * @param opts    NULL for the defaults
 * @param result  filled in, size set by the caller; may be NULL
 * @return 0 when no seed failed; otherwise what the failing run returned
 * Errors:  as rv_sim_run(); whatever entry fails with
 * Blocks:  the calling thread, until all runs have been made
 * Threads: plain threads; several may each simulate; not signal handlers
 * Lifetime: arg, opts and result until return
 * Source:  Burckhardt, Kothari, Musuvathi and Nagarakatte, "A randomized scheduler with
 *          probabilistic guarantees of finding bugs", ASPLOS 2010 */
RV_API RV_NODISCARD int rv_sim_explore(rv_fn *entry, void *arg, const struct rv_sim_opts *opts,
                                       struct rv_sim_result *result);

RV_END_DECLS
