/* SPDX-License-Identifier: MIT */
/* job.h - a job is a typed function registered under its name, so that one rv_submit() reaches a
 * task, a thread, a process or another machine.
 *
 *     struct span { int first, last; };
 *     struct sum { long value; };
 *
 *     static int add_up(const struct span *in, struct sum *out)
 *     {
 *         for (int i = in->first; i <= in->last; i++)
 *             out->value += i;
 *         return 0;
 *     }
 *     RV_JOB(add_up, struct span, struct sum);
 *
 * Input and output travel as bytes: they hold no pointers to be followed elsewhere. */
#pragma once

#include <ravel/def.h>

RV_BEGIN_DECLS

/** What runs a job.
 *
 * @param in   the input, in_bytes of it
 * @param out  zeroed room for the result, out_bytes of it
 * @return 0 and the result is a value; or -errno, and it is that error */
typedef int rv_job_fn(const void *in, void *out);

/** What is known of a job beyond its type. */
enum rv_job_flag {
    RV_JOB_IS_IDEMPOTENT = 1, /* to run it twice does no more than to run it once */
};

/** A registered job; made by RV_JOB(). */
struct rv_job {
    const char *name;    /* the function's; unique in this executable */
    rv_job_fn *run;      /* calls the typed function */
    size_t in_bytes;     /* size of the input's type */
    size_t out_bytes;    /* size of the result's type */
    const char *file;    /* where RV_JOB() stands */
    unsigned line;       /* the line there */
    struct rv_job *next; /* the registry's */
    unsigned flags;      /* of enum rv_job_flag */
    uint64_t key;        /* the registry's: a hash of the name */
};

/** Add a job to this executable's registry; RV_JOB() does so before main.
 *
 * @param job  static
 * @return 0
 * Errors:  -EEXIST another job has that name: one line on stderr names both places
 * Blocks:  no
 * Threads: any
 * Lifetime: job for ever */
RV_API int rv_job_register(struct rv_job *job);

/** Find a job by its name.
 *
 * @param name  as in RV_JOB()
 * @return NULL when this executable has none
 * Errors:  none
 * Blocks:  no
 * Threads: any
 * Lifetime: static */
RV_API const struct rv_job *rv_job_find(const char *name);

/** Bytes of a note of progress, at most. */
enum {
    RV_PROGRESS_MOST = 1024, /* what rv_job_progress takes */
};

/** Say how far the calling job is, to who has submitted it: rv_future_progress. What is said last
 * counts; who is not listening misses what came before. A job that says nothing pays nothing.
 *
 * @param bytes  copied; of a meaning that the two agree on, and without pointers
 * @param count  at most RV_PROGRESS_MOST
 * @return 0
 * Errors:  -EPERM no job runs here; -EMSGSIZE count is too large; -ENOMEM
 * Blocks:  no
 * Threads: the task or plain thread that runs the job; in a worker process, all of it
 * Lifetime: bytes until return */
RV_API RV_NODISCARD int rv_job_progress(const void *bytes, size_t count);

/** Register `fn`, an `int fn(const in_type *, out_type *)`, as a job under its own name. At file
 * scope, in C. No type may need more than max_align_t's alignment. */
#define RV_JOB(fn, in_type, out_type) RV_JOB_WITH(fn, in_type, out_type, 0)

/** The same for a job that may be run again when the process that ran it has died, as often as its
 * executor retries: to run it twice, or once and a half, does no more than to run it once. */
#define RV_JOB_IDEMPOTENT(fn, in_type, out_type)                                                   \
    RV_JOB_WITH(fn, in_type, out_type, RV_JOB_IS_IDEMPOTENT)

/** What both are. */
#define RV_JOB_WITH(fn, in_type, out_type, flags)                                                  \
    typedef in_type rv_job_in_##fn;                                                                \
    typedef out_type rv_job_out_##fn;                                                              \
    _Static_assert(_Alignof(rv_job_in_##fn) <= _Alignof(max_align_t) &&                            \
                       _Alignof(rv_job_out_##fn) <= _Alignof(max_align_t),                         \
                   "the input or result of job " #fn " is aligned too strictly");                  \
    static int rv_job_run_##fn(const void *in, void *out)                                          \
    {                                                                                              \
        return fn((const rv_job_in_##fn *)in, (rv_job_out_##fn *)out);                             \
    }                                                                                              \
    static struct rv_job rv_job_##fn = {#fn,                                                       \
                                        rv_job_run_##fn,                                           \
                                        sizeof(rv_job_in_##fn),                                    \
                                        sizeof(rv_job_out_##fn),                                   \
                                        __FILE__,                                                  \
                                        __LINE__,                                                  \
                                        NULL,                                                      \
                                        (flags),                                                   \
                                        0};                                                        \
    __attribute__((constructor)) static void rv_job_register_##fn(void)                            \
    {                                                                                              \
        (void)rv_job_register(&rv_job_##fn);                                                       \
    }                                                                                              \
    struct rv_job

RV_END_DECLS
