/* SPDX-License-Identifier: MIT */
/* tier_cluster_jobs.c - from waiting to sent, and from sent to ended.
 *
 * Whoever has submitted, ended or cancelled a job dispatches, under the executor's lock: while jobs
 * wait and there is a free entry, the first is handed to the engine. That copies and returns
 * (engine/engine.h, E1). The rest is told on the engine's thread: that a job is stored, which says
 * nothing new; that it cannot be, or how it has ended.
 *
 * A pool that is full says so of each job that was on its way. They wait here again, in their
 * order, and one is sent from time to time to see whether there is room; as well as one for each of
 * ours that ends. The first that is stored opens the gate.
 *
 * To stop a job is to ask the engine, until it answers: what was asked may have been lost with the
 * worker that it was for. If nobody answers for long, nobody knows what has become of it.
 *
 * What comes from the network is judged: an outcome that there is not, or a value of another length
 * than the job's type has, is an error of that job. Times are those of here: how long it ran is
 * believed as far as it fits between, as clocks of two machines do not agree on anything.
 *
 * Rejected: a table of identities to search in (its memory, its cost for each job); a deadline as
 * the time limit of a job (it would count the time in the queue); to hand the job to the engine
 * without the executor's lock (it could be cancelled meanwhile by somebody who does not find it).
 *
 * Checked by: tests/unit/exec/test_tier_cluster.c */
#include "exec/tier_cluster.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "proc/words.h"
#include "sys/clock.h"
#include "sys/nonce.h"
#include "trace/recorder.h"

enum { PRESSES = 8 }; /* how often one is asked to stop */

#define PAUSE_LEAST (5 * RV_MILLISECOND)
#define PAUSE_MOST (500 * RV_MILLISECOND)

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* --- identities --- */

static void write_number(char *to, uint64_t number)
{
    for (size_t i = 0; i < RVI_CLUSTER_ID_HALF; i++, number /= 62)
        to[i] = digits[number % 62];
}

/* -1: it is no digit. */
static int value_of(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'A' && digit <= 'Z')
        return digit - 'A' + 10;
    return digit >= 'a' && digit <= 'z' ? digit - 'a' + 36 : -1;
}

static bool read_number(const char *from, uint64_t *ret)
{
    uint64_t number = 0;

    for (size_t i = RVI_CLUSTER_ID_HALF; i-- > 0;) {
        int value = value_of(from[i]);
        if (value < 0)
            return false;
        number = number * 62 + (uint64_t)value;
    }
    *ret = number;
    return true;
}

static void make_id(const struct rvi_cluster *pool, const struct rvi_cluster_entry *entry,
                    char ret[static RVI_ENGINE_ID_BYTES])
{
    uint64_t index = (uint64_t)(entry - pool->entries);

    memcpy(ret, pool->own, RVI_CLUSTER_ID_HALF);
    write_number(ret + RVI_CLUSTER_ID_HALF, entry->turn * pool->opts.window + index);
    ret[RVI_ENGINE_ID_BYTES - 1] = '\0';
}

/* NULL: it is nobody's, or nobody's any more. */
static struct rvi_cluster_entry *find(struct rvi_cluster *pool, const char *id)
{
    uint64_t number;

    if (strnlen(id, RVI_ENGINE_ID_BYTES) != RVI_ENGINE_ID_BYTES - 1 ||
        memcmp(id, pool->own, RVI_CLUSTER_ID_HALF) != 0 ||
        !read_number(id + RVI_CLUSTER_ID_HALF, &number))
        return NULL;
    struct rvi_cluster_entry *entry = &pool->entries[number % pool->opts.window];
    return entry->future && entry->turn == number / pool->opts.window ? entry : NULL;
}

int rvi_cluster_jobs_init(struct rvi_cluster *pool, unsigned count)
{
    uint64_t number;
    int r = rvi_nonce(&number);

    if (r < 0)
        return r;
    write_number(pool->own, number);
    pool->entries = rvi_calloc(count, sizeof(*pool->entries));
    if (!pool->entries)
        return -ENOMEM;
    for (unsigned i = count; i-- > 0;)
        rvi_list_push_front(&pool->free, &pool->entries[i].link);
    return 0;
}

/* --- ending --- */

void rvi_cluster_owed_pay(struct rvi_cluster_owed *owed)
{
    struct rvi_link *link;

    rvi_chain_wake(owed->wakes);
    if (owed->poisoned)
        rvi_job_report_poison(owed->poisoned, owed->deaths);
    while ((link = rvi_list_pop_front(&owed->over)))
        rvi_future_destroy(rvi_container_of(link, struct rv_future, link));
}

/* Its job has no part in the engine any more. */
static struct rv_future *clear(struct rvi_cluster *pool, struct rvi_cluster_entry *entry)
{
    struct rv_future *f = entry->future;

    if (rvi_link_is_linked(&entry->link))
        rvi_link_remove(&entry->link);
    entry->future = NULL;
    entry->turn++;
    rvi_list_push_front(&pool->free, &entry->link);
    f->context = NULL;
    return f;
}

/* Without memory for them it goes without. */
static void keep_words(struct rv_future *f, const char *words)
{
    size_t bytes = words ? strnlen(words, RVI_WORDS_KEPT) : 0;

    rvi_free(f->words);
    f->words = bytes > 0 ? rvi_alloc(bytes + 1) : NULL;
    if (!f->words)
        return;
    memcpy(f->words, words, bytes);
    f->words[bytes] = '\0';
}

static void end(struct rv_future *f, const struct rv_outcome *outcome, const char *words,
                struct rvi_cluster_owed *owed)
{
    struct rv_outcome whole = *outcome;
    rv_time passed = rvi_clock_now() - f->since;

    if (whole.run_ns < 0 || whole.run_ns > passed)
        whole.run_ns = passed;
    whole.queued_ns = passed - whole.run_ns;
    keep_words(f, words);
    if (rvi_backlog_end(f, &whole, &owed->wakes))
        rvi_list_push_back(&owed->over, &f->link);
}

static __attribute__((noinline, cold)) void record(const struct rvi_cluster *pool,
                                                   const struct rvi_cluster_entry *entry,
                                                   const struct rv_outcome *outcome)
{
    static const char what[] = "cluster";
    uint64_t place = (uint64_t)(entry - pool->entries);
    int lane = rvi_recorder_place(pool->ex.enrolled.number, place);
    rv_time now = rvi_clock_now();
    int64_t ran = outcome->run_ns < now - entry->noted ? outcome->run_ns : now - entry->noted;

    rvi_recorder_begin_job(lane, what, entry->noted, entry->future->job->name);
    rvi_recorder_end_job(lane, what, now, outcome->kind, ran);
}

/* One that was sent. */
static void end_sent(struct rvi_cluster *pool, struct rvi_cluster_entry *entry,
                     const struct rv_outcome *outcome, const char *words,
                     struct rvi_cluster_owed *owed)
{
    if (rvi_unlikely(entry->noted > 0))
        record(pool, entry, outcome);
    end(clear(pool, entry), outcome, words, owed);
}

static enum rv_outcome_kind kind_of_stop(const struct rv_future *f)
{
    return f->stop == -ETIME ? RV_OUTCOME_TIMEOUT : RV_OUTCOME_CANCELLED;
}

/* --- sending --- */

_Static_assert((int)RV_LANE_NORMAL == (int)RVI_LANE_NORMAL &&
                   (int)RV_LANE_HIGH == (int)RVI_LANE_HIGH && (int)RV_LANE_LOW == (int)RVI_LANE_LOW,
               "a lane is sent as it is");

/* A time of this machine's, on the clock that all machines have; 0: none. */
static int64_t on_wall(rv_time t)
{
    return t > 0 ? rvi_clock_wall() + (t - rvi_clock_now()) : 0;
}

static void describe(const struct rvi_cluster *pool, const struct rv_future *f,
                     struct rvi_engine_task *ret)
{
    bool is_idempotent = f->job->flags & RV_JOB_IS_IDEMPOTENT;

    *ret = (struct rvi_engine_task){
        .job = f->job->name,
        .flags = f->job->flags,
        .lane = (enum rvi_engine_lane)f->lane,
        .not_before = on_wall(f->not_before),
        .deadline = on_wall(f->deadline),
        .limit_ns = pool->ex.job_timeout,
        .attempts = is_idempotent ? pool->retries + 1 : 1,
        .in = f->in,
        .in_bytes = f->job->in_bytes,
    };
}

static void shut_gate(struct rvi_cluster *pool)
{
    rvi_store_relaxed(&pool->is_full, true);
    if (pool->retry_at < RV_NEVER)
        return;
    pool->pause_ns = PAUSE_LEAST;
    pool->retry_at = rvi_clock_now() + pool->pause_ns;
    rvi_cluster_kick(pool);
}

static void open_gate(struct rvi_cluster *pool)
{
    rvi_store_relaxed(&pool->is_full, false);
    pool->retry_at = RV_NEVER;
    pool->allowance = 0;
}

/* What cannot be sent ends on the service's thread: here nobody may be woken. */
static void fail(struct rvi_cluster *pool, struct rvi_cluster_entry *entry, int error)
{
    entry->error = error;
    rvi_list_push_back(&pool->failed, &entry->link);
    rvi_cluster_kick(pool);
}

static void send(struct rvi_cluster *pool, struct rvi_cluster_entry *entry)
{
    struct rv_future *f = rvi_backlog_send(&pool->ex);
    struct rvi_engine_task task;

    entry->future = f;
    entry->noted = rvi_recorder_listens() ? rvi_clock_now() : 0;
    f->context = entry;
    describe(pool, f, &task);
    make_id(pool, entry, task.id);
    int r = rvi_engine_submit(pool->engine, &task);
    if (r == -ENOMEM) {
        rvi_backlog_take_back(clear(pool, entry));
        shut_gate(pool);
    } else if (r < 0) {
        fail(pool, entry, r);
    }
}

static bool may_send(struct rvi_cluster *pool)
{
    if (pool->ex.queued == 0 || pool->ex.away_since > 0 || pool->dismissed < 0)
        return false;
    if (!rvi_load_relaxed(&pool->is_full))
        return true;
    bool is_allowed = pool->allowance > 0;
    pool->allowance -= is_allowed;
    return is_allowed;
}

void rvi_cluster_send_waiting(struct rvi_cluster *pool)
{
    struct rvi_link *link;

    while ((link = rvi_list_first(&pool->free)) && may_send(pool)) {
        rvi_link_remove(link);
        send(pool, rvi_container_of(link, struct rvi_cluster_entry, link));
    }
}

/* Somebody has submitted or cancelled, and the service may not know that jobs are there. */
void rvi_cluster_dispatch(struct rv_executor *ex)
{
    struct rvi_cluster *pool = rvi_cluster_of(ex);

    rvi_cluster_send_waiting(pool);
    if ((pool->rests || pool->ex.away_since > 0) && rvi_executor_in_flight(ex) > 0)
        rvi_cluster_kick(pool);
}

uint64_t rvi_cluster_running(struct rv_executor *ex)
{
    return rvi_executor_in_flight(ex) - ex->queued;
}

/* --- stopping --- */

static void tell_to_stop(struct rvi_cluster *pool, struct rvi_cluster_entry *entry, rv_time now)
{
    char id[RVI_ENGINE_ID_BYTES];
    int why = entry->future->stop;

    make_id(pool, entry, id);
    rvi_engine_cancel(pool->engine, id, why < 0 ? why : -ECANCELED);
    entry->told = now;
}

void rvi_cluster_stop(void *context, int why)
{
    struct rvi_cluster_entry *entry = context;
    struct rvi_cluster *pool = rvi_cluster_of(entry->future->ex);

    (void)why;
    if (rvi_link_is_linked(&entry->link))
        return;
    if (rvi_list_is_empty(&pool->stopping))
        rvi_cluster_kick(pool);
    entry->stopped = rvi_clock_now();
    tell_to_stop(pool, entry, entry->stopped);
    rvi_list_push_back(&pool->stopping, &entry->link);
}

/* --- what the engine tells, on its thread --- */

/* Whoever has changed what waits or what may be sent leaves by this. */
static void leave(struct rvi_cluster *pool, bool biased, struct rvi_cluster_owed *owed)
{
    rvi_cluster_send_waiting(pool);
    rvi_bias_unlock(&pool->ex.lock, biased);
    rvi_cluster_owed_pay(owed);
}

static const char *words_of(int error)
{
    switch (error) {
    case -ENOSPC:
        return "the engine has no room left on its disk, or in what it may use of it";
    case -EFBIG:
        return "the input is larger than the engine takes";
    case -EACCES:
        return "the engine does not let us submit to this pool";
    default:
        return NULL;
    }
}

static void refused(struct rvi_cluster *pool, struct rvi_cluster_entry *entry, int error,
                    struct rvi_cluster_owed *owed)
{
    struct rv_future *f = clear(pool, entry);
    struct rv_outcome outcome = {.kind = RV_OUTCOME_ERROR, .error = error};

    if (error == -EAGAIN)
        shut_gate(pool);
    if (error == -EAGAIN && f->stop == 0) {
        rvi_backlog_take_back_in_turn(f);
        return;
    }
    if (error == -EAGAIN)
        outcome = (struct rv_outcome){.kind = kind_of_stop(f)};
    end(f, &outcome, words_of(error), owed);
}

static void hear_stored(void *arg, const char *id, int error)
{
    struct rvi_cluster *pool = arg;
    struct rvi_cluster_owed owed;

    if (error == 0 && !rvi_load_relaxed(&pool->is_full))
        return;
    rvi_cluster_owed_init(&owed);
    bool biased = rvi_bias_lock(&pool->ex.lock);
    struct rvi_cluster_entry *entry = find(pool, id);
    if (error == 0)
        open_gate(pool);
    else if (entry)
        refused(pool, entry, error, &owed);
    leave(pool, biased, &owed);
}

static bool is_plausible(const struct rvi_engine_result *result, const struct rv_job *job)
{
    switch (result->kind) {
    case RV_OUTCOME_VALUE:
        return result->out_bytes == job->out_bytes;
    case RV_OUTCOME_ERROR:
        return result->error < 0;
    case RV_OUTCOME_SIGNAL:
        return result->signal > 0;
    case RV_OUTCOME_LOST:
    case RV_OUTCOME_CANCELLED:
    case RV_OUTCOME_TIMEOUT:
    case RV_OUTCOME_MEMORY:
        return true;
    default:
        return false;
    }
}

static void count_deaths(struct rvi_cluster *pool, const struct rvi_engine_result *result,
                         const struct rv_job *job, struct rvi_cluster_owed *owed)
{
    bool by_death = result->kind == RV_OUTCOME_SIGNAL || result->kind == RV_OUTCOME_MEMORY;

    pool->ex.deaths += result->deaths;
    pool->ex.retried += result->deaths - (by_death && result->deaths > 0);
    if (!by_death || result->deaths <= 1)
        return;
    pool->ex.poisoned++;
    owed->poisoned = job;
    owed->deaths = result->deaths;
}

static void conclude(struct rvi_cluster *pool, struct rvi_cluster_entry *entry,
                     const struct rvi_engine_result *result, struct rvi_cluster_owed *owed)
{
    const struct rv_future *f = entry->future;
    struct rv_outcome outcome = {
        .kind = (enum rv_outcome_kind)result->kind,
        .run_ns = result->run_ns,
        .deaths = result->deaths,
    };

    if (!is_plausible(result, f->job)) {
        outcome = (struct rv_outcome){.kind = RV_OUTCOME_ERROR, .error = -EPROTO};
        end_sent(pool, entry, &outcome, "a worker has sent a result that this job cannot have",
                 owed);
        return;
    }
    if (result->kind == RV_OUTCOME_CANCELLED)
        outcome.kind = kind_of_stop(f);
    if (result->kind == RV_OUTCOME_ERROR)
        outcome.error = result->error;
    if (result->kind == RV_OUTCOME_SIGNAL)
        outcome.signal = result->signal;
    if (result->kind == RV_OUTCOME_VALUE && result->out_bytes > 0)
        memcpy(f->out, result->out, result->out_bytes);
    count_deaths(pool, result, f->job, owed);
    end_sent(pool, entry, &outcome, result->words, owed);
}

static void hear_ended(void *arg, const struct rvi_engine_result *result)
{
    struct rvi_cluster *pool = arg;
    struct rvi_cluster_owed owed;

    rvi_cluster_owed_init(&owed);
    bool biased = rvi_bias_lock(&pool->ex.lock);
    struct rvi_cluster_entry *entry = find(pool, result->id);
    if (entry) {
        conclude(pool, entry, result, &owed);
        pool->heard = rvi_clock_now();
        pool->allowance += rvi_load_relaxed(&pool->is_full);
    }
    leave(pool, biased, &owed);
}

static void hear_progress(void *arg, const char *id, const void *bytes, size_t count)
{
    struct rvi_cluster *pool = arg;
    struct rvi_link *wakes = NULL;
    bool biased = rvi_bias_lock(&pool->ex.lock);
    struct rvi_cluster_entry *entry = count <= RV_PROGRESS_MOST ? find(pool, id) : NULL;

    if (entry) {
        pool->heard = rvi_clock_now();
        (void)rvi_future_note(entry->future, bytes, count, &wakes); /* without memory: the next */
    }
    rvi_bias_unlock(&pool->ex.lock, biased);
    rvi_chain_wake(wakes);
}

static void hear_link(void *arg, int error, const char *words)
{
    struct rvi_cluster *pool = arg;
    struct rvi_cluster_owed owed;

    rvi_cluster_owed_init(&owed);
    bool biased = rvi_bias_lock(&pool->ex.lock);
    if (error < 0)
        snprintf(pool->words, sizeof(pool->words), "%s", words ? words : "");
    if (error < 0 && error != -ENOTCONN)
        pool->dismissed = error;
    else if (error == 0 || pool->ex.away_since == 0)
        pool->ex.away_since = error < 0 ? rvi_clock_now() : 0;
    pool->heard = rvi_clock_now();
    rvi_cluster_kick(pool);
    leave(pool, biased, &owed);
}

const struct rvi_engine_events rvi_cluster_events = {
    .stored = hear_stored,
    .ended = hear_ended,
    .progressed = hear_progress,
    .link = hear_link,
};

/* --- what is due, on the service's thread --- */

static struct rvi_cluster_entry *entry_of(struct rvi_link *link)
{
    return rvi_container_of(link, struct rvi_cluster_entry, link);
}

static void bury_failed(struct rvi_cluster *pool, struct rvi_cluster_owed *owed)
{
    struct rvi_link *link;

    while ((link = rvi_list_first(&pool->failed))) {
        struct rvi_cluster_entry *entry = entry_of(link);
        const struct rv_outcome outcome = {.kind = RV_OUTCOME_ERROR, .error = entry->error};
        end(clear(pool, entry), &outcome, words_of(outcome.error), owed);
    }
}

static rv_time after(rv_time t, rv_time ns)
{
    return ns >= RV_NEVER - t ? RV_NEVER : t + ns;
}

static rv_time earlier(rv_time a, rv_time b)
{
    return a < b ? a : b;
}

/* Its time was over, whatever became of it; of another it cannot be known. */
static void abandon(struct rvi_cluster *pool, struct rvi_cluster_entry *entry,
                    struct rvi_cluster_owed *owed)
{
    const struct rv_outcome outcome = {
        .kind = entry->future->stop == -ETIME ? RV_OUTCOME_TIMEOUT : RV_OUTCOME_LOST,
    };

    end_sent(pool, entry, &outcome, "it was to stop, and nobody has said what became of it", owed);
}

static rv_time press_stopping(struct rvi_cluster *pool, rv_time now, struct rvi_cluster_owed *owed)
{
    rv_time due = RV_NEVER, again = pool->opts.cancel_wait / PRESSES + 1;

    RVI_LIST_FOREACH_SAFE(link, &pool->stopping) {
        struct rvi_cluster_entry *entry = entry_of(link);
        rv_time patience_ends = after(entry->stopped, pool->opts.cancel_wait);
        if (patience_ends <= now) {
            abandon(pool, entry, owed);
            continue;
        }
        if (after(entry->told, again) <= now)
            tell_to_stop(pool, entry, now);
        due = earlier(due, earlier(patience_ends, after(entry->told, again)));
    }
    return due;
}

static rv_time probe(struct rvi_cluster *pool, rv_time now)
{
    if (pool->retry_at <= now) {
        pool->allowance += pool->allowance == 0;
        pool->pause_ns = pool->pause_ns < PAUSE_MOST / 2 ? pool->pause_ns * 2 : PAUSE_MOST;
        pool->retry_at = now + pool->pause_ns;
    }
    return pool->retry_at;
}

void rvi_cluster_give_up(struct rvi_cluster *pool, const struct rv_outcome *outcome,
                         const char *words, rv_time latest, struct rvi_cluster_owed *owed)
{
    RVI_LIST_FOREACH_SAFE(link, &pool->ex.running) {
        struct rv_future *f = rvi_container_of(link, struct rv_future, link);
        struct rvi_cluster_entry *entry = f->context;
        if (f->since > latest || f->not_before > latest)
            continue;
        tell_to_stop(pool, entry, 0);
        end_sent(pool, entry, outcome, words, owed);
    }
}

static void give_up_waiting(struct rvi_cluster *pool, int error, const char *words,
                            struct rvi_cluster_owed *owed)
{
    const struct rv_outcome outcome = {.kind = RV_OUTCOME_ERROR, .error = error};
    struct rv_future *f;

    while ((f = rvi_backlog_send(&pool->ex)))
        end(f, &outcome, words, owed);
}

/* The engine will say nothing about them any more, or nobody waits for it. What waits cannot be
 * sent. */
static void give_all_up(struct rvi_cluster *pool, int error, struct rvi_cluster_owed *owed)
{
    const struct rv_outcome lost = {.kind = RV_OUTCOME_LOST};

    rvi_cluster_give_up(pool, &lost, pool->words, RV_NEVER, owed);
    give_up_waiting(pool, error, pool->words, owed);
}

static rv_time judge_link(struct rvi_cluster *pool, rv_time now, struct rvi_cluster_owed *owed)
{
    rv_time wait = pool->opts.link_wait;

    if (pool->dismissed < 0)
        give_all_up(pool, pool->dismissed, owed);
    if (pool->ex.away_since == 0 || wait == 0)
        return RV_NEVER;
    if (after(pool->ex.away_since, wait) > now)
        return after(pool->ex.away_since, wait);
    give_all_up(pool, -ENOTCONN, owed);
    return RV_NEVER;
}

rv_time rvi_cluster_look(struct rvi_cluster *pool, rv_time now, struct rvi_cluster_owed *owed)
{
    rv_time due;

    bury_failed(pool, owed);
    pool->ex.looked_until = rvi_backlog_look(&pool->ex, now, &owed->wakes, &owed->over);
    due = earlier(pool->ex.looked_until, press_stopping(pool, now, owed));
    due = earlier(due, probe(pool, now));
    due = earlier(due, judge_link(pool, now, owed));
    rvi_cluster_send_waiting(pool);
    return due;
}
