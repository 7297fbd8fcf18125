/* SPDX-License-Identifier: MIT */
/* inspect.h - seeing inside a program that runs, or is stuck.
 *
 * SIGQUIT (ctrl-\ on a terminal) does the same as rv_dump(STDERR_FILENO), and the program goes on:
 * whenever a runtime runs and the program has left that signal at its default. */
#pragma once

#include <ravel/def.h>

RV_BEGIN_DECLS

/** Write what all tasks of all runtimes of this process are doing: as a tree of scopes, each task
 * with its state, what it waits for, since when and where, and its backtrace. Tasks of one scope
 * that wait alike are one entry with their number.
 *
 * The workers are held still while this looks, a second at most, and go on before anything is
 * written. A worker that a task does not let go is not waited for: then that task is named, with
 * where it is just now, and what hangs from that worker is left out.
 *
 * @param fd  where to; a text in lines
 * @return 0
 * Errors:  -ENOMEM; -EAGAIN a task called and no helper thread could be started; -ENOTSUP in a
 *          simulation; others from write(2)
 * Blocks:  the task, or the calling thread, until all is written; cancellation does not end it
 * Threads: any task, plain threads; not signal handlers
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_dump(int fd);

/** What a task has done and waited for. Times in nanoseconds. */
struct rv_task_stats {
    size_t size;         /* sizeof(struct rv_task_stats); in: what the caller knows */
    uint64_t parks;      /* voluntary switches: waits in which it gave its worker away */
    uint64_t wakes;      /* times it was made ready again after that, with reason or without */
    uint64_t yields;     /* involuntary switches: rv_yield() when others were ready */
    uint64_t migrations; /* and rv_migrate() to another worker */
    uint64_t run_ns;     /* time on a worker, up to this call */
    uint64_t queued_ns;  /* time in which it could have run: from its start to its beginning, from
                            each wake, yield or departure to the next turn */
};

/** Read the account of the calling task.
 *
 * A wait that is over before anybody else has run counts as a park and a wake; a wait for what is
 * there already is none. Time asleep or blocked is neither run_ns nor queued_ns.
 *
 * @param stats  size set by the caller
 * @return 0
 * Errors:  -EPERM the caller is no task; -ENOTSUP rv_run_opts.account was not set; -EINVAL
 *          stats->size is too small
 * Blocks:  no
 * Threads: any task
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_task_stats_read(struct rv_task_stats *stats);

/** What a worker has done. The last six are kept if rv_run_opts.account was set, the four counts
 * among them also if trace was, and are 0 otherwise. Times in nanoseconds. */
struct rv_worker_stats {
    size_t size;         /* sizeof(struct rv_worker_stats); in: what the caller knows */
    uint64_t spawned;    /* tasks started here */
    uint64_t finished;   /* tasks that have ended here */
    uint64_t switches;   /* changes from one task to another */
    uint64_t stolen;     /* tasks begun here that were started on another worker */
    uint64_t sleeps;     /* times there was nothing to do and the core was given back */
    uint64_t parks;      /* as in struct rv_task_stats, of the tasks that ran here; */
    uint64_t wakes;      /* those of tasks that have ended included */
    uint64_t yields;     /* as above */
    uint64_t migrations; /* of tasks that left for another worker */
    uint64_t run_ns;     /* time that tasks have run, up to the last switch */
    uint64_t queued_ns;  /* time that tasks which then ran here had been ready */
};

/** Read the counters of one worker of the calling task's runtime.
 *
 * @param worker  0 to rv_run_workers() - 1
 * @param stats   size set by the caller; another worker's counts may be a moment old
 * @return 0
 * Errors:  -EPERM the caller is no task; -EINVAL no such worker, or stats->size is too small
 * Blocks:  no
 * Threads: any task
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_worker_stats_read(unsigned worker, struct rv_worker_stats *stats);

RV_END_DECLS
