/* SPDX-License-Identifier: MIT */
/* strand.h - jobs that run one after another, in the order in which they were posted, on whatever
 * worker: what only such jobs touch needs no lock.
 *
 *     int err, r;
 *     RV_SCOPE (s, err) {
 *         rv_strand *journal;
 *         r = rv_strand_open(&journal, s, NULL);
 *         if (r == 0) {
 *             r = rv_strand_post(journal, append, &entry, RV_NEVER);
 *             int closed = rv_strand_close(journal); // all that was posted has been run
 *             r = r < 0 ? r : closed;
 *         }
 *     }
 *
 * A strand has no task of its own while nothing is posted; the jobs of one busy spell share one,
 * which belongs to the strand's scope. The name is that of Boost.Asio's strands (C. Kohlhoff). */
#pragma once

#include <ravel/def.h>
#include <ravel/scope.h>
#include <ravel/time.h>

RV_BEGIN_DECLS

/** A serial order among jobs. */
typedef struct rv_strand rv_strand;

/** How a strand is made. Zeroed fields mean the default. */
struct rv_strand_opts {
    size_t size;     /* sizeof(struct rv_strand_opts); 0: the first release's fields */
    size_t capacity; /* posted jobs that wait, beyond which posting waits; 0: 128 */
};

/** Make a strand whose jobs belong to a scope.
 *
 * A job that was posted counts like a task of the scope: its failure means what the scope's policy
 * says. When the scope is cancelled the running job ends as every task does, and the jobs that wait
 * are dropped: they are not run.
 *
 * @param ret    the strand
 * @param scope  open, and stays so until rv_strand_close; without a limit (a strand is one task at
 *               a time) and not with the policy RV_FIRST_SUCCESS
 * @param opts   NULL for the defaults; read before return
 * @return 0
 * Errors:  -EINVAL the scope has a limit or that policy; -EOVERFLOW capacity is more than an
 *          address can count; -E2BIG unknown fields; -ENOMEM
 * Blocks:  no
 * Threads: whoever may start tasks in the scope
 * Lifetime: until rv_strand_close */
RV_API RV_NODISCARD int rv_strand_open(rv_strand **ret, rv_scope *scope,
                                       const struct rv_strand_opts *opts);

/** Post a job, waiting while as many wait as the strand's capacity says.
 *
 * @param strand    the strand
 * @param fn        runs after all jobs posted before, in a task of the strand's scope that has no
 *                  task-local values
 * @param arg       handed to fn
 * @param deadline  absolute monotonic nanoseconds, or RV_NEVER
 * @return 0; fn will run once, unless the scope is cancelled first or no task can be had for the
 *         strand (the scope hears of that as -ENOMEM)
 * Errors:  fn will not run: -EPIPE closing; -EDEADLK full, and the caller is the strand's own job;
 *          -ECANCELED the strand's or the caller's scope is cancelled; -ETIME deadline; -ENOMEM no
 *          memory for the strand's task, or for the timer
 * Blocks:  the task, never its thread; a plain thread itself
 * Threads: any task of any worker, the strand's jobs included, plain threads; not signal handlers
 * Lifetime: keep strand until return, arg until fn has returned or the strand is closed */
RV_API RV_NODISCARD int rv_strand_post(rv_strand *strand, rv_fn *fn, void *arg, rv_time deadline);

/** Post a job if that needs no waiting.
 *
 * @param strand  the strand
 * @param fn      as for rv_strand_post
 * @param arg     handed to fn
 * @return 0, as for rv_strand_post
 * Errors:  fn will not run: -EAGAIN full; -EPIPE closing; -ECANCELED the strand's scope is
 *          cancelled; -ENOMEM no memory for the strand's task
 * Blocks:  no
 * Threads: any task of any worker, the strand's jobs included, plain threads; not signal handlers
 * Lifetime: as for rv_strand_post */
RV_API RV_NODISCARD int rv_strand_try_post(rv_strand *strand, rv_fn *fn, void *arg);

/** Run a job in its turn and wait for its end.
 *
 * It takes no room from posted jobs. Its outcome is the caller's business: the scope does not
 * hear of it.
 *
 * @param strand      the strand; from one of its own jobs it is a misuse that stops the program
 * @param fn          as for rv_strand_post
 * @param arg         handed to fn
 * @param ret_result  receives what fn returned; NULL: it is not wanted; untouched on error
 * @param deadline    until when fn has to begin; absolute monotonic nanoseconds, or RV_NEVER. Once
 *                    it has begun its end is waited for, whatever comes
 * @return 0; fn has run
 * Errors:  fn has not run and will not: -EPIPE closing; -ETIME deadline; -ECANCELED the strand's or
 *          the caller's scope is cancelled; -ENOMEM no memory or stack for the strand's task, or no
 *          room for the timer
 * Blocks:  the task, never its thread; a plain thread itself
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: keep strand until return; arg is the caller's again then */
RV_API RV_NODISCARD int rv_strand_run(rv_strand *strand, rv_fn *fn, void *arg, int *ret_result,
                                      rv_time deadline);

/** What a strand has done so far. */
struct rv_strand_stats {
    size_t size;      /* sizeof(struct rv_strand_stats); in: what the caller knows */
    uint64_t run;     /* jobs that have begun */
    uint64_t dropped; /* posted jobs that were not run */
    size_t waiting;   /* jobs that have not begun */
};

/** Count a strand's jobs.
 *
 * @param strand  the strand
 * @param stats   size set by the caller; others may change the truth at once
 * @return 0
 * Errors:  -EINVAL stats->size is too small
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_strand_stats_read(rv_strand *strand, struct rv_strand_stats *stats);

/** Take no more jobs, wait until those that are there have been run or dropped, and free it.
 *
 * @param strand  gone afterwards, whatever is returned; NULL does nothing; from one of its own jobs
 *                it is a misuse that stops the program
 * @return 0 every posted job has been run
 * Errors:  why posted jobs were dropped, the first time: -ECANCELED the scope was cancelled;
 *          -ENOMEM no task could be had for them
 * Blocks:  the task, never its thread; a plain thread itself. Cancellation reaches the jobs waited
 *          for, not the wait
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: ends the strand; nobody else may be using it */
RV_API RV_NODISCARD int rv_strand_close(rv_strand *strand);

RV_END_DECLS
