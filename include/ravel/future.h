/* SPDX-License-Identifier: MIT */
/* future.h - what has been handed over, and what has come of it.
 *
 * Two facts are never mixed: how the wait went (the function's result), and how the job went (its
 * struct rv_outcome). */
#pragma once

#include <ravel/def.h>
#include <ravel/time.h>

RV_BEGIN_DECLS

/** A job that has been handed over, and the room for its result. */
typedef struct rv_future rv_future;

/** How a job ended. SIGNAL, LOST and MEMORY come from worker processes and clusters alone: what
 * runs inside this program cannot be killed. */
enum rv_outcome_kind {
    RV_OUTCOME_VALUE,     /* it returned 0; its result can be read */
    RV_OUTCOME_ERROR,     /* it returned -errno: outcome.error */
    RV_OUTCOME_SIGNAL,    /* its process was killed by outcome.signal while it ran */
    RV_OUTCOME_LOST,      /* its worker is gone, what became of it cannot be known */
    RV_OUTCOME_CANCELLED, /* it was cancelled before it ended */
    RV_OUTCOME_TIMEOUT,   /* it had not ended when its time was over */
    RV_OUTCOME_MEMORY,    /* its process was killed for having more memory than it may */
};

/** How a job ended, and how long it took. */
struct rv_outcome {
    enum rv_outcome_kind kind; /* says which of the next two means something */
    int error;                 /* -errno with RV_OUTCOME_ERROR, else 0 */
    int signal;                /* with RV_OUTCOME_SIGNAL, else 0 */
    rv_time queued_ns; /* from submission to its start, or to its end when it never started */
    rv_time run_ns;    /* from its start to its end; 0 when it never started */
    unsigned deaths;   /* worker processes that died while they ran it */
};

/** One word for an outcome's kind.
 *
 * @param kind  any value
 * @return a static string such as "value"; "unknown" for what is no kind
 * Errors:  none
 * Blocks:  no
 * Threads: any; signal handlers too
 * Lifetime: static */
RV_API const char *rv_outcome_word(enum rv_outcome_kind kind);

/** Wait until a future's job has ended, however.
 *
 * @param f         the future
 * @param deadline  absolute monotonic nanoseconds, or RV_NEVER
 * @return 0 it has ended
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled, even if the job has ended; -ENOMEM no room
 *          for the timer
 * Blocks:  the task, never its thread; a plain thread itself
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: keep f until return */
RV_API RV_NODISCARD int rv_future_wait(rv_future *f, rv_time deadline);

/** Wait for a job's end and read how it went.
 *
 * @param f            the future
 * @param ret_value    receives the job's result when the outcome is RV_OUTCOME_VALUE, else
 *                     untouched; NULL when it is not wanted
 * @param ret_outcome  receives the outcome; untouched on error
 * @param deadline     absolute monotonic nanoseconds, or RV_NEVER
 * @return 0 the job has ended and *ret_outcome says how
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled, even if the job has ended; -ENOMEM no room
 *          for the timer
 * Blocks:  the task, never its thread; a plain thread itself
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: keep f until return; it can be read again */
RV_API RV_NODISCARD int rv_future_get(rv_future *f, void *ret_value, struct rv_outcome *ret_outcome,
                                      rv_time deadline);

/** Whether a future's job has ended.
 *
 * @param f  the future
 * @return 1 or 0
 * Errors:  none
 * Blocks:  no
 * Threads: any
 * Lifetime: nothing is held */
RV_API int rv_future_is_done(rv_future *f);

/** Ask for a job's end. One that has not begun never will; one that runs sees rv_cancelled(), and
 * as a task its blocking calls fail; what cannot be interrupted runs to its end.
 *
 * The outcome is RV_OUTCOME_CANCELLED when the job then returns what rv_cancelled() said, or
 * -ECANCELED. Otherwise it has ended by itself, or by its time limit. One that runs in a worker
 * process and goes on is ended with it, by SIGTERM and then by SIGKILL, each after a grace
 * (struct rv_process_opts): that is RV_OUTCOME_CANCELLED too.
 *
 * @param f  the future; cancelling twice is the same as once
 * Errors:  none
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: nothing is held */
RV_API void rv_future_cancel(rv_future *f);

/** What the worker process that died while it ran a job had written to its standard error last; of
 * a cluster also, in words, why it could not run a job.
 *
 * @param f    the future; before its end, and where no process died, there is nothing
 * @param buf  receives the last of it that fits, with a NUL behind; NULL if n is 0
 * @param n    room in buf
 * @return how many bytes there are, without the NUL: at most some thousand are kept
 * Errors:  none
 * Blocks:  no
 * Threads: any
 * Lifetime: buf until return */
RV_API size_t rv_future_last_words(rv_future *f, char *buf, size_t n);

/** Read the newest note of a job about its progress (rv_job_progress) that was not read before,
 * waiting for one. The last is there to be read when the job has ended, too.
 *
 *     int percent;
 *     while (rv_future_progress(f, &percent, sizeof(percent), RV_NEVER) == sizeof(percent))
 *         printf("%d %%\n", percent);
 *     // -EPIPE: it has ended, rv_future_get says how
 *
 * @param f         the future
 * @param ret_note  receives the note, as much of it as fits; untouched on error
 * @param most      room in ret_note
 * @param deadline  absolute monotonic nanoseconds, or RV_NEVER; 0: only look
 * @return how long the note is, at most RV_PROGRESS_MOST
 * Errors:  -EPIPE the job has ended, and no note is left; -ETIME deadline; -ECANCELED scope
 *          cancelled; -ENOMEM
 * Blocks:  the task, never its thread; a plain thread itself
 * Threads: any task of any worker, plain threads; not signal handlers. Of several who ask, one gets
 *          a note.
 * Lifetime: keep f until return */
RV_API RV_NODISCARD long rv_future_progress(rv_future *f, void *ret_note, size_t most,
                                            rv_time deadline);

/** Let go of a future. The job is not cancelled by it; its result is dropped.
 *
 * @param f  NULL does nothing; nobody may be waiting on it
 * @return NULL
 * Errors:  none
 * Blocks:  no
 * Threads: any
 * Lifetime: ends it */
RV_API rv_future *rv_future_free(rv_future *f);

/** What rv_wait waits for. */
enum rv_wait_mode {
    RV_ALL,         /* every job has ended */
    RV_ANY,         /* at least one has */
    RV_FIRST_ERROR, /* one has ended otherwise than with a value, or all have ended */
};

/** Wait for several futures.
 *
 * @param futures   n of them, none NULL
 * @param n         at least 1 for RV_ANY
 * @param mode      see enum rv_wait_mode
 * @param deadline  absolute monotonic nanoseconds, or RV_NEVER
 * @return RV_ALL: n. RV_ANY: the lowest index that has ended. RV_FIRST_ERROR: the lowest index that
 *         ended otherwise than with a value, or n when none did.
 * Errors:  -EINVAL no such mode, or RV_ANY of none; -EOVERFLOW n is beyond LONG_MAX; -ETIME
 *          deadline; -ECANCELED scope cancelled; -ENOMEM
 * Blocks:  the task, never its thread; a plain thread itself
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: keep all until return */
RV_API RV_NODISCARD long rv_wait(rv_future *const *futures, size_t n, enum rv_wait_mode mode,
                                 rv_time deadline);

/** Futures in the order in which they end. */
typedef struct rv_completions rv_completions;

/** Begin to take futures in the order in which their jobs end.
 *
 * @param ret      the iteration
 * @param futures  n of them, none NULL; the array is copied
 * @param n        may be 0
 * @return 0
 * Errors:  -ENOMEM
 * Blocks:  no
 * Threads: any
 * Lifetime: keep each future until it has been given, or until rv_completions_free */
RV_API RV_NODISCARD int rv_as_completed(rv_completions **ret, rv_future *const *futures, size_t n);

/** The next future whose job has ended.
 *
 * @param it         the iteration
 * @param ret_index  its index in the array
 * @param deadline   absolute monotonic nanoseconds, or RV_NEVER
 * @return 0
 * Errors:  -ENOENT all have been given; -ETIME deadline; -ECANCELED scope cancelled; -ENOMEM no
 *          room for the timer
 * Blocks:  the task, never its thread; a plain thread itself
 * Threads: one at a time
 * Lifetime: keep it until return */
RV_API RV_NODISCARD int rv_completions_next(rv_completions *it, size_t *ret_index,
                                            rv_time deadline);

/** End the iteration; the futures stay the caller's.
 *
 * @param it  NULL does nothing
 * @return NULL
 * Errors:  none
 * Blocks:  no
 * Threads: one at a time
 * Lifetime: ends it */
RV_API rv_completions *rv_completions_free(rv_completions *it);

RV_END_DECLS
