/* SPDX-License-Identifier: MIT */
/* hand.h - a worker inside this process: jobs run here, each on a thread of its own, and stop when
 * they are told to. */
#pragma once

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ravel.h>

#include "base/check.h"
#include "base/list.h"
#include "engine/engine.h"
#include "proc/identity.h"
#include "sched/cancel.h"
#include "sys/clock.h"

struct hand {
    struct rvi_engine *engine;
    pthread_mutex_t lock;
    struct rvi_list grips; /* of jobs that run */
    unsigned attempts;     /* of the task that came last: how many it may have */
    pthread_t keeper;      /* tells those to stop whose time is over */
    bool ends;
};

struct grip {
    struct rvi_link link;
    struct hand *hand;
    struct rvi_engine_lease *lease;
    const struct rvi_engine_task *task;
    struct rvi_cancel token;
    rv_time begun;
    int why; /* it was told to stop */
};

static inline enum rv_outcome_kind judge_grip(const struct grip *grip, int r, rv_time run_ns)
{
    if (grip->task->limit_ns > 0 && run_ns >= grip->task->limit_ns)
        return RV_OUTCOME_TIMEOUT;
    if (grip->why < 0 && (r == grip->why || r == -ECANCELED))
        return RV_OUTCOME_CANCELLED;
    return r < 0 ? RV_OUTCOME_ERROR : RV_OUTCOME_VALUE;
}

static inline void *run_grip(void *arg)
{
    struct grip *grip = arg;
    struct hand *hand = grip->hand;
    const struct rv_job *job = rv_job_find(grip->task->job);
    struct rvi_engine_result result = {.out_bytes = job->out_bytes};
    void *in = malloc(job->in_bytes + 1); /* aligned, as the engine's is not */
    void *out = calloc(1, job->out_bytes + 1);

    RV_CHECK(in && out && grip->task->in_bytes == job->in_bytes);
    memcpy(in, grip->task->in, job->in_bytes);
    rvi_cancel_of_thread_set(&grip->token);
    int r = job->run(in, out);
    rvi_cancel_of_thread_set(NULL);
    result.run_ns = rvi_clock_now() - grip->begun;
    result.out = out;
    memcpy(result.id, grip->task->id, sizeof(result.id));
    pthread_mutex_lock(&hand->lock);
    result.kind = judge_grip(grip, r, result.run_ns);
    result.error = result.kind == RV_OUTCOME_ERROR ? r : 0;
    rvi_engine_settle(grip->lease, &result);
    rvi_link_remove(&grip->link);
    pthread_mutex_unlock(&hand->lock);
    free(out);
    free(in);
    free(grip);
    return NULL;
}

static inline void grip_leased(void *arg, struct rvi_engine_lease *lease,
                               const struct rvi_engine_task *task)
{
    struct hand *hand = arg;
    struct grip *grip = calloc(1, sizeof(*grip));
    pthread_attr_t detached;
    pthread_t thread;

    RV_CHECK(grip);
    *grip = (struct grip){.hand = hand, .lease = lease, .task = task, .begun = rvi_clock_now()};
    pthread_mutex_lock(&hand->lock);
    hand->attempts = task->attempts;
    rvi_list_push_back(&hand->grips, &grip->link);
    pthread_mutex_unlock(&hand->lock);
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    RV_CHECK(pthread_create(&thread, &detached, run_grip, grip) == 0);
    pthread_attr_destroy(&detached);
}

static inline void grip_stop(void *arg, const char *id, int why)
{
    struct hand *hand = arg;

    pthread_mutex_lock(&hand->lock);
    RVI_LIST_FOREACH(link, &hand->grips) {
        struct grip *grip = rvi_container_of(link, struct grip, link);
        if (strcmp(grip->task->id, id) != 0)
            continue;
        grip->why = why;
        (void)rvi_cancel_set(&grip->token, why);
    }
    pthread_mutex_unlock(&hand->lock);
}

static inline void look_at_grips(struct hand *hand)
{
    rv_time now = rvi_clock_now();

    RVI_LIST_FOREACH(link, &hand->grips) {
        struct grip *grip = rvi_container_of(link, struct grip, link);
        rvi_engine_extend(grip->lease);
        if (grip->task->limit_ns > 0 && now - grip->begun >= grip->task->limit_ns)
            (void)rvi_cancel_set(&grip->token, -ETIME);
    }
}

static inline bool hand_is_busy(struct hand *hand, bool ends)
{
    pthread_mutex_lock(&hand->lock);
    look_at_grips(hand);
    hand->ends = hand->ends || ends;
    bool is_busy = !hand->ends || !rvi_list_is_empty(&hand->grips);
    pthread_mutex_unlock(&hand->lock);
    return is_busy;
}

static inline void *keep_hand(void *arg)
{
    while (hand_is_busy(arg, false))
        usleep(1000);
    return NULL;
}

/* Of this build, unless it is forged. */
static inline struct hand *hand_open(const char *url, const char *pool, unsigned slots)
{
    static const struct rvi_engine_events events = {.leased = grip_leased, .stop = grip_stop};
    struct rvi_engine_opts opts = {.role = RVI_ENGINE_WORKER, .url = url, .pool = pool};
    struct hand *hand = calloc(1, sizeof(*hand));
    char words[RVI_ENGINE_WORDS];

    RV_CHECK(hand);
    pthread_mutex_init(&hand->lock, NULL);
    rvi_list_init(&hand->grips);
    rvi_identity_build(opts.build);
    RV_CHECK(rvi_engine_open(&hand->engine, &opts, &events, hand, words) == 0);
    rvi_engine_announce(hand->engine, slots, 0, false);
    rvi_engine_want(hand->engine, slots);
    RV_CHECK(pthread_create(&hand->keeper, NULL, keep_hand, hand) == 0);
    return hand;
}

/* Ends what it has. */
static inline void hand_close(struct hand *hand)
{
    rvi_engine_want(hand->engine, 0);
    (void)hand_is_busy(hand, true);
    RV_CHECK(pthread_join(hand->keeper, NULL) == 0);
    rvi_engine_close(hand->engine, RV_NEVER);
    pthread_mutex_destroy(&hand->lock);
    free(hand);
}
