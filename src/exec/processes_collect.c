/* SPDX-License-Identifier: MIT */
/* processes_collect.c - from sent to ended: what has become of jobs, told by their worker or by its
 * death.
 *
 * A worker says of a job its status and its times; the result lies where it was to be written. All
 * three may be nonsense, but not do harm: the times are brought into their order, the
 * result has the length that the job's type says, and that the job was to stop, or how long it may
 * take, is known here.
 *
 * Of a dead worker each slot says how far its job had come (shm/ring.h). What had ended counts.
 * What had not begun goes back to those that wait, before them and in its old order, and nobody
 * notices. The one that had begun has killed it, or was killed with it: how that came about is its
 * outcome. Only an idempotent one is run again, as often as the executor's retries say. One that
 * has killed its worker each time is poison: it is set aside, and a line says so.
 *
 * Rejected: running a job again whose worker was killed from outside. Nobody can tell from here
 * whether the job had anything to do with it, and what it had done by then. */
#include "exec/processes.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/alloc.h"
#include "sys/clock.h"
#include "trace/recorder.h"

enum { USUAL_SHARE = 8 }; /* of the newest job in what is usual */

#define MOST_USUAL_NS RV_SECOND

static rv_time within(rv_time t, rv_time least, rv_time most)
{
    return t < least ? least : t > most ? most : t;
}

/* --- what a worker has told --- */

static void note_time(struct rvi_processes *pool, rv_time run_ns)
{
    if (run_ns > MOST_USUAL_NS)
        run_ns = MOST_USUAL_NS;
    pool->usual_ns += (run_ns - pool->usual_ns) / USUAL_SHARE;
}

/* That they follow each other is made sure of; that they are not in the future is not worth a look
 * at the clock. A job may have begun before the clock was looked at here, see
 * rvi_backlog_submit(). */
static void read_times(const struct rvi_entry *entry, struct rvi_letter *letter,
                       struct rv_outcome *ret)
{
    rv_time begun = within(rvi_load_relaxed(&letter->begun), 0, RV_NEVER);
    rv_time ended = within(rvi_load_relaxed(&letter->ended), begun, RV_NEVER);
    rv_time since = entry->future->since;

    ret->queued_ns = begun > since ? begun - since : 0;
    ret->run_ns = ended - begun;
}

/* As of jobs on threads, see backlog_run.c. */
static void judge(const struct rv_future *f, int status, struct rv_outcome *ret)
{
    rv_time limit = f->ex->job_timeout;
    rv_time own_limit = f->deadline - (f->since + ret->queued_ns);

    if ((limit > 0 && ret->run_ns >= limit) || (f->deadline > 0 && ret->run_ns >= own_limit))
        ret->kind = RV_OUTCOME_TIMEOUT;
    else if (f->stop < 0 && (status == f->stop || status == -ECANCELED))
        ret->kind = RV_OUTCOME_CANCELLED;
    else
        ret->kind = status < 0 ? RV_OUTCOME_ERROR : RV_OUTCOME_VALUE;
    ret->error = ret->kind == RV_OUTCOME_ERROR ? status : 0;
}

static void copy_result(struct rvi_entry *entry, struct rvi_slot *slot)
{
    struct rv_future *f = entry->future;
    const unsigned char *from = rvi_entry_bytes(entry, slot);

    memcpy(f->out, from + rvi_job_out_at(f->job), f->job->out_bytes);
}

/* Its future has no part in the member any more. */
static struct rv_future *clear(struct rvi_entry *entry)
{
    struct rvi_member *member = entry->member;
    struct rv_future *f = entry->future;

    if (entry->piece)
        rvi_arena_give(&member->arena, entry->piece);
    entry->piece = NULL;
    entry->future = NULL;
    f->context = NULL;
    if (member->stopping == entry) {
        member->stopping = NULL;
        member->steps = 0;
        member->step_due = RV_NEVER;
    }
    return f;
}

static void end(struct rv_future *f, const struct rv_outcome *outcome, struct rvi_owed *owed)
{
    if (rvi_backlog_end(f, outcome, &owed->wakes))
        rvi_list_push_back(&owed->over, &f->link);
}

static __attribute__((noinline, cold)) void record(const struct rvi_member *member,
                                                   const struct rv_future *f, rv_time begun,
                                                   rv_time ended, enum rv_outcome_kind kind)
{
    static const char what[] = "worker process";

    rvi_recorder_begin_job(member->proc.pid, what, begun, f->job->name);
    rvi_recorder_end_job(member->proc.pid, what, ended, kind, 0);
}

static void conclude(struct rvi_entry *entry, int status, struct rvi_owed *owed)
{
    struct rvi_slot *slot = rvi_ring_slot(&entry->member->ring, entry->index);
    struct rv_outcome outcome = {.deaths = entry->future->outcome.deaths};

    read_times(entry, rvi_letter_of(slot), &outcome);
    judge(entry->future, status, &outcome);
    if (outcome.kind == RV_OUTCOME_VALUE)
        copy_result(entry, slot);
    if (rvi_unlikely(rvi_load_relaxed(&slot->has_note)))
        rvi_entry_hear(entry, &owed->wakes);
    note_time(entry->member->pool, outcome.run_ns);
    if (rvi_unlikely(rvi_recorder_listens())) {
        rv_time begun = rvi_load_relaxed(&rvi_letter_of(slot)->begun);
        record(entry->member, entry->future, begun, begun + outcome.run_ns, outcome.kind);
    }
    end(clear(entry), &outcome, owed);
}

static void collect_from(struct rvi_member *member, struct rvi_owed *owed)
{
    struct rvi_ring_end found;
    int r;

    while ((r = rvi_ring_collect(&member->ring, &found)) > 0) {
        if (found.fate == RVI_FATE_DONE)
            conclude(rvi_member_entry(member, found.index), found.status, owed);
        rvi_processes_turn(member->pool);
    }
    if (r < 0 && member->verdict != RVI_VERDICT_FRAUD)
        rvi_member_condemn(member, RVI_VERDICT_FRAUD, SIGKILL);
    else if (rvi_ring_load(&member->ring) == 0 && member->is_occupied)
        rvi_member_settle(member);
}

void rvi_processes_collect(struct rvi_processes *pool, struct rvi_owed *owed)
{
    RVI_LIST_FOREACH_SAFE(busy, &pool->busy) {
        collect_from(rvi_member_of(busy), owed);
    }
    RVI_LIST_FOREACH_SAFE(leaving, &pool->apart) {
        collect_from(rvi_member_of(leaving), owed);
    }
}

static bool has_end(struct rvi_list *members)
{
    RVI_LIST_FOREACH(link, members) {
        if (rvi_ring_has_end(&rvi_member_of(link)->ring))
            return true;
    }
    return false;
}

bool rvi_processes_has_end(struct rvi_processes *pool)
{
    return has_end(&pool->busy) || has_end(&pool->apart);
}

/* --- what a worker has left --- */

static enum rv_outcome_kind kind_of_death(const struct rvi_member *member,
                                          const struct rv_future *f,
                                          const struct rv_child_status *status)
{
    switch (member->verdict) {
    case RVI_VERDICT_MEMORY:
        return RV_OUTCOME_MEMORY;
    case RVI_VERDICT_STOP:
        return f->stop == -ETIME ? RV_OUTCOME_TIMEOUT : RV_OUTCOME_CANCELLED;
    case RVI_VERDICT_FRAUD:
        return RV_OUTCOME_LOST;
    case RVI_VERDICT_NONE:
    case RVI_VERDICT_LEAVE:
    case RVI_VERDICT_ABSENT:
        break;
    }
    return status->kind == RV_CHILD_KILLED ? RV_OUTCOME_SIGNAL : RV_OUTCOME_LOST;
}

/* What it has written last goes with it; without memory for that it goes without. */
static void keep_words(struct rv_future *f, const struct rvi_proc *proc)
{
    char words[RVI_WORDS_KEPT];
    size_t n = rvi_words_last(&proc->words, words, sizeof(words));

    rvi_free(f->words);
    f->words = n > 0 ? rvi_alloc(n + 1) : NULL;
    if (f->words)
        memcpy(f->words, words, n + 1);
}

static bool may_run_again(const struct rv_future *f, const struct rv_outcome *outcome)
{
    const struct rvi_processes *pool = rvi_processes_of(f->ex);

    return (f->job->flags & RV_JOB_IS_IDEMPOTENT) && outcome->deaths <= pool->retries &&
           f->stop == 0;
}

/* A job whose worker died of it, or with it. */
static void mourn(struct rvi_entry *entry, const struct rv_child_status *status, rv_time now,
                  struct rvi_owed *owed)
{
    struct rvi_member *member = entry->member;
    struct rv_executor *ex = &member->pool->ex;
    struct rv_outcome outcome = {
        .kind = kind_of_death(member, entry->future, status),
        .deaths = entry->future->outcome.deaths + 1,
    };

    if (outcome.kind == RV_OUTCOME_SIGNAL)
        outcome.signal = status->signal;
    rv_time since = entry->future->since;
    outcome.run_ns = now - within(entry->begun, since, now);
    outcome.queued_ns = now - since - outcome.run_ns;
    if (rvi_unlikely(rvi_recorder_listens()))
        record(member, entry->future, now - outcome.run_ns, now, outcome.kind);
    keep_words(entry->future, &member->proc);
    rvi_entry_hear(entry, &owed->wakes);
    struct rv_future *f = clear(entry);
    if (may_run_again(f, &outcome)) {
        f->outcome.deaths = outcome.deaths;
        ex->retried++;
        rvi_backlog_take_back(f);
        return;
    }
    if (outcome.deaths > 1) {
        ex->poisoned++;
        owed->poisoned = f->job;
        owed->deaths = outcome.deaths;
    }
    end(f, &outcome, owed);
}

/* From the last to the first, each going before those that wait. */
static void give_back(struct rv_future **unbegun, size_t count)
{
    while (count > 0) {
        struct rvi_entry *entry = unbegun[--count]->context;
        rvi_backlog_take_back(clear(entry));
    }
}

void rvi_member_settle_estate(struct rvi_member *member, const struct rv_child_status *status,
                              rv_time now, struct rvi_owed *owed)
{
    struct rv_future *unbegun[RVI_PROCESSES_SLOTS];
    struct rvi_ring_end found;
    size_t count = 0;

    while (rvi_ring_bury(&member->ring, &found)) {
        struct rvi_entry *entry = rvi_member_entry(member, found.index);
        if (found.fate == RVI_FATE_DONE)
            conclude(entry, found.status, owed);
        else if (found.fate == RVI_FATE_UNBEGUN)
            unbegun[count++] = entry->future;
        else if (found.fate == RVI_FATE_LOST)
            mourn(entry, status, now, owed);
    }
    rvi_processes_turn(member->pool);
    give_back(unbegun, count);
}

void rvi_processes_give_up(struct rvi_processes *pool, int error, struct rvi_owed *owed)
{
    rv_time now = rvi_clock_now();
    struct rv_future *f;

    while ((f = rvi_backlog_send(&pool->ex))) {
        const struct rv_outcome outcome = {
            .kind = RV_OUTCOME_ERROR,
            .error = error,
            .deaths = f->outcome.deaths,
            .queued_ns = now - f->since,
        };
        end(f, &outcome, owed);
    }
}
