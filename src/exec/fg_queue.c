/* SPDX-License-Identifier: MIT */
/* fg_queue.c - a queue to the one thread that is not ours, and the bell by which it is called.
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
 * Rejected: a pipe in place of the bell, which can be full; a byte or a ring for each post, at the
 * price of a system call; the interface's own queue of idle functions, of which every toolkit has
 * another.
 * Checked by: tests/unit/exec/test_foreground.c, tests/stress/stress_foreground.c,
 * tests/explore/explore_foreground.c */
#include "exec/foreground.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/futex.h"

struct rvi_fg_caller {
    struct rvi_fg_job job;
    struct rvi_waiter waiter;
    rv_fn *fn;
    int result;
};

struct poster {
    struct rvi_waiter waiter;
    rv_fg_fn *fn;
    void *arg;
};

static struct rvi_fg_job *job_of(struct rvi_link *link)
{
    return rvi_container_of(link, struct rvi_fg_job, link);
}

/* --- with the lock held --- */

/* Something has been added. Whether the caller has to ring. */
static bool make_due(rv_fg *fg)
{
    bool was_due = fg->is_due;

    fg->is_due = true;
    return !was_due;
}

static void append(rv_fg *fg, struct rvi_fg_job *job)
{
    rvi_list_push_back(&fg->queue, &job->link);
    fg->waiting++;
}

static void take_out(rv_fg *fg, struct rvi_fg_job *job)
{
    rvi_link_remove(&job->link);
    fg->waiting--;
    if (!job->caller)
        rvi_list_push_front(&fg->unused, &job->link);
}

/* There is a slot. */
static void append_post(rv_fg *fg, rv_fg_fn *fn, void *arg)
{
    struct rvi_fg_job *job = job_of(rvi_list_pop_front(&fg->unused));

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
static bool take_next(rv_fg *fg, struct rvi_fg_job *ret)
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

static void perform(const struct rvi_fg_job *job)
{
    struct rvi_fg_caller *caller = job->caller;

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
    struct rvi_fg_job job;
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

    if (!rvi_fg_is_foreground(fg))
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
    int may_wait = rvi_fg_is_foreground(fg) ? -EAGAIN : rvi_wait_allowed();
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
    struct rvi_fg_job *job = &rvi_container_of(w, struct rvi_fg_caller, waiter)->job;
    bool biased = rvi_bias_lock(&fg->lock);
    bool waited = rvi_link_is_linked(&job->link);

    if (waited)
        take_out(fg, job);
    rvi_bias_unlock(&fg->lock, biased);
    return waited;
}

static int call_and_wait(rv_fg *fg, struct rvi_fg_caller *self, rv_time deadline)
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
    struct rvi_fg_caller self = {.job = {.caller = &self, .arg = arg}, .fn = fn};
    int r = 0;

    if (rvi_fg_is_foreground(fg))
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

/* --- the end --- */

void rvi_fg_serve_until_ended(rv_fg *fg)
{
    struct rv_fg_latest forgotten;
    struct rvi_fg_job job;
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
