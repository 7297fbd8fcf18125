/* SPDX-License-Identifier: MIT */
/* executor.c - open by a spec, submit, count, close.
 *
 * What a spec means is decided here; how its tier runs jobs is in tier_*.c; what happens to jobs
 * between submission and their end is in backlog*.c.
 *
 * An executor's memory is counted: its opener holds it, and each future does, because the lock that
 * guards a future is its executor's. What runs jobs is gone when rv_executor_close returns.
 *
 * Closing: refuse, wait until nothing is in flight, end the runners. The deadline, a cancelled
 * caller or RV_CLOSE_CANCEL put cancelling before or into the wait; the wait itself is always to
 * the end. */
#include "exec/executor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ravel/run.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/opts.h"
#include "engine/address.h"
#include "exec/layout.h"
#include "proc/before_main.h"
#include "sys/clock.h"
#include "sys/topology.h"

enum {
    MOST_WIDTH = 65536,
    BACKLOG_EACH = 4, /* of the default backlog, for each runner */
    BACKLOG_LEAST = 16,
    BLOCK_BYTES_MOST = 1024, /* larger ones are not kept */
};

/* What a spec comes down to. */
struct choice {
    const struct rvi_tier *tier;
    const char *arg; /* what follows the colon, NULL when there is none */
    char why[48];    /* for people; empty when the spec says it all */
};

static const struct rvi_tier *const tiers[] = {
    &rvi_tier_inline, &rvi_tier_tasks, &rvi_tier_threads, &rvi_tier_processes, &rvi_tier_cluster,
};

/* --- memory --- */

void rvi_executor_ref(struct rv_executor *ex)
{
    (void)rvi_fetch_add_relaxed(&ex->refs, 1);
}

void rvi_executor_unref(struct rv_executor *ex)
{
    if (rvi_fetch_sub_release(&ex->refs, 1) > 1) /* pairs: executor-refs */
        return;
    (void)rvi_load_acquire(&ex->refs); /* pairs: executor-refs */
    rvi_spares_fini(&ex->blocks);
    rvi_heap_fini(&ex->alarms);
    rvi_free(ex);
}

void *rvi_executor_take_block(struct rv_executor *ex, size_t bytes)
{
    return bytes == ex->block_bytes ? rvi_spares_take(&ex->blocks) : NULL;
}

bool rvi_executor_keep_block(struct rv_executor *ex, void *block, size_t bytes)
{
    if (ex->blocks.count == 0)
        ex->block_bytes = bytes;
    return bytes == ex->block_bytes && bytes <= BLOCK_BYTES_MOST &&
           rvi_spares_keep(&ex->blocks, block);
}

static struct rv_executor *executor_new(const struct rvi_tier *tier, rv_time job_timeout)
{
    struct rv_executor *ex = rvi_calloc(1, tier->bytes);

    if (!ex)
        return NULL;
    ex->tier = tier;
    ex->job_timeout = job_timeout;
    rvi_store_relaxed(&ex->refs, 1);
    for (int lane = 0; lane < RVI_LANES_HERE; lane++)
        rvi_list_init(&ex->waiting[lane]);
    rvi_list_init(&ex->delayed);
    rvi_list_init(&ex->running);
    return ex;
}

void rvi_job_report_poison(const struct rv_job *job, unsigned deaths)
{
    fprintf(stderr, "ravel: job %s is set aside: %u processes have died while they ran it\n",
            job->name, deaths);
}

void rvi_executor_wait_outside(struct rv_executor *ex, struct rvi_waitlist *list, const bool *what)
{
    struct rvi_waiter w;
    bool biased = rvi_bias_lock(&ex->lock);
    bool waits = !*what;

    if (waits) {
        rvi_waiter_init(&w);
        rvi_waitlist_push(list, &w);
    }
    rvi_bias_unlock(&ex->lock, biased);
    if (waits)
        rvi_wait_always(&w, RVI_WHY_EXECUTOR);
}

/* --- specs --- */

static bool is_called(const char *spec, size_t length, const char *name)
{
    return strlen(name) == length && memcmp(spec, name, length) == 0;
}

/* What runs in a worker process is somebody's job already: it would wait for the cluster's workers,
 * one of which it is. */
static bool has_cluster(void)
{
    const char *address = getenv(RVI_CLUSTER_VARIABLE);

    return address && *address && rvi_before_main_depth() == 0;
}

static int choose_auto(const struct rv_executor_opts *opts, struct choice *ret)
{
    int cores = rvi_usable_cores();
    bool in_runtime = rv_run_workers() > 0;

    if (has_cluster()) {
        ret->tier = &rvi_tier_cluster;
        snprintf(ret->why, sizeof(ret->why), " (auto: " RVI_CLUSTER_VARIABLE ")");
        return 0;
    }
    if (opts->isolated) {
        ret->tier = &rvi_tier_processes;
        snprintf(ret->why, sizeof(ret->why), " (auto: isolated)");
        return 0;
    }
    ret->tier = cores == 1 && in_runtime ? &rvi_tier_tasks : &rvi_tier_threads;
    if (cores > 1)
        snprintf(ret->why, sizeof(ret->why), " (auto: %d usable cores)", cores);
    else
        snprintf(ret->why, sizeof(ret->why), " (auto: 1 usable core, %s)",
                 in_runtime ? "inside a runtime" : "no runtime");
    return 0;
}

static int choose(const char *spec, const struct rv_executor_opts *opts, struct choice *ret)
{
    size_t length = strcspn(spec, ":");

    *ret = (struct choice){.arg = spec[length] ? spec + length + 1 : NULL};
    if (is_called(spec, length, "auto"))
        return ret->arg ? -EINVAL : choose_auto(opts, ret);
    for (size_t i = 0; i < sizeof(tiers) / sizeof(tiers[0]); i++) {
        if (is_called(spec, length, tiers[i]->name)) {
            ret->tier = tiers[i];
            return 0;
        }
    }
    return -EINVAL;
}

int rvi_executor_set_width(struct rv_executor *ex, const char *arg, unsigned usual)
{
    unsigned width = 0;

    for (const char *digit = arg; digit && *digit; digit++) {
        if (*digit < '0' || *digit > '9')
            return -EINVAL;
        width = width * 10 + (unsigned)(*digit - '0');
        if (width > MOST_WIDTH)
            return -EINVAL;
    }
    if (arg && width == 0)
        return -EINVAL;
    ex->width = arg ? width : usual;
    return 0;
}

static void set_limit(struct rv_executor *ex, size_t backlog)
{
    size_t usual = (size_t)ex->width * BACKLOG_EACH;

    if (!rvi_tier_has_backlog(ex->tier))
        backlog = 0; /* nothing ever waits */
    else if (backlog == 0)
        backlog = usual < BACKLOG_LEAST ? BACKLOG_LEAST : usual;
    if (__builtin_add_overflow(ex->width, backlog, &ex->limit))
        ex->limit = SIZE_MAX;
}

static void describe(struct rv_executor *ex, const char *why)
{
    size_t length = strlen(ex->choice);

    if (length > 0)
        snprintf(ex->choice + length, sizeof(ex->choice) - length, "%s", why);
    else if (rvi_tier_has_backlog(ex->tier))
        snprintf(ex->choice, sizeof(ex->choice), "%s:%u%s", ex->tier->name, ex->width, why);
    else
        snprintf(ex->choice, sizeof(ex->choice), "%s%s", ex->tier->name, why);
}

/* A size of 0 stands for the first release's. */
static int copy_opts(struct rv_executor_opts *ret, const struct rv_executor_opts *from)
{
    size_t first = offsetof(struct rv_executor_opts, retries);
    size_t bytes = from && from->size > 0 ? from->size : first;

    return rvi_opts_copy(ret, sizeof(*ret), from, bytes);
}

/* --- the public side --- */

int rv_executor_open(rv_executor **ret, const char *spec, const struct rv_executor_opts *user_opts)
{
    struct rv_executor_opts opts;
    struct choice choice;
    int r = copy_opts(&opts, user_opts);

    if (r == 0 && opts.job_timeout < 0)
        r = -EINVAL;
    if (r == 0)
        r = choose(spec, &opts, &choice);
    if (r < 0)
        return r;
    struct rv_executor *ex = executor_new(choice.tier, opts.job_timeout);
    if (!ex)
        return -ENOMEM;
    r = ex->tier->open(ex, choice.arg, &opts);
    if (r < 0) {
        rvi_executor_unref(ex);
        return r;
    }
    set_limit(ex, opts.backlog);
    describe(ex, choice.why);
    ex->enrolled.waited_at = &ex->lock;
    ex->enrolled.name = ex->choice;
    rvi_roll_add(&ex->enrolled, RVI_ROLL_EXECUTOR, &rvi_executor_layout, ex);
    *ret = ex;
    return 0;
}

static uint64_t count_cancelled(struct rv_executor *ex)
{
    bool biased = rvi_bias_lock(&ex->lock);
    uint64_t cancelled = ex->cancelled;

    rvi_bias_unlock(&ex->lock, biased);
    return cancelled;
}

int rv_executor_close(rv_executor *ex, enum rv_close_mode mode, rv_time deadline)
{
    int r = ex ? ex->tier->may_close(ex) : 0;

    if (!ex || r < 0)
        return r;
    uint64_t before = count_cancelled(ex);
    rvi_backlog_refuse(ex, -EPIPE);
    r = mode == RV_CLOSE_WAIT ? rvi_backlog_wait_idle(ex, deadline) : -ECANCELED;
    if (r < 0) {
        rvi_backlog_cancel_all(ex);
        rvi_backlog_wait_idle_always(ex);
    }
    bool some_cancelled = count_cancelled(ex) > before;
    ex->tier->close(ex);
    rvi_roll_remove(&ex->enrolled);
    rvi_futures_spare_no_more(ex);
    rvi_executor_unref(ex);
    if (!some_cancelled)
        return 0;
    return r < 0 ? r : -ECANCELED;
}

const char *rv_executor_choice(const rv_executor *ex)
{
    return ex->choice;
}

unsigned rv_executor_width(const rv_executor *ex)
{
    return ex->width;
}

/* Terms are options that were copied and make sense; NULL: none. */
static int set_terms(struct rv_future *f, const struct rv_submit_opts *terms)
{
    struct rv_executor *ex = f->ex;

    f->lane = terms->lane;
    if (f->lane != RV_LANE_NORMAL)
        rvi_store_relaxed(&ex->has_lanes, true);
    f->not_before = terms->not_before;
    f->deadline = terms->deadline == RV_NEVER ? 0 : terms->deadline;
    rvi_heap_node_init(&f->alarm);
    return rvi_future_is_timed(f) && ex->tier->keep_time ? ex->tier->keep_time(ex) : 0;
}

static inline int submit(rv_executor *ex, rv_future **ret, const struct rv_job *job, const void *in,
                         const struct rv_submit_opts *terms, rv_time deadline)
{
    struct rv_future *f;
    int r = rvi_wait_allowed();

    if (r < 0)
        return r;
    f = rvi_future_new(ex, job, in);
    if (!f)
        return -ENOMEM;
    if (terms)
        r = set_terms(f, terms);
    if (r == 0)
        r = rvi_executor_prepare(ex, f);
    if (r == 0)
        r = ex->tier->submit(ex, f, deadline);
    if (r < 0) {
        rvi_future_destroy(f);
        return r;
    }
    *ret = f;
    return 0;
}

int rv_submit_job(rv_executor *ex, rv_future **ret, const struct rv_job *job, const void *in,
                  rv_time deadline)
{
    return submit(ex, ret, job, in, NULL, deadline);
}

int rv_submit_job_with(rv_executor *ex, rv_future **ret, const struct rv_job *job, const void *in,
                       const struct rv_submit_opts *opts, rv_time deadline)
{
    struct rv_submit_opts terms;
    int r = rvi_opts_copy(&terms, sizeof(terms), opts, opts ? opts->size : 0);

    if (r < 0)
        return r;
    if ((unsigned)terms.lane >= RVI_LANES_HERE || terms.not_before < 0 || terms.deadline < 0)
        return -EINVAL;
    return submit(ex, ret, job, in, &terms, deadline);
}

static uint64_t length_of(const struct rvi_list *list)
{
    uint64_t length = 0;

    RVI_LIST_FOREACH(link, list)
        length++;
    return length;
}

int rv_executor_stats_read(rv_executor *ex, struct rv_executor_stats *stats)
{
    struct rv_executor_stats now = {0};
    bool biased = rvi_bias_lock(&ex->lock);
    uint64_t in_flight = rvi_executor_in_flight(ex);

    now.submitted = ex->submitted;
    now.ended = ex->ended;
    now.running = ex->tier->running ? ex->tier->running(ex)
                                    : in_flight - ex->queued - length_of(&ex->delayed);
    now.waiting = in_flight - now.running;
    now.deaths = ex->deaths;
    now.retried = ex->retried;
    now.poisoned = ex->poisoned;
    now.started = ex->started;
    now.recycled = ex->recycled;
    now.away_ns = ex->away_since > 0 ? rvi_clock_now() - ex->away_since : 0;
    rvi_bias_unlock(&ex->lock, biased);
    return rvi_opts_give(stats, &now, sizeof(now), offsetof(struct rv_executor_stats, deaths));
}
