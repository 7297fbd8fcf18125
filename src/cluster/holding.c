/* SPDX-License-Identifier: MIT */
/* holding.c - one lease, from the moment it is told until it is given up, as one task sees to it.
 *
 * A job that was handed to the executor is watched until it has ended, whatever happens meanwhile.
 * The lease is extended each third of its length, but not beyond the task's deadline or its job's
 * time limit: then the job is stopped, as one is that nobody wants any more. By then it has the
 * graces of a worker process (told, SIGTERM, SIGKILL), which are shorter than what is left of the
 * lease.
 *
 * A job that comes alone, was not begun before and has no deadline is handed to the executor where
 * its lease is told, on the engine's thread: its process wakes up while this task is still being
 * started. Of many at once that made all of them dearer by half, as both threads then fight for the
 * executor.
 *
 * What the job says of its progress is passed on, the newest of it, some dozen times a second at
 * most; to listen to jobs that are over sooner would cost more than they do.
 *
 * What becomes of the lease:
 *
 *     the job ended by itself, or was stopped          settled with that
 *     its process died     idempotent, attempts left   handed back, at once, as begun
 *                          idempotent, none left       buried with that death
 *                          not idempotent              settled with that death
 *     no process could be had for it                   handed back, later, as not begun
 *     the agent has to go  begun, and not idempotent   settled as LOST
 *                          otherwise                   handed back, at once, as not begun
 *     it was lost to somebody else                     given up; what its job says is not believed
 *
 * A task that has been begun before, elsewhere, and did not come back as dead, may still run there,
 * or may have done all its work. To begin it here once more is for idempotent jobs only; any other
 * ends as LOST.
 *
 *   H1  a holding is in `held` from the event until its lease is given up, and its task is the only
 *       one to give it up
 *   H2  of a holding the engine's thread touches `told_stop` and the links, under the lock; the
 *       rest until it is told
 *
 * Rejected: running a job again here whose process died. Another worker gets it as soon, and this
 * machine may be why it died.
 *
 * Checked by: tests/unit/cluster/test_agent.c, tests/stress/stress_cluster.c */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <ravel/task.h>

#include "base/alloc.h"
#include "base/check.h"
#include "cluster/inside.h"
#include "exec/future.h"
#include "sys/clock.h"

enum { WORDS_BYTES = 256, EARLY_BYTES = 64 << 10 };

_Static_assert((int)RVI_ENGINE_PROGRESS >= (int)RV_PROGRESS_MOST, "a note fits the engine's");

/* A job is not listened to before it has run so long, nor more often. */
#define QUIET_NS (20 * RV_MILLISECOND)

/* Before somebody else tries what could not be tried here. */
#define DELAY_NS (RV_SECOND / 4)

/* --- the engine's thread --- */

static struct rvi_holding *holding_new(struct rvi_agent *a, struct rvi_engine_lease *lease,
                                       const struct rvi_engine_task *task)
{
    struct rvi_holding *h = rvi_calloc(1, sizeof(*h));

    if (!h)
        return NULL;
    h->agent = a;
    h->lease = lease;
    h->task = task;
    h->since = rvi_clock_now();
    h->extend = h->since + a->opts.lease / 3;
    return h;
}

/* False: the agent has left.
 *
 * @param ret_is_alone  nothing else is held, and nobody has asked the agent to leave */
static bool enlist(struct rvi_holding *h, bool *ret_is_alone)
{
    struct rvi_agent *a = h->agent;

    rvi_lock_acquire(&a->lock);
    bool is_there = !a->has_left;
    *ret_is_alone = a->leave_asked == 0 && rvi_list_is_empty(&a->held);
    if (is_there)
        rvi_list_push_back(&a->held, &h->link);
    rvi_lock_release(&a->lock);
    return is_there;
}

/* What speaks against it is found again by its task, which knows what is to be done. */
static void begin_early(struct rvi_holding *h)
{
    const struct rvi_engine_task *task = h->task;
    const struct rv_job *job = rv_job_find(task->job);
    bool is_plain = task->attempt == 1 && task->deadline == 0 && task->in_bytes <= EARLY_BYTES;

    if (!is_plain || !job || job->in_bytes != task->in_bytes)
        return;
    (void)!rv_submit_job(h->agent->ex, &h->future, job, task->in, 0);
}

static void tell(struct rvi_holding *h)
{
    struct rvi_agent *a = h->agent;

    rvi_lock_acquire(&a->lock);
    h->is_told = true;
    rvi_list_push_back(&a->told, &h->news);
    rvi_lock_release(&a->lock);
    rv_event_set(&a->news);
}

void rvi_holding_leased(void *agent, struct rvi_engine_lease *lease,
                        const struct rvi_engine_task *task)
{
    struct rvi_agent *a = agent;
    struct rvi_holding *h = holding_new(a, lease, task);
    bool is_alone;

    if (h && enlist(h, &is_alone)) {
        if (is_alone)
            begin_early(h);
        tell(h);
        return;
    }
    rvi_engine_hand_back(lease, false, h ? 0 : DELAY_NS);
    rvi_free(h);
}

/* --- its end --- */

/* Its lease has been given up. */
static void forget(struct rvi_holding *h)
{
    struct rvi_agent *a = h->agent;

    rvi_lock_acquire(&a->lock);
    rvi_link_remove(&h->link);
    if (rvi_link_is_linked(&h->news))
        rvi_link_remove(&h->news);
    rvi_lock_release(&a->lock);
    a->busy--;
    rvi_agent_stir(a);
    rvi_free(h);
}

void rvi_holding_refuse(struct rvi_holding *h)
{
    rvi_engine_hand_back(h->lease, false, DELAY_NS);
    forget(h);
}

static void hand_back(struct rvi_holding *h, bool has_begun, rv_time delay)
{
    h->agent->counts.handed_back++;
    rvi_engine_hand_back(h->lease, has_begun, delay);
}

static void count_end(struct rvi_holding *h, int kind)
{
    if (kind == RV_OUTCOME_VALUE)
        h->agent->counts.values++;
    else
        h->agent->counts.failures++;
}

static void settle(struct rvi_holding *h, const struct rvi_engine_result *result)
{
    count_end(h, result->kind);
    rvi_engine_settle(h->lease, result);
}

static void bury(struct rvi_holding *h, const struct rvi_engine_result *result)
{
    count_end(h, result->kind);
    rvi_engine_bury(h->lease, result);
}

/* --- before it begins --- */

static bool is_idempotent(const struct rvi_holding *h)
{
    return (h->task->flags & RV_JOB_IS_IDEMPOTENT) != 0;
}

static struct rvi_engine_result result_of(const struct rvi_holding *h, enum rv_outcome_kind kind)
{
    struct rvi_engine_result result = {.kind = kind, .deaths = h->task->attempt - 1};

    memcpy(result.id, h->task->id, sizeof(result.id));
    return result;
}

__attribute__((format(printf, 3, 4))) static void settle_with_error(struct rvi_holding *h,
                                                                    int error, const char *format,
                                                                    ...)
{
    struct rvi_engine_result result = result_of(h, RV_OUTCOME_ERROR);
    char words[WORDS_BYTES];
    va_list args;

    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    result.error = error;
    result.words = words;
    settle(h, &result);
}

/* Settled, if the job is not what it was where the task was submitted. */
static const struct rv_job *find_job(struct rvi_holding *h)
{
    const struct rvi_engine_task *task = h->task;
    const struct rv_job *job = rv_job_find(task->job);

    if (!job)
        settle_with_error(h, -ENOSYS, "this worker's program has no job \"%.100s\"", task->job);
    else if (job->in_bytes != task->in_bytes)
        settle_with_error(h, -EMSGSIZE, "job \"%.100s\" takes %zu bytes here, and was given %zu",
                          task->job, job->in_bytes, task->in_bytes);
    else
        return job;
    return NULL;
}

/* A lease that has been given up, if nothing is to be begun. */
static bool may_begin(struct rvi_holding *h)
{
    const struct rvi_engine_task *task = h->task;
    struct rvi_engine_result lost = result_of(h, RV_OUTCOME_LOST);
    struct rvi_engine_result late = result_of(h, RV_OUTCOME_TIMEOUT);
    struct rvi_engine_result unwanted = result_of(h, RV_OUTCOME_CANCELLED);

    if (h->stop == -ESTALE)
        rvi_engine_hand_back(h->lease, false, 0);
    else if (h->stop == -ECANCELED)
        settle(h, &unwanted);
    else if (h->stop == -ETIME || h->due <= h->since)
        settle(h, &late);
    else if (task->attempt > 1 && !is_idempotent(h))
        settle(h, &lost);
    else if (task->attempts > 0 && task->attempt > task->attempts)
        bury(h, &lost);
    else if (h->agent->is_leaving)
        hand_back(h, false, 0);
    else
        return true;
    return false;
}

/* --- while it runs --- */

void rvi_holding_stop(struct rvi_holding *h, int why)
{
    if (h->stop == 0)
        h->stop = why;
    if (h->future)
        rv_future_cancel(h->future);
}

static rv_time earlier(rv_time a, rv_time b)
{
    return a < b ? a : b;
}

static rv_time next_step(const struct rvi_holding *h)
{
    return h->stop == 0 ? earlier(h->due, h->extend) : h->extend;
}

static void step(struct rvi_holding *h, rv_time now)
{
    if (now >= h->due && h->stop == 0)
        rvi_holding_stop(h, -ETIME);
    if (now < h->extend)
        return;
    h->extend = now + h->agent->opts.lease / 3;
    if (now < h->due && h->stop != -ESTALE)
        rvi_engine_extend(h->lease);
}

/* The newest of its notes, waiting for one until the deadline, or until it ends. */
static void pass_note_on(struct rvi_holding *h, rv_time deadline)
{
    unsigned char note[RVI_ENGINE_PROGRESS];
    long count = rv_future_progress(h->future, note, sizeof(note), deadline);

    if (count >= 0)
        rvi_engine_progress(h->lease, note, (size_t)count);
}

/* Without memory for a timer it looks around without one. */
static void attend(struct rvi_holding *h)
{
    rv_time listens = rvi_clock_now() + QUIET_NS;
    int r;

    while ((r = rv_future_wait(h->future, earlier(next_step(h), listens))) < 0) {
        RV_CHECK(r != -ECANCELED);
        if (rvi_clock_now() >= listens) {
            pass_note_on(h, next_step(h));
            listens = rvi_clock_now() + QUIET_NS;
        }
        step(h, rvi_clock_now());
        rv_yield();
    }
    if (h->future->progress)
        pass_note_on(h, 0);
}

/* --- what has become of it --- */

static bool is_death(enum rv_outcome_kind kind)
{
    return kind == RV_OUTCOME_SIGNAL || kind == RV_OUTCOME_LOST || kind == RV_OUTCOME_MEMORY;
}

static void settle_death(struct rvi_holding *h, const struct rvi_engine_result *result)
{
    const struct rvi_engine_task *task = h->task;

    if (!is_idempotent(h))
        settle(h, result);
    else if (task->attempts == 0 || task->attempt < task->attempts)
        hand_back(h, true, 0);
    else
        bury(h, result);
}

static struct rvi_engine_result read_result(const struct rvi_holding *h,
                                            const struct rv_outcome *outcome)
{
    const struct rv_future *f = h->future;
    struct rvi_engine_result result = result_of(h, outcome->kind);
    bool is_value = outcome->kind == RV_OUTCOME_VALUE;

    result.error = outcome->error;
    result.signal = outcome->signal;
    result.deaths += outcome->deaths;
    result.queued_ns = outcome->queued_ns;
    result.run_ns = outcome->run_ns;
    result.out = is_value ? f->out : NULL;
    result.out_bytes = is_value ? f->job->out_bytes : 0;
    result.words = f->words;
    return result;
}

/* A job that took no time has not begun: the clock is finer than any. */
static bool has_begun(const struct rv_outcome *outcome)
{
    return outcome->run_ns > 0 || outcome->deaths > 0;
}

/* No worker process could be had. */
static void put_off(struct rvi_holding *h, int error)
{
    rvi_agent_rest(h->agent, error);
    hand_back(h, false, DELAY_NS);
}

/* The agent has to go, and has stopped it, for which the job can do nothing: it is no attempt. */
static void leave_behind(struct rvi_holding *h, const struct rv_outcome *outcome,
                         struct rvi_engine_result *result)
{
    result->kind = RV_OUTCOME_LOST;
    if (has_begun(outcome) && !is_idempotent(h))
        settle(h, result);
    else
        hand_back(h, false, 0);
}

static void lose(struct rvi_holding *h)
{
    h->agent->counts.lost++;
    rvi_engine_hand_back(h->lease, true, 0);
}

static void conclude(struct rvi_holding *h)
{
    struct rv_outcome outcome;

    rvi_future_read(h->future, NULL, &outcome);
    struct rvi_engine_result result = read_result(h, &outcome);
    bool was_stopped = outcome.kind == RV_OUTCOME_CANCELLED;
    bool is_wanted = h->stop == 0 || h->stop == -EINTR;
    if (was_stopped && h->stop == -ETIME)
        result.kind = RV_OUTCOME_TIMEOUT;
    if (h->stop == -ESTALE)
        lose(h);
    else if (outcome.kind == RV_OUTCOME_ERROR && !has_begun(&outcome))
        put_off(h, outcome.error);
    else if (was_stopped && h->stop == -EINTR)
        leave_behind(h, &outcome, &result);
    else if (is_death(outcome.kind) && is_wanted)
        settle_death(h, &result);
    else
        settle(h, &result);
}

/* It begins now: there is a slot for it. */
static void limit(struct rvi_holding *h)
{
    rv_time length = h->task->limit_ns, now = rvi_clock_now();

    if (length > 0 && length < h->due - now)
        h->due = now + length;
}

static void follow(struct rvi_holding *h)
{
    limit(h);
    if (h->stop < 0)
        rv_future_cancel(h->future);
    attend(h);
    conclude(h);
    h->future = rv_future_free(h->future);
}

static void run(struct rvi_holding *h, const struct rv_job *job)
{
    if (rv_submit_job(h->agent->ex, &h->future, job, h->task->in, RV_NEVER) == 0)
        follow(h);
    else
        hand_back(h, false, DELAY_NS);
}

/* On the monotonic clock; where that has passed already, it is when the task came. */
static rv_time due_of(const struct rvi_holding *h)
{
    int64_t deadline = h->task->deadline, now = rvi_clock_wall();

    if (deadline == 0 || deadline > RV_NEVER / 2)
        return RV_NEVER;
    return deadline <= now ? h->since : rvi_clock_now() + (deadline - now);
}

int rvi_holding_serve(void *holding)
{
    struct rvi_holding *h = holding;
    const struct rv_job *job;

    h->due = due_of(h);
    if (h->future)
        follow(h);
    else if (may_begin(h) && (job = find_job(h)))
        run(h, job);
    forget(h);
    return 0;
}
