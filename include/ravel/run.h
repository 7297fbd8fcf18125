/* SPDX-License-Identifier: MIT */
/* run.h - entering and leaving the runtime. */
#pragma once

#include <ravel/def.h>
#include <ravel/time.h>

RV_BEGIN_DECLS

/** By what workers wait for input and output. */
enum rv_backend {
    RV_BACKEND_AUTO,  /* whichever does better: epoll, as measured so far */
    RV_BACKEND_URING, /* io_uring(7) */
    RV_BACKEND_EPOLL, /* epoll(7), and helper threads for files */
};

/** How the runtime is set up. Zeroed fields mean the default; the environment variable named beside
 * a field sets the default of programs that leave it zero. */
struct rv_run_opts {
    size_t size;        /* sizeof(struct rv_run_opts); 0 stands for the first release's fields */
    unsigned workers;   /* threads that run tasks; 0: usable cores, affinity and cgroup quota
                           respected (RAVEL_WORKERS: 1 to 1024) */
    size_t stack_bytes; /* usable bytes of a task's stack, rounded up to pages; 0: 64 KiB
                           (RAVEL_STACK: bytes, 16384 to 2^30) */
    size_t max_tasks;   /* stacks, and so tasks that may hold one at a time; each worker keeps up
                           to a twentieth of them idle: leave room for that; 0: as many as addresses
                           allow */
    rv_time stall_ns;   /* report tasks that hold their worker longer than this, once a second at
                           most: who, where, and what to call instead. The look is a signal,
                           SIGPROF, which ends a sleep(3) or poll(2) early. RV_NEVER: none; 0: 25 ms
                           if the library was built with its checks (debug_checks), else none
                           (RAVEL_STALL_MS: milliseconds, 0 to 2^31 - 1; 0: none) */
    int measure_stacks; /* paint stacks, so that rv_task_stack_used() can answer */
    int account;        /* keep times and counts of each task, for rv_task_stats_read(): a look at
                           the clock at each switch, and 64 bytes a task (RAVEL_ACCOUNT) */
    size_t trace;       /* events of each worker to keep, the last ones; 0: none. 24 bytes each
                           (RAVEL_TRACE). RAVEL_RECORD is what `ravel trace` sets for its
                           program */
    int no_quit_dump;   /* leave SIGQUIT alone: no dump of all tasks then, see inspect.h
                           (RAVEL_DUMP: 0) */
    int no_interrupt;   /* leave SIGINT alone: else, where the program has left it at its default,
                           the first cancels the first task, see signal.h */
    enum rv_backend backend; /* for input and output (RAVEL_BACKEND: auto, uring or epoll) */
};

/** Run `entry` as the first task and everything that it starts; return when it has returned.
 *
 * The calling thread becomes the first worker and gets its own life back afterwards. Scopes own
 * tasks, so nothing is still running when this returns; what was printed (print.h) is written.
 *
 * @param entry  the first task
 * @param arg    handed to entry
 * @param opts   NULL for the defaults; read before the first task starts
 * @return what entry returned
 * Errors:  -EINVAL opts out of range or a RAVEL_ variable that is no number (one line on stderr
 *          says which); -E2BIG opts has fields this library does not know; -EBUSY called from a
 *          task; -ENOMEM no memory or address space for stacks; -EAGAIN no thread could be started;
 *          -ENOSPC more than 16 runtimes at once; -ENOSYS, -EPERM, -EMFILE io_uring was asked for
 *          by `backend` and is not there (a line on stderr says so); others from asking for the
 *          thread's stack
 * Blocks:  the calling thread, until entry has returned and what was printed is written
 * Threads: plain threads; several may each have a runtime of their own; not signal handlers
 * Lifetime: arg and opts until return */
RV_API RV_NODISCARD int rv_run(rv_fn *entry, void *arg, const struct rv_run_opts *opts);

/** How many workers the runtime of the calling task has.
 *
 * @return at least 1; 0 when the caller is no task
 * Errors:  none
 * Blocks:  no
 * Threads: any
 * Lifetime: nothing is held */
RV_API unsigned rv_run_workers(void);

/** By what the calling task's worker waits for input and output.
 *
 * @return RV_BACKEND_URING or RV_BACKEND_EPOLL
 * Errors:  -EPERM the caller is no task; -ENOMEM, -EMFILE, -ENFILE it could not be set up, which
 *          happens at a worker's first wait otherwise
 * Blocks:  no
 * Threads: any
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_run_backend(void);

/** What the runtime has done since it started, summed over its workers. */
struct rv_run_stats {
    size_t size;       /* sizeof(struct rv_run_stats); in: what the caller knows */
    uint64_t spawned;  /* tasks started, the first one included */
    uint64_t finished; /* of those, the ones that have returned */
    uint64_t switches; /* changes from one task to another */
    uint64_t stolen;   /* tasks that began on another worker than the one they were spawned on */
    uint64_t sleeps;   /* times a worker found nothing to do and gave its core back */
    uint64_t stacks;   /* stacks made so far */
    uint64_t stalls;   /* times the stall watch noticed one */
};

/** Read the counters of the calling task's runtime.
 *
 * @param stats  size set by the caller; other workers' counts may be a moment old
 * @return 0
 * Errors:  -EPERM the caller is no task; -EINVAL stats->size is too small
 * Blocks:  no
 * Threads: any task
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_run_stats_read(struct rv_run_stats *stats);

/** The library's version, "major.minor.patch".
 *
 * @return a static string
 * Errors:  none
 * Blocks:  no
 * Threads: any; signal handlers too
 * Lifetime: the program's */
RV_API const char *rv_version(void);

RV_END_DECLS
