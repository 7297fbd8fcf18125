/* SPDX-License-Identifier: MIT */
/* foreground.c - a runtime behind the one thread that is not ours, and its tasks.
 *
 * The first task opens a scope, in which it waits until the end; every task of rv_fg_go() has a
 * scope of its own inside that one. Such a task is in `tasks` while its scope may be cancelled from
 * elsewhere: rv_scope_cancel() takes no lock and is called under this one.
 *
 * The end. The foreground itself keeps running what is due until the runtime has ended, since tasks
 * on their way out may post, and wait for a call that cancellation is hidden from. While it does,
 * it sleeps on `news` rather than on the descriptor, which belongs to the interface's loop: `news`
 * changes with every ring.
 *
 * Checked by: tests/unit/exec/test_foreground.c, tests/stress/stress_foreground.c,
 * tests/explore/explore_foreground.c */
#include "exec/foreground.h"

#include <errno.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/opts.h"
#include "sched/sched.h"
#include "sys/fd.h"
#include "sys/futex.h"
#include "sys/thread.h"

enum { USUAL_CAPACITY = 1024 };

#define USUAL_BUDGET (10 * RV_MILLISECOND)

/* Of rv_fg_go(). */
struct task {
    struct rvi_link link; /* in `tasks` */
    struct rv_fg *fg;
    int64_t number;
    rv_fn *fn;
    void *arg;
    const struct rv_site *site;
    rv_scope *scope; /* while fn runs */
    bool is_cancelled;
};

/* --- tasks behind it --- */

static void note_failure(rv_fg *fg, int result)
{
    int none = 0;

    if (result < 0)
        (void)rvi_cas_relaxed(&fg->failure, &none, result);
}

static void enlist(rv_fg *fg, struct task *task)
{
    bool biased = rvi_bias_lock(&fg->lock);

    task->number = ++fg->last_number;
    rvi_list_push_back(&fg->tasks, &task->link);
    fg->task_count++;
    rvi_bias_unlock(&fg->lock, biased);
}

static void retire(struct task *task)
{
    rv_fg *fg = task->fg;
    bool biased = rvi_bias_lock(&fg->lock);

    rvi_link_remove(&task->link);
    fg->task_count--;
    rvi_bias_unlock(&fg->lock, biased);
    rvi_free(task);
}

/* From now on it can be cancelled by its scope; NULL: not any more. */
static void set_scope(struct task *task, rv_scope *scope)
{
    bool biased = rvi_bias_lock(&task->fg->lock);

    task->scope = scope;
    bool is_late = scope && task->is_cancelled;
    rvi_bias_unlock(&task->fg->lock, biased);
    if (is_late)
        rv_scope_cancel(scope, -ECANCELED);
}

static int run_task(void *arg)
{
    struct task *task = arg;
    int err, result = 0;

    RV_SCOPE(scope, err, .name = task->site->name) {
        set_scope(task, scope);
        result = task->fn(task->arg);
        set_scope(task, NULL);
        if (rv_scope_reason(scope) != 0)
            result = 0;
    }
    if (err < 0 && err != -ECANCELED)
        result = err; /* it could not be opened */
    note_failure(task->fg, result);
    retire(task);
    return 0;
}

int64_t rv_fg_go_at(rv_fg *fg, rv_fn *fn, void *arg, const struct rv_site *site)
{
    struct task *task = rvi_calloc(1, sizeof *task);

    if (!task)
        return -ENOMEM;
    *task = (struct task){.fg = fg, .fn = fn, .arg = arg, .site = site};
    enlist(fg, task);
    int64_t number = task->number;
    int r = rv_go_at(fg->root, run_task, task, site);
    if (r == 0)
        return number; /* the task may be gone */
    retire(task);
    return r;
}

/* The lock is held. */
static struct task *find_task(rv_fg *fg, int64_t number)
{
    RVI_LIST_FOREACH(link, &fg->tasks) {
        struct task *task = rvi_container_of(link, struct task, link);
        if (task->number == number)
            return task;
    }
    return NULL;
}

int rv_fg_cancel(rv_fg *fg, int64_t number)
{
    bool biased = rvi_bias_lock(&fg->lock);
    struct task *task = find_task(fg, number);

    if (task) {
        task->is_cancelled = true;
        if (task->scope)
            rv_scope_cancel(task->scope, -ECANCELED);
    }
    rvi_bias_unlock(&fg->lock, biased);
    return task ? 0 : -ESRCH;
}

/* --- the runtime --- */

/* Nothing around the first task is ever cancelled. */
static int run_root(void *arg)
{
    rv_fg *fg = arg;
    int err;

    RV_SCOPE(root, err, .name = "foreground", .policy = RV_COLLECT_ALL) {
        fg->root = root;
        rv_event_set(&fg->is_up);
        RV_CHECK(rv_event_wait(&fg->stop, RV_NEVER) == 0);
        rv_scope_cancel(root, -ECANCELED);
    }
    return fg->root ? 0 : err;
}

static void *runtime_thread(void *arg)
{
    rv_fg *fg = arg;

    fg->run_result = rv_run(run_root, fg, fg->run);
    rv_event_set(&fg->is_up);
    rvi_store_seq_cst(&fg->has_ended, true); /* pairs: fg-ended */
    rvi_fetch_add_seq_cst(&fg->news, 1);     /* pairs: fg-news */
    rvi_futex_wake(&fg->news, 1);
    return NULL;
}

/* 0: the root is there. */
static int start_runtime(rv_fg *fg, const struct rv_run_opts *opts)
{
    fg->run = opts;
    int r = rvi_thread_start(&fg->thread, "ravel-fg", runtime_thread, fg);

    if (r < 0)
        return r;
    RV_CHECK(rv_event_wait(&fg->is_up, RV_NEVER) == 0); /* a plain thread */
    if (fg->root)
        return 0;
    rvi_thread_join(fg->thread);
    return fg->run_result;
}

/* --- life --- */

static void report_held(void *unused, const char *text)
{
    (void)unused;
    fputs(text, stderr);
}

static int read_opts(struct rv_fg_opts *ret, const struct rv_fg_opts *opts)
{
    int r = rvi_opts_copy(ret, sizeof *ret, opts, opts ? opts->size : 0);

    if (r < 0)
        return r;
    if (ret->budget_ns < 0)
        return -EINVAL;
    if (ret->budget_ns == 0)
        ret->budget_ns = USUAL_BUDGET;
    if (ret->capacity == 0)
        ret->capacity = USUAL_CAPACITY;
    if (ret->capacity > (PTRDIFF_MAX - sizeof(struct rv_fg)) / sizeof(struct rvi_fg_job))
        return -EOVERFLOW;
    return 0;
}

static rv_fg *alloc_fg(const struct rv_fg_opts *opts)
{
    rv_fg *fg = rvi_calloc(1, sizeof *fg + opts->capacity * sizeof(struct rvi_fg_job));

    if (!fg)
        return NULL;
    rvi_list_init(&fg->queue);
    rvi_list_init(&fg->unused);
    rvi_list_init(&fg->tasks);
    for (size_t i = 0; i < opts->capacity; i++)
        rvi_list_push_back(&fg->unused, &fg->slots[i].link);
    fg->foreground = rvi_party_self();
    fg->budget_ns = opts->budget_ns;
    fg->progress = opts->progress;
    fg->arg = opts->arg;
    fg->watch.budget_ns = opts->budget_ns;
    fg->watch.report = opts->held ? opts->held : report_held;
    fg->watch.arg = opts->arg;
    return fg;
}

int rv_fg_open(rv_fg **ret, const struct rv_fg_opts *opts)
{
    struct rv_fg_opts known;
    int r = rvi_sched_self() ? -EBUSY : read_opts(&known, opts);

    if (r < 0)
        return r;
    rv_fg *fg = alloc_fg(&known);
    if (!fg)
        return -ENOMEM;
    r = fg->bell = rvi_fd_event();
    if (r < 0)
        goto free_fg;
    r = known.no_watch ? 0 : rvi_fg_watch_start(&fg->watch);
    if (r < 0)
        goto close_bell;
    r = start_runtime(fg, known.run);
    if (r < 0)
        goto stop_watch;
    *ret = fg;
    return 0;

stop_watch:
    rvi_fg_watch_stop(&fg->watch);
close_bell:
    (void)rvi_fd_close(fg->bell); /* there is nothing in it to be lost */
free_fg:
    rvi_free(fg);
    return r;
}

/* Tasks that are left have found no stack. */
static void free_tasks(rv_fg *fg)
{
    struct rvi_link *link;

    while ((link = rvi_list_pop_front(&fg->tasks))) {
        note_failure(fg, -ENOMEM);
        rvi_free(rvi_container_of(link, struct task, link));
    }
}

int rv_fg_close(rv_fg *fg)
{
    if (!fg)
        return 0;
    if (!rvi_fg_is_foreground(fg) || fg->depth > 0)
        return -EPERM;
    rvi_fg_watch_stop(&fg->watch);
    rvi_store_seq_cst(&fg->is_closing, true); /* pairs: fg-closing */
    rv_event_set(&fg->stop);
    rvi_fg_serve_until_ended(fg);
    rvi_thread_join(fg->thread);
    free_tasks(fg);
    int r = rvi_load_relaxed(&fg->failure);
    (void)rvi_fd_close(fg->bell);
    rvi_free(fg);
    return r;
}

int rv_fg_stats_read(rv_fg *fg, struct rv_fg_stats *stats)
{
    bool biased = rvi_bias_lock(&fg->lock);
    struct rv_fg_stats known = {
        .run = fg->run_count,
        .held = rvi_load_relaxed(&fg->watch.held),
        .waiting = fg->waiting,
        .tasks = fg->task_count,
    };

    rvi_bias_unlock(&fg->lock, biased);
    return rvi_opts_give(stats, &known, sizeof known, sizeof known);
}
