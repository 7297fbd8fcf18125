/* SPDX-License-Identifier: MIT */
/* tier_tasks.c - jobs run as tasks of the opener's runtime, for work that waits.
 *
 *     the opener's scope (fails fast)
 *         the first runner, from opening to closing
 *             its scope (collects all)
 *                 further runners, each for one job; then another takes its place
 *
 * A further runner that has not begun may be taken by another worker: that is how jobs spread over
 * the cores, and why it serves one job only: rejected, runners that stay, which pile up on the
 * worker that was busy when they were started. Runners return 0 whatever their jobs do, so a
 * failing job is its future's business alone. The outer scope fails for one reason only, that the
 * first runner could not be had; the opener waits for the one or the other. A further runner that
 * finds no stack fails the inner scope, which nobody minds. Who keeps time is one more task there,
 * from the first job on that has times of its own; that submission waits until it is there.
 *
 * Each job runs in a scope of its own inside its runner: its deadline is when the job's time is
 * over, and to cancel it is how one job is stopped. rv_scope_cancel() is called under the
 * executor's lock; it takes none itself. When a scope around the executor is cancelled, runners and
 * jobs see it as every task does; backlog_run.c says what follows.
 *
 * Rejected: a task a job. The limit would have to be the scope's, so that rv_go would block where
 * rv_submit has a deadline, and plain threads could not submit. */
#include "exec/executor.h"

#include <errno.h>

#include <ravel/run.h>
#include <ravel/scope.h>
#include <ravel/sync.h>
#include <ravel/task.h>

#include "base/check.h"
#include "sched/task.h"
#include "task/scope.h"

enum { RUNNERS_EACH = 4 }; /* of the default width, for each worker */

struct tasks {
    struct rv_executor ex;
    struct rvi_task *owner;
    rv_scope *scope;
    rv_scope *further;         /* the first runner's */
    struct rv_event has_begun; /* the first runner has, and `further` is open */

    struct rvi_errand keeping; /* of the task that keeps time */

    /* Under ex.lock. */
    enum { NOT_THERE, ON_ITS_WAY, THERE } keeper;
    bool is_decided; /* it is not ON_ITS_WAY */
    struct rvi_waitlist undecided;
};

static struct tasks *group_of(struct rv_executor *ex)
{
    return rvi_container_of(ex, struct tasks, ex);
}

/* --- runners --- */

static void run(struct rv_executor *ex, struct rv_future *f)
{
    const struct rv_job *job = f->job;
    struct rv_scope_opts opts = {
        .size = sizeof(opts),
        .name = job->name,
        .deadline = rvi_executor_due(ex, f),
    };
    rv_scope *scope;
    int r = rv_scope_open(&scope, &opts);

    if (r < 0) {
        rvi_backlog_drop(f, r);
        return;
    }
    (void)rvi_backlog_run(f, scope);
    if (rvi_task_self()->scopes != scope)
        rvi_panic("job %s (%s:%u) returned with a scope open: close every scope that a job opens",
                  job->name, job->file, job->line);
    (void)!rv_scope_close(scope); /* how the job ended, its future knows */
}

/* A runner that has begun is pinned to its worker, but the one that it starts in its place is
 * not. */
static int further_runner(void *arg)
{
    struct rv_future *f;

    if (!rvi_backlog_enter(arg))
        return 0;
    while ((f = rvi_backlog_next(arg, false))) {
        run(arg, f);
        if (rvi_backlog_relay(arg))
            return 0;
    }
    return 0;
}

static void serve(struct rv_executor *ex)
{
    struct rv_future *f;

    while ((f = rvi_backlog_next(ex, true))) {
        run(ex, f);
        rv_yield(); /* a long queue must not keep the worker from its other tasks */
    }
}

static int first_runner(void *arg)
{
    struct tasks *group = arg;
    int r;

    RV_SCOPE(further, r, .name = "executor runners", .policy = RV_COLLECT_ALL) {
        group->further = further;
        rvi_backlog_enter(&group->ex);
        rv_event_set(&group->has_begun);
        serve(&group->ex);
    }
    return group->further ? 0 : r;
}

static int start_task(struct rv_executor *ex)
{
    return rv_go_named(group_of(ex)->further, further_runner, ex, "executor runner");
}

/* --- who keeps time --- */

static void decide(struct tasks *group, bool is_there)
{
    struct rvi_link *wakes = NULL;
    struct rvi_waiter *w;
    bool biased = rvi_bias_lock(&group->ex.lock);

    group->keeper = is_there ? THERE : NOT_THERE;
    group->is_decided = true;
    while ((w = rvi_waitlist_pop(&group->undecided)))
        rvi_wakes_add(&wakes, w);
    rvi_bias_unlock(&group->ex.lock, biased);
    rvi_chain_wake(wakes);
}

static int keep_time(struct rvi_errand *errand)
{
    struct tasks *group = rvi_container_of(errand, struct tasks, keeping);

    decide(group, true);
    rvi_backlog_keep_time(&group->ex);
    return 0;
}

static void lose_keeper(struct rvi_errand *errand, int why)
{
    (void)why; /* there was no stack */
    decide(rvi_container_of(errand, struct tasks, keeping), false);
}

/* Beside the further runners. */
static int send_keeper(struct tasks *group)
{
    group->keeping = (struct rvi_errand){keep_time, lose_keeper};
    int r = rvi_scope_send(group->further, &group->keeping, RV_SITE("executor clock"));
    if (r < 0)
        decide(group, false);
    return r;
}

/* Returns what is so now; NOT_THERE: the caller is to send one, it is ON_ITS_WAY from now on. */
static int look_for_keeper(struct tasks *group, bool may_send)
{
    bool biased = rvi_bias_lock(&group->ex.lock);
    int found = group->keeper;

    if (found == NOT_THERE && may_send) {
        group->keeper = ON_ITS_WAY;
        group->is_decided = false;
    }
    rvi_bias_unlock(&group->ex.lock, biased);
    return found;
}

/* A job with times is not taken before somebody is there who looks at them: a task that has been
 * started may still find no stack. */
static int keep_time_by_task(struct rv_executor *ex)
{
    struct tasks *group = group_of(ex);
    int found = look_for_keeper(group, true);
    int r = found == NOT_THERE ? send_keeper(group) : 0;

    while (r == 0 && found != THERE) {
        rvi_executor_wait_outside(ex, &group->undecided, &group->is_decided);
        found = look_for_keeper(group, false);
        if (found == NOT_THERE)
            r = -ENOMEM;
    }
    return r;
}

static void stop_task(void *context, int why)
{
    rv_scope_cancel(context, why);
}

/* --- life --- */

/* The scope is open; on error it is closed again. */
static int start_first(struct tasks *group)
{
    int r = rv_go_named(group->scope, first_runner, group, "executor");

    if (r == 0)
        r = rv_event_wait(&group->has_begun, RV_NEVER);
    if (r == 0)
        return 0;
    int why = rv_scope_close(group->scope);
    return why < 0 ? why : r;
}

static int open_tasks(struct rv_executor *ex, const char *arg, const struct rv_executor_opts *opts)
{
    struct tasks *group = group_of(ex);
    struct rv_scope_opts around = {.size = sizeof(around), .name = "executor"};
    int r = rvi_executor_set_width(ex, arg, RUNNERS_EACH * rv_run_workers());

    (void)opts;
    if (r == 0)
        r = rv_scope_open(&group->scope, &around);
    if (r < 0)
        return r;
    group->owner = rvi_task_self();
    ex->ordered = 1;
    return start_first(group);
}

/* As strict as rv_scope_close, but before anything has happened. */
static int may_close_tasks(struct rv_executor *ex)
{
    struct rvi_task *self = rvi_task_self();

    if (self != group_of(ex)->owner)
        return -EPERM;
    return self->scopes == group_of(ex)->scope ? 0 : -EINVAL;
}

/* That a scope around it was cancelled, if so, has reached the futures. */
static void close_tasks(struct rv_executor *ex)
{
    rvi_backlog_let_keepers_end(ex);
    (void)!rv_scope_close(group_of(ex)->scope);
}

const struct rvi_tier rvi_tier_tasks = {
    .name = "tasks",
    .bytes = sizeof(struct tasks),
    .open = open_tasks,
    .submit = rvi_backlog_submit,
    .start = start_task,
    .keep_time = keep_time_by_task,
    .stop = stop_task,
    .may_close = may_close_tasks,
    .close = close_tasks,
};
