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
 * Time limits. One limit holds for all jobs of an executor, so they run out in the order of their
 * starts, which `running` is in already (B5): the watcher, one thread, sleeps until the first is
 * due. Deadlines only move away from it, hence it is woken for a new job only when it had none to
 * wait for.
 *
 * Rejected: a timer heap (the order is known); a thread or a signal a job; giving up on a thread
 * that overstays and starting another in its place. */
#include "exec/executor.h"

#include <errno.h>
#include <pthread.h>

#include "base/alloc.h"
#include "base/check.h"
#include "sched/cancel.h"
#include "sys/clock.h"
#include "sys/thread.h"
#include "sys/topology.h"

struct threads {
    struct rv_executor ex;

    /* Under ex.lock. */
    struct rvi_list runners;
    struct rvi_waitlist watcher; /* the watcher, while it sleeps */
    bool watcher_idles;          /* it sleeps without a deadline */
    bool watcher_ends;

    pthread_t watcher_thread; /* there is one when ex.job_timeout is not 0 */
};

struct runner {
    struct rvi_link link;
    struct threads *pool;
    pthread_t thread;
};

static struct threads *pool_of(struct rv_executor *ex)
{
    return rvi_container_of(ex, struct threads, ex);
}

/* --- the watcher --- */

static void *watch(void *arg)
{
    struct threads *pool = arg;
    struct rv_executor *ex = &pool->ex;
    struct rvi_waiter w;
    bool biased;

    for (;;) {
        biased = rvi_bias_lock(&ex->lock);
        if (pool->watcher_ends)
            break;
        rv_time due = rvi_backlog_stop_overdue(ex, rvi_clock_now());
        pool->watcher_idles = due == RV_NEVER;
        (void)rvi_waitlist_wait(&pool->watcher, &ex->lock, biased, &w, due, RVI_WHY_EXECUTOR);
    }
    rvi_bias_unlock(&ex->lock, biased);
    return NULL;
}

/* A job has begun. */
static void rouse_watcher(struct threads *pool)
{
    bool biased = rvi_bias_lock(&pool->ex.lock);
    struct rvi_waiter *w = pool->watcher_idles ? rvi_waitlist_pop(&pool->watcher) : NULL;

    rvi_bias_unlock(&pool->ex.lock, biased);
    if (w)
        rvi_wake(w);
}

static void end_watcher(struct threads *pool)
{
    if (pool->ex.job_timeout == 0)
        return;
    bool biased = rvi_bias_lock(&pool->ex.lock);
    struct rvi_waiter *w = rvi_waitlist_pop(&pool->watcher);
    pool->watcher_ends = true;
    rvi_bias_unlock(&pool->ex.lock, biased);
    if (w)
        rvi_wake(w);
    rvi_thread_join(pool->watcher_thread);
}

/* --- the runners --- */

static void run(struct threads *pool, struct rv_future *f)
{
    struct rvi_cancel token = {0};

    if (pool->ex.job_timeout > 0)
        rouse_watcher(pool);
    rvi_cancel_of_thread_set(&token);
    rvi_backlog_run(f, &token);
    rvi_cancel_of_thread_set(NULL);
}

static void *serve(void *arg)
{
    struct threads *pool = ((struct runner *)arg)->pool;
    struct rv_future *f;

    if (!rvi_backlog_enter(&pool->ex))
        return NULL;
    rvi_here.serving = &pool->ex;
    while ((f = rvi_backlog_next(&pool->ex, true)))
        run(pool, f);
    return NULL;
}

static int start_thread(struct rv_executor *ex)
{
    struct runner *runner = rvi_calloc(1, sizeof(*runner));

    if (!runner)
        return -ENOMEM;
    runner->pool = pool_of(ex);
    int r = rvi_thread_start(&runner->thread, "rv-job", serve, runner);
    if (r < 0) {
        rvi_free(runner);
        return r;
    }
    bool biased = rvi_bias_lock(&ex->lock);
    rvi_list_push_back(&runner->pool->runners, &runner->link);
    rvi_bias_unlock(&ex->lock, biased);
    return 0;
}

static void stop_thread(void *context, int why)
{
    (void)rvi_cancel_set(context, why);
}

/* --- life --- */

static int open_threads(struct rv_executor *ex, const char *arg,
                        const struct rv_executor_opts *opts)
{
    struct threads *pool = pool_of(ex);
    int r = rvi_executor_set_width(ex, arg, (unsigned)rvi_usable_cores());

    (void)opts;
    if (r < 0)
        return r;
    rvi_list_init(&pool->runners);
    if (ex->job_timeout > 0)
        r = rvi_thread_start(&pool->watcher_thread, "rv-watch", watch, pool);
    if (r < 0)
        return r;
    ex->ordered = 1;
    r = start_thread(ex);
    if (r < 0)
        end_watcher(pool);
    return r;
}

static int may_close_threads(struct rv_executor *ex)
{
    if (rvi_here.serving == ex)
        rvi_panic("rv_executor_close: called by a job of this very executor, which would wait for "
                  "itself; close it outside its own jobs");
    return 0;
}

/* The runners have nothing left to do: what is joined is on its way out. */
static void close_threads(struct rv_executor *ex)
{
    struct threads *pool = pool_of(ex);
    struct rvi_link *link;

    while ((link = rvi_list_pop_front(&pool->runners))) {
        struct runner *runner = rvi_container_of(link, struct runner, link);
        rvi_thread_join(runner->thread);
        rvi_free(runner);
    }
    end_watcher(pool);
}

const struct rvi_tier rvi_tier_threads = {
    .name = "threads",
    .bytes = sizeof(struct threads),
    .open = open_threads,
    .submit = rvi_backlog_submit,
    .start = start_thread,
    .stop = stop_thread,
    .may_close = may_close_threads,
    .close = close_threads,
};
