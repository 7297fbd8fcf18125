/* SPDX-License-Identifier: MIT */
/* clusters.h - an executor on an engine in memory, with a worker that stays from scenario to
 * scenario. */
#pragma once

#include "../support/engine_memory.h"
#include "proc/identity.h"
#include "scenario.h"

#define CLUSTER_URL "memory://faults"
#define CLUSTER_POOL "pool"

static struct rvi_engine *cluster_worker;

static void do_at_once(void *arg, struct rvi_engine_lease *lease,
                       const struct rvi_engine_task *task)
{
    const struct rv_job *job = rv_job_find(task->job);
    long in, out = 0;

    (void)arg;
    RV_CHECK(job && task->in_bytes == sizeof in && job->out_bytes == sizeof out);
    memcpy(&in, task->in, sizeof in);
    RV_CHECK(job->run(&in, &out) == 0);
    struct rvi_engine_result result = {
        .kind = RV_OUTCOME_VALUE, .run_ns = 1, .out = &out, .out_bytes = sizeof out};
    memcpy(result.id, task->id, sizeof result.id);
    rvi_engine_settle(lease, &result);
}

static void open_cluster(void)
{
    static const struct rvi_engine_events events = {.leased = do_at_once};
    struct rvi_engine_opts opts = {
        .role = RVI_ENGINE_WORKER, .url = CLUSTER_URL, .pool = CLUSTER_POOL};
    char words[RVI_ENGINE_WORDS];

    memory_engine_reset();
    rvi_identity_build(opts.build);
    RV_CHECK(rvi_engine_open(&cluster_worker, &opts, &events, NULL, words) == 0);
    rvi_engine_announce(cluster_worker, 1, 0, false);
    rvi_engine_want(cluster_worker, 1);
}

static void close_cluster(void)
{
    rvi_engine_close(cluster_worker, RV_NEVER);
}

/* Of a job that is cancelled nobody asks how it ended. */
static int cancel_one(rv_executor *ex)
{
    rv_future *f;
    long in = 1;
    int r = rv_submit(ex, &f, twice, &in, RV_NEVER);
    if (r < 0)
        return r;
    rv_future_cancel(f);
    r = rv_future_wait(f, RV_NEVER);
    rv_future_free(f);
    return r;
}

static int run_on_a_cluster(void)
{
    rv_executor *ex;
    int r = rv_executor_open(&ex, "cluster:" CLUSTER_URL "/" CLUSTER_POOL, NULL);
    if (r < 0)
        return r;
    r = submit_one(ex);
    if (r == 0)
        r = cancel_one(ex);
    int closed = rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER);
    return r < 0 ? r : closed;
}
