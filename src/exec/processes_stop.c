/* SPDX-License-Identifier: MIT */
/* processes_stop.c - what is to stop: jobs that were cancelled or whose time is over, members that
 * are to leave.
 *
 *     step   a job                                  a member that leaves
 *     0      its worker is told: rv_cancelled()     it is told, once it has no jobs
 *            says why; then cancel_grace            then term_grace
 *     1      SIGTERM; then term_grace               -
 *     2      SIGKILL                                SIGKILL
 *
 * A signal hits whatever the worker does by then. So before the first one all that has not begun
 * there is taken back, and nothing more is sent. If the job that is to stop has not ended then,
 * none behind it has begun: it is hit, or nothing, if it ends in this very moment. If it has, there
 * is nothing to stop any more.
 *
 * Limits are looked at by the service. A job's time begins when it does, which its worker tells in
 * its slot; that is believed once, as far as it can be true. Nothing calls the service when a job
 * begins: it looks again, while there are any, before one that has begun since could be over.
 *
 * Checked by: tests/unit/exec/test_tier_processes.c, test_processes_stop.c */
#include "exec/processes.h"

#include <errno.h>
#include <signal.h>

#include <ravel/net.h>

#include "base/check.h"

enum { STEP_TELL, STEP_TERM, STEP_KILL, STEP_NONE };

/* A job's time is not looked at more often than this. */
#define LOOK_NS RV_MILLISECOND

/* What a process has to come up, on a machine that has much else to do. */
#define START_NS RV_MINUTE

static rv_time after(rv_time now, rv_time length)
{
    return length > RV_NEVER - now ? RV_NEVER : now + length;
}

static rv_time grace_ends(const struct rvi_processes *pool, rv_time now, rv_time grace)
{
    return pool->is_in_haste ? now : after(now, grace);
}

static rv_time sooner(rv_time a, rv_time b)
{
    return a < b ? a : b;
}

/* --- telling --- */

/* A worker that does not read what it is told is stopped by the later steps. */
static void tell(struct rvi_member *member, enum rvi_jobs_order order, uint64_t index, int why)
{
    const struct rvi_jobs_message message = {.order = order, .why = why, .index = index};
    ssize_t n = rv_send(member->proc.control, &message, sizeof(message), 0, 0);

    (void)n;
}

void rvi_processes_stop(void *context, int why)
{
    struct rvi_entry *entry = context;
    struct rvi_member *member = entry->member;

    (void)why; /* it is the future's */
    if (member->stopping && member->stopping->index >= entry->index)
        return; /* jobs run in their order: an older one has ended, whether that is known or not */
    member->stopping = entry;
    member->steps = STEP_TELL;
    member->step_due = 0;
    rvi_processes_kick(member->pool);
}

void rvi_processes_hurry(struct rv_executor *ex)
{
    struct rvi_processes *pool = rvi_processes_of(ex);
    bool biased = rvi_bias_lock(&ex->lock);

    pool->is_in_haste = true;
    RVI_LIST_FOREACH(link, &pool->busy) {
        if (rvi_member_of(link)->stopping)
            rvi_member_of(link)->step_due = 0;
    }
    RVI_LIST_FOREACH(leaving, &pool->apart) {
        if (rvi_member_of(leaving)->stopping)
            rvi_member_of(leaving)->step_due = 0;
    }
    rvi_processes_kick(pool);
    rvi_bias_unlock(&ex->lock, biased);
}

void rvi_member_retire(struct rvi_member *member)
{
    if (member->state == RVI_MEMBER_READY) {
        member->state = RVI_MEMBER_LEAVING;
        member->verdict = RVI_VERDICT_LEAVE;
    }
    rvi_member_settle(member);
    rvi_processes_kick(member->pool);
}

void rvi_member_condemn(struct rvi_member *member, enum rvi_verdict verdict, int signal)
{
    rvi_member_recall_all(member);
    if (member->state == RVI_MEMBER_STARTING)
        member->pool->coming--;
    member->state = RVI_MEMBER_LEAVING;
    member->verdict = verdict;
    rvi_member_settle(member);
    (void)rvi_proc_kill(&member->proc, signal);
}

/* --- steps --- */

/* Whether the job that is to stop may still run, and nothing else. */
static bool stands_alone(struct rvi_member *member)
{
    rvi_member_recall_all(member);
    return !rvi_ring_has_end(&member->ring);
}

static void step_job(struct rvi_member *member, rv_time now)
{
    const struct rvi_processes *pool = member->pool;
    struct rvi_entry *entry = member->stopping;

    if (member->steps == STEP_TELL) {
        tell(member, RVI_JOBS_STOP, entry->index, entry->future->stop);
        member->step_due = grace_ends(pool, now, pool->opts.cancel_grace);
    } else if (member->steps == STEP_TERM && !stands_alone(member)) {
        return; /* what has ended is collected at once */
    } else if (member->steps == STEP_TERM) {
        rvi_member_condemn(member, RVI_VERDICT_STOP, SIGTERM);
        member->step_due = grace_ends(pool, now, pool->opts.term_grace);
    } else {
        rvi_member_condemn(member, RVI_VERDICT_STOP, SIGKILL);
        member->step_due = RV_NEVER;
    }
    member->steps++;
}

static void step_leaver(struct rvi_member *member, rv_time now)
{
    if (member->steps == STEP_TELL) {
        tell(member, RVI_JOBS_LEAVE, 0, 0);
        member->step_due = grace_ends(member->pool, now, member->pool->opts.term_grace);
        member->steps = STEP_KILL;
    } else {
        (void)rvi_proc_kill(&member->proc, SIGKILL);
        member->step_due = RV_NEVER;
        member->steps = STEP_NONE;
    }
}

/* Now that it runs nothing, it has no more than it should. */
static void readmit(struct rvi_member *member)
{
    member->is_fat = false;
    member->state = RVI_MEMBER_READY;
    member->verdict = RVI_VERDICT_NONE;
    rvi_member_settle(member);
}

static rv_time step_member(struct rvi_member *member, rv_time now)
{
    bool is_leaving = member->state == RVI_MEMBER_LEAVING && rvi_ring_load(&member->ring) == 0;

    if (member->stopping && member->step_due <= now)
        step_job(member, now);
    else if (is_leaving && member->steps == STEP_TELL && rvi_member_is_slim(member))
        readmit(member);
    else if (!member->stopping && is_leaving &&
             (member->steps == STEP_TELL || member->step_due <= now))
        step_leaver(member, now);
    return member->step_due;
}

/* --- limits --- */

/* The job that runs, or will before any other; NULL: none. */
static struct rvi_entry *oldest(struct rvi_member *member)
{
    for (uint64_t i = member->ring.collected; i < member->ring.sent; i++) {
        struct rvi_entry *entry = rvi_member_entry(member, i);
        if (entry->future)
            return entry;
    }
    return NULL;
}

/* When it began, if it has; a worker that says something else than can be is taken at its best. */
static rv_time begin_of(struct rvi_entry *entry, rv_time now)
{
    struct rvi_ring *ring = &entry->member->ring;
    struct rvi_letter *letter = rvi_letter_of(rvi_ring_slot(ring, entry->index));

    if (entry->begun == 0 && rvi_ring_has_begun(ring, entry->index)) {
        rv_time told = rvi_load_relaxed(&letter->begun), since = entry->future->since;
        entry->begun = told <= 0 || told > now ? now : told < since ? since : told;
    }
    return entry->begun;
}

static rv_time look_at_job(struct rvi_member *member, rv_time now)
{
    rv_time limit = member->pool->ex.job_timeout;
    struct rvi_entry *entry = oldest(member);

    if (!entry || entry == member->stopping)
        return RV_NEVER;
    rv_time begun = begin_of(entry, now);
    if (limit == 0)
        return RV_NEVER;
    rv_time due = after(begun ? begun : now, limit);
    if (begun && due <= now)
        rvi_backlog_stop(entry->future, -ETIME);
    return due < now + LOOK_NS ? now + LOOK_NS : due;
}

static rv_time look_at_start(struct rvi_member *member, rv_time now)
{
    rv_time due = after(member->started, START_NS);

    if (now < due)
        return due;
    member->error = -ETIME;
    rvi_member_condemn(member, RVI_VERDICT_ABSENT, SIGKILL);
    return RV_NEVER;
}

rv_time rvi_processes_step(struct rvi_processes *pool, rv_time now)
{
    rv_time due = RV_NEVER;

    RVI_LIST_FOREACH(link, &pool->members) {
        struct rvi_member *member = rvi_container_of(link, struct rvi_member, mine);
        if (member->state == RVI_MEMBER_STARTING)
            due = sooner(due, look_at_start(member, now));
        else
            due = sooner(due, look_at_job(member, now));
        due = sooner(due, step_member(member, now));
    }
    return sooner(due, rvi_processes_weigh(pool, now));
}
