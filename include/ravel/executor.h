/* SPDX-License-Identifier: MIT */
/* executor.h - where jobs run; the program text stays the same on every tier.
 *
 *     rv_executor *ex;
 *     int r = rv_executor_open(&ex, "threads:4", NULL);
 *     if (r < 0)
 *         return r;
 *     rv_future *f = NULL;
 *     struct rv_outcome outcome;
 *     struct count count;
 *     r = rv_submit(ex, &f, count_words, &chunk, RV_NEVER);
 *     if (r == 0)
 *         r = rv_future_get(f, &count, &outcome, rv_after(RV_SECOND));
 *     f = rv_future_free(f);
 *     int closed = rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER);
 *     return r < 0 ? r : closed;
 */
#pragma once

#include <ravel/def.h>
#include <ravel/future.h>
#include <ravel/job.h>
#include <ravel/time.h>

RV_BEGIN_DECLS

/** A place where jobs run, and the backlog of those that wait for their turn. */
typedef struct rv_executor rv_executor;

/** How an executor is set up. Zeroed fields mean the default. */
struct rv_executor_opts {
    size_t size;         /* sizeof(struct rv_executor_opts); 0: the first release's fields */
    size_t backlog;      /* jobs that may wait for their turn before rv_submit waits; 0: four a
                            worker, at least 16 */
    rv_time job_timeout; /* nanoseconds that one job may run; 0: no limit. When they are over, it is
                            asked to stop as by rv_future_cancel ("inline" cannot ask); whenever it
                            then ends, its outcome is RV_OUTCOME_TIMEOUT. */
    int isolated;        /* for "auto": jobs must not share the caller's memory */
    unsigned retries;    /* how often an RV_JOB_IDEMPOTENT() whose process died is run again; 0:
                            never. One that has killed them all is set aside: a line on stderr
                            names it, and its outcome is that of the last death. */
    const struct rv_process_opts *process; /* for "processes": how its workers are started, what
                                              they may do; NULL: the defaults */
    const struct rv_cluster_opts *cluster; /* for "cluster": who one is there, how long is waited
                                              for what; NULL: the defaults */
};

/** Open an executor.
 *
 *  - "inline": in the caller, at rv_submit
 *  - "tasks", "tasks:N": as tasks of the calling task's runtime, at most N at a time (default: four
 *    a worker). It is a scope of the calling task: closed by the same task, innermost first, and
 *    cancelled with the scopes around it.
 *  - "threads", "threads:N": on at most N threads of their own (default: usable cores), started as
 *    they are needed
 *  - "processes", "processes:N": in at most N processes of their own (default: usable cores), which
 *    are this program started again; started as they are needed, and anew when one has died. A job
 *    is found there by its name; its input and result are copied. What crashes, crashes alone, and
 *    what is to stop and does not, is killed.
 *  - "cluster:nats://host:4222/pool": by workers of a cluster's pool, which are this program
 *    started on other machines, or on this one (cluster.h); "cluster" alone: the one that
 *    RAVEL_CLUSTER names. Input and result travel as bytes. A job whose worker dies is run again if
 *    it is idempotent, and lost if not.
 *  - "auto": RAVEL_CLUSTER in the environment of no worker process: cluster. Isolated: processes.
 *    One usable core and a runtime: tasks. Otherwise threads. rv_executor_choice says what was
 *    chosen and why.
 *
 * @param ret   the executor
 * @param spec  as above
 * @param opts  NULL for the defaults; read before return
 * @return 0
 * Errors:  -EINVAL no such tier, N is no number from 1 to 65536, or job_timeout is negative; -EPERM
 *          "tasks" outside a task; -ELOOP "processes" in a worker process three deep; -EOPNOTSUPP
 *          "processes" in a program that cannot be started again, or a simulation; -E2BIG unknown
 *          fields; -EAGAIN no thread or process could be started; -ESTALE the program's or the
 *          library's file is not the one that runs here; -ETIME a process did not come up; -EMFILE,
 *          -ENFILE; -ECANCELED "tasks" in a cancelled scope; -ENOMEM. "cluster", whose
 *          rv_cluster_opts.words say more: -EINVAL no address, or of no pool; -EPROTONOSUPPORT no
 *          engine for it in this build; -ECONNREFUSED, -EHOSTUNREACH, -ETIME it is not there;
 *          -EACCES it knows us not; -EPROTO it is too old, or keeps nothing; -ENOSPC it has no room
 * Blocks:  "tasks": the task, until the first of its tasks has begun; "processes": the task, until
 *          the first processes are ready; "cluster": the task, until the engine has answered;
 *          otherwise no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: until rv_executor_close */
RV_API RV_NODISCARD int rv_executor_open(rv_executor **ret, const char *spec,
                                         const struct rv_executor_opts *opts);

/** What happens to jobs that have not ended when an executor closes. */
enum rv_close_mode {
    RV_CLOSE_WAIT,   /* all are run */
    RV_CLOSE_CANCEL, /* those that wait are cancelled, those that run are asked to stop */
};

/** Close an executor: refuse new jobs, deal with the old ones, wait until none is running.
 *
 * @param ex        NULL does nothing
 * @param mode      see enum rv_close_mode
 * @param deadline  when waiting turns into cancelling; RV_NEVER: it does not. So does cancellation
 *                  of the caller's scope. Jobs that run are waited for all the same: nobody can
 *                  kill a task or a thread; a process is killed after its graces.
 * @return 0 all jobs ended by themselves
 * Errors:  -ECANCELED some were cancelled here; -ETIME the same because of the deadline; -ENOMEM
 *          the same because there was no room for the timer; of "tasks": -EPERM another task has
 *          opened it, -EINVAL a scope opened after it is still open (in both cases nothing has
 *          happened)
 * Blocks:  the task, never its thread; a plain thread itself
 * Threads: whoever opened it; nobody may be submitting but its jobs, which get -EPIPE. Called by
 *          one of its own jobs it is a misuse that stops the program ("tasks": -EPERM).
 * Lifetime: ends it, unless -EPERM or -EINVAL; futures stay readable */
RV_API RV_NODISCARD int rv_executor_close(rv_executor *ex, enum rv_close_mode mode,
                                          rv_time deadline);

/** What an executor runs on and why, for people.
 *
 * @param ex  an open executor
 * @return such as "threads:2 (auto: 2 usable cores)"
 * Errors:  none
 * Blocks:  no
 * Threads: any
 * Lifetime: the executor's */
RV_API const char *rv_executor_choice(const rv_executor *ex);

/** How many jobs an executor runs at one time.
 *
 * @param ex  an open executor
 * @return at least 1; of a cluster, how many its engine has at one time (rv_cluster_opts.window)
 * Errors:  none
 * Blocks:  no
 * Threads: any
 * Lifetime: nothing is held */
RV_API unsigned rv_executor_width(const rv_executor *ex);

/** Hand a job over: rv_submit(ex, &future, count_words, &chunk, deadline). The input's type is
 * checked.
 *
 * @param fn  the function that RV_JOB() registered */
#define rv_submit(ex, ret, fn, in, deadline)                                                       \
    rv_submit_job((ex), (ret), &rv_job_##fn, (1 ? (in) : (const rv_job_in_##fn *)0), (deadline))

/** Hand a registered job over as bytes: what rv_submit() calls.
 *
 * @param ex        an open executor
 * @param ret       the future; free it with rv_future_free
 * @param job       a registered job
 * @param in        copied: job->in_bytes bytes
 * @param deadline  bounds the wait for room in the backlog, or RV_NEVER
 * @return 0; the job will have an outcome. On error it was not handed over.
 * Errors:  -EPIPE the executor is closing; -ETIME deadline; -ECANCELED the caller's scope, or the
 *          one around a "tasks" executor, is cancelled; -EINVAL "processes", "cluster": the job
 *          is not registered; "cluster": the error with which its engine has sent us away for good;
 *          -ENOMEM
 * Blocks:  the task, never its thread, while the backlog is full; a plain thread itself; "inline"
 *          runs the job
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: in until return */
RV_API RV_NODISCARD int rv_submit_job(rv_executor *ex, rv_future **ret, const struct rv_job *job,
                                      const void *in, rv_time deadline);

/** Which of the jobs that wait for their turn is first: one of a higher lane; of one lane, who came
 * first. A job that runs is left alone. */
enum rv_lane {
    RV_LANE_NORMAL, /* rv_submit's */
    RV_LANE_HIGH,   /* before all others */
    RV_LANE_LOW,    /* when nothing else waits */
};

/** How one job is handed over. Zeroed fields mean the default. */
struct rv_submit_opts {
    size_t size;        /* sizeof(struct rv_submit_opts); 0: the first release's fields */
    enum rv_lane lane;  /* its place among those that wait */
    rv_time not_before; /* absolute monotonic nanoseconds: it does not begin earlier; 0: at once.
                           Until then it takes up room in the backlog, and no place in a lane. */
    rv_time deadline;   /* absolute monotonic nanoseconds: when its time is over; 0 or RV_NEVER: it
                           never is. If it has not begun by then it never will; if it runs it is
                           asked to stop as by rv_future_cancel ("inline" cannot ask). Its outcome
                           is RV_OUTCOME_TIMEOUT, either way. */
};

/** Hand a job over with options of its own:
 * rv_submit_with(ex, &future, count_words, &chunk, &(struct rv_submit_opts){.lane = RV_LANE_HIGH},
 * deadline). The input's type is checked.
 *
 * @param fn  the function that RV_JOB() registered */
#define rv_submit_with(ex, ret, fn, in, opts, deadline)                                            \
    rv_submit_job_with((ex), (ret), &rv_job_##fn, (1 ? (in) : (const rv_job_in_##fn *)0), (opts),  \
                       (deadline))

/** Hand a registered job over as bytes, with options of its own: what rv_submit_with() calls.
 *
 * @param ex        an open executor
 * @param ret       the future; free it with rv_future_free
 * @param job       a registered job
 * @param in        copied: job->in_bytes bytes
 * @param opts      read before return; NULL is the same as rv_submit_job
 * @param deadline  bounds the wait for room in the backlog, or RV_NEVER
 * @return 0; the job will have an outcome. On error it was not handed over.
 * Errors:  -EINVAL no such lane, a time is negative; -E2BIG unknown fields; -EAGAIN no thread could
 *          be started that keeps the time; those of rv_submit_job
 * Blocks:  as rv_submit_job; "inline" also until the job may begin
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: in and opts until return */
RV_API RV_NODISCARD int rv_submit_job_with(rv_executor *ex, rv_future **ret,
                                           const struct rv_job *job, const void *in,
                                           const struct rv_submit_opts *opts, rv_time deadline);

/** Run a job on every element of an array, a bounded number at a time, results in order:
 * rv_map(ex, count_words, chunks, n, counts, outcomes, deadline). The types are checked.
 *
 * @param fn  the function that RV_JOB() registered */
#define rv_map(ex, fn, in, n, out, outcomes, deadline)                                             \
    rv_map_job((ex), &rv_job_##fn, (1 ? (in) : (const rv_job_in_##fn *)0), (n),                    \
               (1 ? (out) : (rv_job_out_##fn *)0), (outcomes), (deadline))

/** Run a registered job on every element of an array of bytes: what rv_map() calls.
 *
 * Never more than the executor's width and backlog are in flight, whatever n is.
 *
 * @param ex        an open executor
 * @param job       a registered job
 * @param in        n inputs of job->in_bytes bytes, one behind the other
 * @param n         may be 0
 * @param out       n results of job->out_bytes bytes; untouched where the outcome is no value
 * @param outcomes  n of them; NULL: the first that is no value cancels the rest and becomes the
 *                  result
 * @param deadline  absolute monotonic nanoseconds, or RV_NEVER; bounds the whole map
 * @return 0; every outcome is there (with NULL: every one is a value)
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -EPIPE closing; -ENOMEM; with outcomes NULL
 *          the -errno of the lowest failing job, -ECANCELED, -ETIME, -ENOMEM or -EIO for the other
 *          kinds. On
 *          error all that was handed over has been cancelled and waited for; with outcomes, those
 *          not run say RV_OUTCOME_CANCELLED.
 * Blocks:  the task, never its thread; a plain thread itself
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: all arrays until return */
RV_API RV_NODISCARD int rv_map_job(rv_executor *ex, const struct rv_job *job, const void *in,
                                   size_t n, void *out, struct rv_outcome *outcomes,
                                   rv_time deadline);

/** What an executor has done so far. */
struct rv_executor_stats {
    size_t size;        /* sizeof(struct rv_executor_stats); in: what the caller knows */
    uint64_t submitted; /* jobs handed over */
    uint64_t ended;     /* of those, the ones with an outcome */
    uint64_t waiting;   /* in the backlog now */
    uint64_t running;   /* now */
    uint64_t deaths;    /* worker processes that ended without being asked to */
    uint64_t retried;   /* times that a job was run again after such a death */
    uint64_t poisoned;  /* jobs set aside after their last retry */
    uint64_t started;   /* worker processes, so far */
    uint64_t recycled;  /* of these, ended because they had done enough */
    rv_time away_ns;    /* for how long a cluster's engine has been away by now; 0: it is there */
};

/** Count an executor's jobs.
 *
 * @param ex     an open executor
 * @param stats  size set by the caller
 * @return 0
 * Errors:  -EINVAL stats->size is less than the first release's
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_executor_stats_read(rv_executor *ex, struct rv_executor_stats *stats);

RV_END_DECLS
