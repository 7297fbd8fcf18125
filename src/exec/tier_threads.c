/* SPDX-License-Identifier: MIT */
/* tier_threads.c - jobs run on threads of their own, for work that computes long or blocks its
 * thread.
 *
 * A thread is a runner. The first is started on opening, the others when a job finds none idle, so
 * that a wide executor with little to do stays small. They end when the executor closes.
 *
 * A job is asked to stop through a token that rv_cancelled() looks at; nobody can kill a thread.
 * One that does not look runs to its end and its outcome comes then: until that moment its thread
 * is taken, and to say otherwise would let more jobs run than the width allows, into memory that is
 * still being written.
 *
 * Time is kept by one more thread, from opening on if there is a limit for all jobs, or else from
 * the first job on that has times of its own. The limit runs out in the order of the starts, which
 * `running` is in already (B5), and so moves only away from who keeps time: a new job wakes him
 * only when he had nothing to wait for.
 *
 * Rejected: the limit in the heap of the jobs' own times (the order is known); a thread or a signal
 * a job; giving up on a thread that overstays and starting another in its place. */
#include "exec/executor.h"

#include <errno.h>
#include <pthread.h>

#include "base/alloc.h"
#include "base/check.h"
#include "sched/cancel.h"
#include "sys/clock.h"
#include "sys/thread.h"
#include "sys/topology.h"
#include "trace/recorder.h"

struct threads {
    struct rv_executor ex;

    /* Under ex.lock. */
    struct rvi_list threads;
    bool has_keeper; /* one of them keeps time */
};

/* One that runs jobs, or keeps time. */
struct member {
    struct rvi_link link;
    struct threads *pool;
    pthread_t thread;
};

static struct threads *pool_of(struct rv_executor *ex)
{
    return rvi_container_of(ex, struct threads, ex);
}

/* --- who keeps time --- */

static void *keep_time(void *arg)
{
    rvi_backlog_keep_time(&((struct member *)arg)->pool->ex);
    return NULL;
}

/* A job has begun. */
static void rouse_keeper(struct rv_executor *ex, const struct rv_future *f)
{
    struct rvi_link *wakes = NULL;
    bool biased = rvi_bias_lock(&ex->lock);

    rvi_backlog_hurry(ex, rvi_executor_limit(ex, f), &wakes);
    rvi_bias_unlock(&ex->lock, biased);
    rvi_chain_wake(wakes);
}

/* --- the runners --- */

static __attribute__((noinline, cold)) void run_recorded(struct rv_future *f,
                                                         struct rvi_cancel *token)
{
    int thread = rvi_thread_id();

    rvi_recorder_begin_job(thread, "thread", rvi_clock_now(), f->job->name);
    enum rv_outcome_kind kind = rvi_backlog_run(f, token);
    rvi_recorder_end_job(thread, "thread", rvi_clock_now(), kind, 0);
}

static void run(struct threads *pool, struct rv_future *f)
{
    struct rvi_cancel token = {0};

    if (pool->ex.job_timeout > 0)
        rouse_keeper(&pool->ex, f);
    rvi_cancel_of_thread_set(&token);
    if (rvi_unlikely(rvi_recorder_listens()))
        run_recorded(f, &token);
    else
        (void)rvi_backlog_run(f, &token);
    rvi_cancel_of_thread_set(NULL);
}

static void *serve(void *arg)
{
    struct threads *pool = ((struct member *)arg)->pool;
    struct rv_future *f;

    if (!rvi_backlog_enter(&pool->ex))
        return NULL;
    rvi_here.serving = &pool->ex;
    while ((f = rvi_backlog_next(&pool->ex, true)))
        run(pool, f);
    return NULL;
}

static int start_member(struct threads *pool, const char *name, void *(*fn)(void *arg))
{
    struct member *member = rvi_calloc(1, sizeof(*member));

    if (!member)
        return -ENOMEM;
    member->pool = pool;
    int r = rvi_thread_start(&member->thread, name, fn, member);
    if (r < 0) {
        rvi_free(member);
        return r;
    }
    bool biased = rvi_bias_lock(&pool->ex.lock);
    rvi_list_push_back(&pool->threads, &member->link);
    pool->has_keeper = pool->has_keeper || fn == keep_time;
    rvi_bias_unlock(&pool->ex.lock, biased);
    return 0;
}

static int start_thread(struct rv_executor *ex)
{
    return start_member(pool_of(ex), "rv-job", serve);
}

/* Should two start one at the same time, there are two. */
static int keep_time_by_thread(struct rv_executor *ex)
{
    struct threads *pool = pool_of(ex);
    bool biased = rvi_bias_lock(&ex->lock);
    bool is_there = pool->has_keeper;

    rvi_bias_unlock(&ex->lock, biased);
    return is_there ? 0 : start_member(pool, "rv-clock", keep_time);
}

static void stop_thread(void *context, int why)
{
    (void)rvi_cancel_set(context, why);
}

/* --- life --- */

/* One of them may be adding another still: the last job's runner, started by who keeps time. */
static struct member *pop_member(struct threads *pool)
{
    bool biased = rvi_bias_lock(&pool->ex.lock);
    struct rvi_link *link = rvi_list_pop_front(&pool->threads);

    rvi_bias_unlock(&pool->ex.lock, biased);
    return link ? rvi_container_of(link, struct member, link) : NULL;
}

/* The runners have nothing left to do: what is joined is on its way out. */
static void close_threads(struct rv_executor *ex)
{
    struct threads *pool = pool_of(ex);
    struct member *member;

    rvi_backlog_let_keepers_end(ex);
    while ((member = pop_member(pool))) {
        rvi_thread_join(member->thread);
        rvi_free(member);
    }
}

static int open_threads(struct rv_executor *ex, const char *arg,
                        const struct rv_executor_opts *opts)
{
    struct threads *pool = pool_of(ex);
    int r = rvi_executor_set_width(ex, arg, (unsigned)rvi_usable_cores());

    (void)opts;
    if (r < 0)
        return r;
    rvi_list_init(&pool->threads);
    if (ex->job_timeout > 0)
        r = keep_time_by_thread(ex);
    if (r < 0)
        return r;
    ex->ordered = 1;
    r = start_thread(ex);
    if (r < 0)
        close_threads(ex);
    return r;
}

static int may_close_threads(struct rv_executor *ex)
{
    if (rvi_here.serving == ex)
        rvi_panic("rv_executor_close: called by a job of this very executor, which would wait for "
                  "itself; close it outside its own jobs");
    return 0;
}

const struct rvi_tier rvi_tier_threads = {
    .name = "threads",
    .bytes = sizeof(struct threads),
    .open = open_threads,
    .submit = rvi_backlog_submit,
    .start = start_thread,
    .keep_time = keep_time_by_thread,
    .stop = stop_thread,
    .may_close = may_close_threads,
    .close = close_threads,
};
