/* SPDX-License-Identifier: MIT */
/* foreground.c - a queue to the one thread that is not ours, and a runtime behind it.
 *
 *   G1  a job waits, or there is fresh progress  =>  `is_due`
 *   G2  `is_due`  =>  the bell rings, or somebody is about to ring it, or the foreground is between
 *       quieting it and looking
 *   G3  a poster waits  =>  no slot is unused, so posted jobs wait
 *   G4  who is taken out of the line, or off the queue, is owed one wake, after the lock is free
 *
 * No wake-up is lost. Whoever adds something sets `is_due` under the lock, and rings if it was not
 * set. The foreground quiets the bell first, then takes `is_due` back under the lock, then looks at
 * what there is. What was added before that is seen; what is added later finds `is_due` taken back
 * and rings anew. (In the other order, a ring between the two would be quieted and never come
 * again.) A ring may come late, when what it was for is done: the foreground then finds nothing.
 * When it stops with something left, it sets `is_due` and rings like anybody else.
 *
 * The queue is one, of posts and of calls, so what one task posts and calls runs in that order. A
 * post has a slot from the beginning, so posting allocates nothing and its number is bounded; a
 * call lies in its caller's frame. Progress is one place, written over: it is never late behind a
 * queue.
 *
 * The end. The foreground itself keeps running what is due until the runtime has ended, since tasks
 * on their way out may post, and wait for a call that cancellation is hidden from. While it does,
 * it sleeps on `news` rather than on the descriptor, which belongs to the interface's loop: `news`
 * changes with every ring.
 *
 * The first task opens a scope, in which it waits until the end; every task of rv_fg_go() has a
 * scope of its own inside that one. Such a task is in `tasks` while its scope may be cancelled from
 * elsewhere: rv_scope_cancel() takes no lock and is called under this one.
 *
 * Rejected: a pipe in place of the bell, which can be full; a byte or a ring for each post, at the
 * price of a system call; the interface's own queue of idle functions, of which every toolkit has
 * another.
 * Checked by: tests/unit/exec/test_foreground.c, tests/stress/stress_foreground.c,
 * tests/explore/explore_foreground.c */
#include <ravel/foreground.h>

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <ravel/scope.h>
#include <ravel/sync.h>

#include "base/alloc.h"
#include "base/atomic.h"
#include "base/check.h"
#include "base/list.h"
#include "base/opts.h"
#include "exec/fg_watch.h"
#include "sched/sched.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/futex.h"
#include "sys/thread.h"
#include "task/waitlist.h"

enum { USUAL_CAPACITY = 1024 };

#define USUAL_BUDGET (10 * RV_MILLISECOND)

struct job {
    struct rvi_link link;
    struct caller *caller; /* NULL: posted */
    rv_fg_fn *fn;          /* of one that was posted */
    void *arg;
};

struct caller {
    struct job job;
    struct rvi_waiter waiter;
    rv_fn *fn;
    int result;
};

struct poster {
    struct rvi_waiter waiter;
    rv_fg_fn *fn;
    void *arg;
};

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

struct rv_fg {
    /* Set once */
    int bell;
    const void *foreground; /* which party it is */
    rv_time budget_ns;
    void *arg;
    void (*progress)(void *arg, const struct rv_fg_latest *latest);
    const struct rv_run_opts *run; /* gone when the runtime is up */
    pthread_t thread;
    rv_scope *root;
    int run_result;
    struct rv_event is_up, stop;
    struct rvi_fg_watch watch;
    _Atomic(bool) has_ended;

    /* The foreground's own */
    unsigned depth; /* of dispatching */

    _Atomic(uint32_t) news; /* futex: changes with every ring */
    _Atomic(bool) is_closing;
    _Atomic(int) failure; /* the first of a task that was not cancelled */

    struct rvi_bias lock; /* guards all below */
    struct rvi_waitlist posters;
    struct rvi_list queue, unused, tasks;
    bool is_due, has_progress;
    struct rv_fg_latest latest;
    uint64_t run_count;
    size_t waiting, task_count;
    int64_t last_number;
    struct job slots[];
};

static struct job *job_of(struct rvi_link *link)
{
    return rvi_container_of(link, struct job, link);
}

static bool is_foreground(const rv_fg *fg)
{
    return rvi_party_self() == fg->foreground;
}

/* --- with the lock held --- */

/* Something has been added. Whether the caller has to ring. */
static bool make_due(rv_fg *fg)
{
    bool was_due = fg->is_due;

    fg->is_due = true;
    return !was_due;
}

static void append(rv_fg *fg, struct job *job)
{
    rvi_list_push_back(&fg->queue, &job->link);
    fg->waiting++;
}

static void take_out(rv_fg *fg, struct job *job)
{
    rvi_link_remove(&job->link);
    fg->waiting--;
    if (!job->caller)
        rvi_list_push_front(&fg->unused, &job->link);
}

/* There is a slot. */
static void append_post(rv_fg *fg, rv_fg_fn *fn, void *arg)
{
    struct job *job = job_of(rvi_list_pop_front(&fg->unused));

    job->fn = fn;
    job->arg = arg;
    append(fg, job);
}

/* Where there is room now; by the foreground, which looks again before it is done. Whom to wake. */
static struct rvi_waiter *admit_poster(rv_fg *fg)
{
    struct rvi_waiter *w = rvi_list_is_empty(&fg->unused) ? NULL : rvi_waitlist_pop(&fg->posters);

    if (w) {
        const struct poster *poster = rvi_container_of(w, struct poster, waiter);
        append_post(fg, poster->fn, poster->arg);
    }
    return w;
}

/* --- the bell --- */

/* The watch hears of it last: what the foreground cannot have heard of does not hold it up. */
static void ring(rv_fg *fg)
{
    rvi_fd_event_signal(fg->bell);
    bool biased = rvi_bias_lock(&fg->lock);
    rvi_fg_watch_due(&fg->watch, fg->is_due);
    rvi_bias_unlock(&fg->lock, biased);
    rvi_fg_watch_call(&fg->watch);
    rvi_fetch_add_seq_cst(&fg->news, 1);   /* pairs: fg-news */
    if (rvi_load_seq_cst(&fg->is_closing)) /* pairs: fg-closing */
        rvi_futex_wake(&fg->news, 1);
}

/* The foreground is about to look. Whether there is fresh progress. */
static bool quiet(rv_fg *fg, struct rv_fg_latest *ret)
{
    rvi_fd_event_clear(fg->bell);
    bool biased = rvi_bias_lock(&fg->lock);
    bool is_fresh = fg->has_progress;

    fg->is_due = fg->has_progress = false;
    rvi_fg_watch_due(&fg->watch, false);
    if (is_fresh)
        *ret = fg->latest;
    rvi_bias_unlock(&fg->lock, biased);
    return is_fresh;
}

/* It has looked, and may have left something. */
static void ring_for_the_rest(rv_fg *fg)
{
    bool biased = rvi_bias_lock(&fg->lock);
    bool must_ring = !rvi_list_is_empty(&fg->queue) && make_due(fg);

    rvi_bias_unlock(&fg->lock, biased);
    if (must_ring)
        ring(fg);
}

/* --- the foreground's side --- */

/* False: nothing waits. */
static bool take_next(rv_fg *fg, struct job *ret)
{
    struct rvi_waiter *poster = NULL;
    bool biased = rvi_bias_lock(&fg->lock);
    struct rvi_link *link = rvi_list_first(&fg->queue);

    if (link) {
        *ret = *job_of(link);
        take_out(fg, job_of(link));
        fg->run_count++;
        poster = admit_poster(fg);
    }
    rvi_bias_unlock(&fg->lock, biased);
    if (poster)
        rvi_wake(poster);
    return link != NULL;
}

static void perform(const struct job *job)
{
    struct caller *caller = job->caller;

    if (!caller) {
        job->fn(job->arg);
        return;
    }
    caller->result = caller->fn(job->arg);
    rvi_wake(&caller->waiter);
}

/* One at least, then until the time. How many. */
static int run_until(rv_fg *fg, rv_time until)
{
    struct job job;
    int count = 0;

    while ((count == 0 || rvi_clock_now() < until) && take_next(fg, &job)) {
        perform(&job);
        rvi_fg_watch_step(&fg->watch, 0);
        count += count < INT_MAX;
    }
    return count;
}

int rv_fg_dispatch(rv_fg *fg, rv_time budget_ns)
{
    struct rv_fg_latest latest;

    if (!is_foreground(fg))
        return -EPERM;
    rv_time until = rvi_clock_now() + (budget_ns > 0 ? budget_ns : fg->budget_ns);
    fg->depth++;
    rvi_fg_watch_step(&fg->watch, 1);
    if (quiet(fg, &latest) && fg->progress)
        fg->progress(fg->arg, &latest);
    int count = run_until(fg, until);
    ring_for_the_rest(fg);
    rvi_fg_watch_step(&fg->watch, -1);
    fg->depth--;
    return count;
}

int rv_fg_fd(const rv_fg *fg)
{
    return fg->bell;
}

/* --- what comes from behind --- */

/* The lock is held, and given up. */
static int wait_for_room(rv_fg *fg, bool biased, rv_fg_fn *fn, void *arg, rv_time deadline)
{
    struct poster self = {.fn = fn, .arg = arg};

    return rvi_waitlist_wait(&fg->posters, &fg->lock, biased, &self.waiter, deadline,
                             RVI_WHY_FOREGROUND);
}

int rv_fg_post(rv_fg *fg, rv_fg_fn *fn, void *arg, rv_time deadline)
{
    int may_wait = is_foreground(fg) ? -EAGAIN : rvi_wait_allowed();
    bool must_ring = false, biased = rvi_bias_lock(&fg->lock);
    bool has_room = !rvi_list_is_empty(&fg->unused);

    if (!has_room && may_wait == 0)
        return wait_for_room(fg, biased, fn, arg, deadline);
    if (has_room) {
        append_post(fg, fn, arg);
        must_ring = make_due(fg);
    }
    rvi_bias_unlock(&fg->lock, biased);
    if (must_ring)
        ring(fg);
    return has_room ? 0 : may_wait;
}

static bool withdraw_call(struct rvi_waiter *w, void *object)
{
    rv_fg *fg = object;
    struct job *job = &rvi_container_of(w, struct caller, waiter)->job;
    bool biased = rvi_bias_lock(&fg->lock);
    bool waited = rvi_link_is_linked(&job->link);

    if (waited)
        take_out(fg, job);
    rvi_bias_unlock(&fg->lock, biased);
    return waited;
}

static int call_and_wait(rv_fg *fg, struct caller *self, rv_time deadline)
{
    int r = rvi_wait_allowed();

    if (r < 0)
        return r;
    rvi_waiter_init(&self->waiter);
    bool biased = rvi_bias_lock(&fg->lock);
    append(fg, &self->job);
    bool must_ring = make_due(fg);
    rvi_bias_unlock(&fg->lock, biased);
    if (must_ring)
        ring(fg);
    return rvi_wait(&self->waiter, deadline, RVI_WHY_FOREGROUND, withdraw_call, fg);
}

int rv_fg_call(rv_fg *fg, rv_fn *fn, void *arg, int *ret_result, rv_time deadline)
{
    struct caller self = {.job = {.caller = &self, .arg = arg}, .fn = fn};
    int r = 0;

    if (is_foreground(fg))
        self.result = fn(arg);
    else
        r = call_and_wait(fg, &self, deadline);
    if (r == 0 && ret_result)
        *ret_result = self.result;
    return r;
}

void rv_fg_progress(rv_fg *fg, uint64_t done, uint64_t total, const char *text)
{
    bool biased = rvi_bias_lock(&fg->lock);

    fg->latest.done = done;
    fg->latest.total = total;
    memset(fg->latest.text, 0, sizeof fg->latest.text);
    if (text)
        strncpy(fg->latest.text, text, sizeof fg->latest.text - 1);
    fg->has_progress = true;
    bool must_ring = make_due(fg);
    rvi_bias_unlock(&fg->lock, biased);
    if (must_ring)
        ring(fg);
}

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
    if (ret->capacity > (PTRDIFF_MAX - sizeof(struct rv_fg)) / sizeof(struct job))
        return -EOVERFLOW;
    return 0;
}

static rv_fg *alloc_fg(const struct rv_fg_opts *opts)
{
    rv_fg *fg = rvi_calloc(1, sizeof *fg + opts->capacity * sizeof(struct job));

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

/* Whatever is posted until the last task has ended is run, and whoever calls is served. */
static void serve_until_ended(rv_fg *fg)
{
    struct rv_fg_latest forgotten;
    struct job job;
    bool has_ended;

    do {
        uint32_t news = rvi_load_seq_cst(&fg->news);  /* pairs: fg-news */
        has_ended = rvi_load_seq_cst(&fg->has_ended); /* pairs: fg-ended */
        (void)quiet(fg, &forgotten);
        while (take_next(fg, &job))
            perform(&job);
        if (!has_ended)
            (void)rvi_futex_wait(&fg->news, news, RV_NEVER);
    } while (!has_ended);
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
    if (!is_foreground(fg) || fg->depth > 0)
        return -EPERM;
    rvi_fg_watch_stop(&fg->watch);
    rvi_store_seq_cst(&fg->is_closing, true); /* pairs: fg-closing */
    rv_event_set(&fg->stop);
    serve_until_ended(fg);
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
