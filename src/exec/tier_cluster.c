/* SPDX-License-Identifier: MIT */
/* tier_cluster.c - jobs run by workers on other machines, to whom an engine carries them: opening,
 * closing, and the thread that looks after what takes time.
 *
 * That thread, the service, makes every call that waits for the network: so no task's thread ever
 * does. It opens the engine, it closes it, and in between it sleeps until something is due: a pool
 * that was full is tried again, a job that is to stop is pressed, an engine that is away for too
 * long is given up. Nobody needs it for a job to go and its result to come: that is done by whoever
 * submits, and by the engine's own thread (tier_cluster_jobs.c).
 *
 * Whether anybody works for us is asked for when jobs are under way and no worker has been heard of
 * for a part of worker_wait. Of a build that is nowhere, jobs would lie in the pool for ever. Time
 * in which the engine is away, or does not answer, counts for nothing.
 *
 *   S1  pool->engine is used by the service, and under ex.lock by others while a job is in flight
 *       or may be submitted: it is there from before open returns until the service has seen
 *       is_closing
 *   S2  the service sleeps on `kicks`; whoever makes something due earlier than it knows kicks it
 *
 * It is a plain thread: the executor outlives runtimes and serves plain threads.
 *
 * Rejected: to ask for workers before the first job is sent (they may come later, and a round trip
 * would be added to each opening); to count them in the choice (they come and go).
 *
 * Checked by: tests/unit/exec/test_tier_cluster_life.c, and test_tier_cluster_on_nats.c beside
 * it */
#include "exec/tier_cluster.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/opts.h"
#include "base/seam.h"
#include "engine/address.h"
#include "proc/identity.h"
#include "sys/clock.h"
#include "sys/futex.h"
#include "sys/thread.h"

enum {
    USUAL_WINDOW = 1024,
    MOST_WINDOW = 65536,
    LOOKS = 4, /* for workers, until they are given up */
};

#define USUAL_WORKER_WAIT (30 * RV_SECOND)
#define USUAL_CANCEL_WAIT (15 * RV_SECOND)
#define SURVEY_NS RV_SECOND   /* how long an answer is waited for */
#define FAREWELL_NS RV_SECOND /* how long closing may take to say what is left */

void rvi_cluster_kick(struct rvi_cluster *pool)
{
    pool->rests = false;
    (void)rvi_fetch_add_release(&pool->kicks, 1); /* pairs: cluster-kick */
    rvi_futex_wake(&pool->kicks, 1);
}

/* --- whether anybody works for us --- */

static rv_time look_interval(const struct rvi_cluster *pool)
{
    return pool->opts.worker_wait == RV_NEVER ? RV_NEVER : pool->opts.worker_wait / LOOKS + 1;
}

/* When to look for workers; RV_NEVER: there is no need. Under ex.lock. */
static rv_time look_due(struct rvi_cluster *pool, rv_time now)
{
    rv_time interval = look_interval(pool);

    if (rvi_cluster_running(&pool->ex) == 0)
        pool->heard = now;
    pool->rests = rvi_executor_in_flight(&pool->ex) == 0 && pool->ex.submitted == pool->counted;
    pool->counted = pool->ex.submitted;
    if (pool->rests || pool->ex.away_since > 0 || interval == RV_NEVER)
        return RV_NEVER;
    rv_time last = pool->heard > pool->looked ? pool->heard : pool->looked;
    return last + interval;
}

static size_t count_own(const struct rvi_engine_survey *survey, const char *build)
{
    size_t count = 0;

    for (size_t i = 0; i < survey->member_count; i++)
        count += strcmp(survey->members[i].build, build) == 0;
    return count;
}

static void describe_absence(const struct rvi_cluster *pool, const struct rvi_engine_survey *survey,
                             char words[static RVI_ENGINE_WORDS])
{
    const struct rvi_engine_member *other = survey->members;
    long long seconds = pool->opts.worker_wait / RV_SECOND;

    if (survey->member_count == 0)
        snprintf(words, RVI_ENGINE_WORDS,
                 "nobody has worked for pool \"%s\" for %lld s: start `ravel worker PROGRAM "
                 "--cluster %.80s/%s`",
                 pool->address.pool, seconds, pool->address.url, pool->address.pool);
    else
        snprintf(words, RVI_ENGINE_WORDS,
                 "no worker of this build (%.8s) has been in pool \"%s\" for %lld s; of the %zu "
                 "there one is of build %.8s (%.30s on %.30s)",
                 pool->address.build, pool->address.pool, seconds, survey->member_count,
                 other->build, other->program, other->host);
}

/* Nobody of this build is there. */
static void note_absence(struct rvi_cluster *pool, const struct rvi_engine_survey *survey,
                         rv_time now, struct rvi_cluster_owed *owed)
{
    char words[RVI_ENGINE_WORDS];
    rv_time wait = pool->opts.worker_wait;
    const struct rv_outcome outcome = {
        .kind = RV_OUTCOME_ERROR,
        .error = survey->member_count > 0 ? -ESTALE : -EHOSTDOWN,
    };

    if (now - pool->heard < wait)
        return;
    describe_absence(pool, survey, words);
    rvi_cluster_give_up(pool, &outcome, words, now - wait, owed);
}

static void look_for_workers(struct rvi_cluster *pool)
{
    struct rvi_engine_survey survey = {0};
    struct rvi_cluster_owed owed;
    int r = rvi_engine_survey(pool->engine, &survey, rvi_clock_now() + SURVEY_NS);

    rvi_cluster_owed_init(&owed);
    bool biased = rvi_bias_lock(&pool->ex.lock);
    rv_time now = pool->looked = rvi_clock_now();
    if (r < 0 || count_own(&survey, pool->address.build) > 0)
        pool->heard = now;
    else
        note_absence(pool, &survey, now, &owed);
    rvi_cluster_send_waiting(pool);
    rvi_bias_unlock(&pool->ex.lock, biased);
    rvi_cluster_owed_pay(&owed);
    if (r == 0)
        rvi_engine_survey_drop(&survey);
}

/* --- the service --- */

static void tell_outside(struct rvi_cluster *pool, bool *what)
{
    struct rvi_link *wakes;
    bool biased = rvi_bias_lock(&pool->ex.lock);

    *what = true;
    wakes = rvi_waitlist_take_all(&pool->outside);
    rvi_bias_unlock(&pool->ex.lock, biased);
    rvi_chain_wake(wakes);
}

/* Returns whether to go on. */
static bool look(struct rvi_cluster *pool)
{
    struct rvi_cluster_owed owed;
    uint32_t seen = rvi_load_acquire(&pool->kicks); /* pairs: cluster-kick */

    rvi_cluster_owed_init(&owed);
    bool biased = rvi_bias_lock(&pool->ex.lock);
    rv_time now = rvi_clock_now();
    bool goes_on = !pool->is_closing;
    int dismissed = pool->dismissed;
    rv_time due = rvi_cluster_look(pool, now, &owed);
    rv_time workers_due = look_due(pool, now);
    rvi_bias_unlock(&pool->ex.lock, biased);
    rvi_cluster_owed_pay(&owed);
    if (dismissed < 0)
        rvi_backlog_refuse(&pool->ex, dismissed);
    if (goes_on && workers_due <= now)
        look_for_workers(pool);
    else if (goes_on)
        (void)rvi_futex_wait(&pool->kicks, seen,
                             rvi_clock_wait_end(due < workers_due ? due : workers_due));
    return goes_on;
}

static void close_engine(struct rvi_cluster *pool)
{
    bool biased = rvi_bias_lock(&pool->ex.lock);
    bool is_there = pool->ex.away_since == 0 && pool->dismissed == 0;

    rvi_bias_unlock(&pool->ex.lock, biased);
    rvi_engine_close(pool->engine, rvi_clock_now() + (is_there ? FAREWELL_NS : 0));
}

static void *serve(void *arg)
{
    struct rvi_cluster *pool = arg;
    struct rvi_engine *engine = NULL;
    char words[RVI_ENGINE_WORDS];

    int r = rvi_engine_open(&engine, &pool->address, &rvi_cluster_events, pool, words);
    if (r < 0) {
        pool->trouble = r;
        memcpy(pool->words, words, sizeof(words));
    } else {
        pool->engine = engine;
    }
    tell_outside(pool, &pool->is_open);
    while (r == 0 && look(pool))
        continue;
    if (r == 0)
        close_engine(pool);
    tell_outside(pool, &pool->is_over);
    return NULL;
}

static void end_service(struct rvi_cluster *pool)
{
    bool biased = rvi_bias_lock(&pool->ex.lock);

    pool->is_closing = true;
    rvi_cluster_kick(pool);
    rvi_bias_unlock(&pool->ex.lock, biased);
    rvi_executor_wait_outside(&pool->ex, &pool->outside, &pool->is_over);
    rvi_thread_join(pool->service);
}

static int start_service(struct rvi_cluster *pool)
{
    int r = rvi_thread_start(&pool->service, "rv-cluster", serve, pool);

    if (r < 0)
        return r;
    rvi_executor_wait_outside(&pool->ex, &pool->outside, &pool->is_open);
    if (pool->trouble < 0)
        end_service(pool);
    return pool->trouble;
}

/* --- opening --- */

static int take_opts(struct rvi_cluster *pool, const struct rv_cluster_opts *from)
{
    struct rv_cluster_opts *opts = &pool->opts;
    int r = rvi_opts_copy(opts, sizeof(*opts), from, from ? from->size : 0);

    if (r == 0 &&
        (opts->window > MOST_WINDOW || opts->connect_timeout < 0 || opts->result_life < 0 ||
         opts->worker_wait < 0 || opts->link_wait < 0 || opts->cancel_wait < 0))
        r = -EINVAL;
    if (r < 0)
        return r;
    if (opts->window == 0)
        opts->window = USUAL_WINDOW;
    if (opts->worker_wait == 0)
        opts->worker_wait = USUAL_WORKER_WAIT;
    if (opts->cancel_wait == 0)
        opts->cancel_wait = USUAL_CANCEL_WAIT;
    return 0;
}

static int take_address(struct rvi_cluster *pool, const char *arg)
{
    const struct rv_cluster_opts *opts = &pool->opts;
    const char *text = arg ? arg : getenv(RVI_CLUSTER_VARIABLE);

    pool->address = (struct rvi_engine_opts){
        .role = RVI_ENGINE_CLIENT,
        .ca_file = opts->ca_file,
        .cert_file = opts->cert_file,
        .key_file = opts->key_file,
        .nkey_file = opts->nkey_file,
        .connect_timeout = opts->connect_timeout,
        .result_life = opts->result_life,
        .backlog = opts->pool_backlog,
    };
    rvi_identity_build(pool->address.build);
    rvi_engine_credentials_take(&pool->address);
    if (text && *text)
        return rvi_engine_address_take(&pool->address, &pool->address_memory, text, pool->words);
    snprintf(
        pool->words, sizeof(pool->words),
        "no cluster is named: say \"cluster:nats://host:4222/pool\", or set " RVI_CLUSTER_VARIABLE);
    return -EINVAL;
}

static void prepare(struct rvi_cluster *pool)
{
    rvi_list_init(&pool->free);
    rvi_list_init(&pool->stopping);
    rvi_list_init(&pool->failed);
    pool->retry_at = RV_NEVER;
}

static void give_back(struct rvi_cluster *pool)
{
    rvi_free(pool->entries);
    rvi_free(pool->address_memory);
}

static void give_words(const struct rvi_cluster *pool)
{
    if (pool->opts.words && pool->opts.words_bytes > 0)
        snprintf(pool->opts.words, pool->opts.words_bytes, "%s", pool->words);
}

static int open_cluster(struct rv_executor *ex, const char *arg,
                        const struct rv_executor_opts *opts)
{
    struct rvi_cluster *pool = rvi_cluster_of(ex);
    int r = rvi_seam ? -EOPNOTSUPP : take_opts(pool, opts->cluster);

    if (r < 0)
        return r;
    prepare(pool);
    pool->retries = opts->retries;
    ex->width = pool->opts.window;
    r = take_address(pool, arg);
    if (r == 0)
        r = rvi_cluster_jobs_init(pool, pool->opts.window);
    if (r == 0)
        r = start_service(pool);
    if (r < 0) {
        give_words(pool);
        give_back(pool);
        return r;
    }
    snprintf(ex->choice, sizeof(ex->choice), "cluster:%.60s/%s", pool->address.url,
             pool->address.pool);
    return 0;
}

/* --- the rest --- */

static int prepare_job(struct rv_executor *ex, struct rv_future *f)
{
    return rvi_executor_knows(ex, f->job) ? 0 : -EINVAL;
}

/* The service does. */
static int keep_time_by_service(struct rv_executor *ex)
{
    (void)ex;
    return 0;
}

static void hurry_service(struct rv_executor *ex)
{
    rvi_cluster_kick(rvi_cluster_of(ex));
}

/* No job runs in this process. */
static int may_close_cluster(struct rv_executor *ex)
{
    (void)ex;
    return 0;
}

static void close_cluster(struct rv_executor *ex)
{
    struct rvi_cluster *pool = rvi_cluster_of(ex);

    end_service(pool);
    give_back(pool);
}

const struct rvi_tier rvi_tier_cluster = {
    .name = "cluster",
    .bytes = sizeof(struct rvi_cluster),
    .open = open_cluster,
    .prepare = prepare_job,
    .submit = rvi_backlog_submit,
    .dispatch = rvi_cluster_dispatch,
    .running = rvi_cluster_running,
    .stop = rvi_cluster_stop,
    .delays_elsewhere = true,
    .keep_time = keep_time_by_service,
    .hurry = hurry_service,
    .may_close = may_close_cluster,
    .close = close_cluster,
};
