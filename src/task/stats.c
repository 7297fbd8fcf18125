/* SPDX-License-Identifier: MIT */
#include <ravel/inspect.h>

#include <errno.h>

#include "base/opts.h"
#include "sched/sched.h"
#include "sys/clock.h"

int rv_task_stats_read(struct rv_task_stats *stats)
{
    const struct rvi_task *self = rvi_task_self();
    const struct rvi_worker *w = rvi_worker_self();
    const struct rvi_account *account = self ? rvi_account_of(w, self) : NULL;

    if (!self)
        return -EPERM;
    if (!account)
        return -ENOTSUP;
    const struct rv_task_stats known = {
        .size = sizeof known,
        .parks = account->parks,
        .wakes = account->wakes,
        .yields = account->yields,
        .migrations = account->migrations,
        .run_ns = account->run_ns + (uint64_t)(rvi_clock_now() - w->probing.since),
        .queued_ns = account->queued_ns,
    };
    return rvi_opts_give(stats, &known, sizeof known, sizeof known);
}

int rv_worker_stats_read(unsigned worker, struct rv_worker_stats *stats)
{
    const struct rvi_sched *sched = rvi_sched_self();

    if (!sched)
        return -EPERM;
    if (worker >= sched->worker_count)
        return -EINVAL;
    const struct rvi_worker *w = &sched->workers[worker];
    const struct rvi_probe_counts *counts = &w->probing.counts;
    const struct rv_worker_stats known = {
        .size = sizeof known,
        .spawned = rvi_worker_spawned(w),
        .finished = rvi_load_relaxed(&w->finished),
        .switches = rvi_worker_switches(w),
        .stolen = rvi_load_relaxed(&w->stolen),
        .sleeps = rvi_load_relaxed(&w->sleeps),
        .parks = rvi_load_relaxed(&counts->parks),
        .wakes = rvi_load_relaxed(&counts->wakes),
        .yields = rvi_load_relaxed(&counts->yields),
        .migrations = rvi_load_relaxed(&counts->migrations),
        .run_ns = rvi_load_relaxed(&counts->run_ns),
        .queued_ns = rvi_load_relaxed(&counts->queued_ns),
    };
    return rvi_opts_give(stats, &known, sizeof known, sizeof known);
}
