/* SPDX-License-Identifier: MIT */
#include "sched/probe.h"

#include <errno.h>

#include "sched/worker.h"
#include "sys/clock.h"

int rvi_probe_init(struct rvi_worker *w, uint8_t probes, uint64_t trace_events)
{
    if (probes & RVI_PROBE_TRACE) {
        w->probing.trace = rvi_trace_new(trace_events);
        if (!w->probing.trace)
            return -ENOMEM;
    }
    w->probes = probes;
    if (probes & RVI_PROBE_TRACE)
        rvi_spares_forgo(&w->scopes); /* so that each scope comes where it is noted */
    if (probes & RVI_PROBE_ACCOUNT)
        w->slab.stride = sizeof(struct rvi_task) + sizeof(struct rvi_account);
    return 0;
}

void rvi_probe_fini(struct rvi_worker *w)
{
    w->probing.trace = rvi_trace_free(w->probing.trace);
}

struct rvi_account *rvi_account_of(const struct rvi_worker *w, const struct rvi_task *task)
{
    return w->probes & RVI_PROBE_ACCOUNT ? (struct rvi_account *)(uintptr_t)(task + 1) : NULL;
}

static void add(_Atomic(uint64_t) *counter, uint64_t amount)
{
    rvi_store_relaxed(counter, rvi_load_relaxed(counter) + amount);
}

static void note_at(struct rvi_worker *w, rv_time now, uint64_t task_id, enum rvi_trace_kind kind,
                    uint64_t arg)
{
    if (w->probing.trace)
        rvi_trace_add(w->probing.trace, now, task_id, kind, arg);
}

void rvi_probe_note(struct rvi_worker *w, uint64_t task_id, enum rvi_trace_kind kind, uint64_t arg)
{
    if (w->probing.trace)
        note_at(w, rvi_clock_now(), task_id, kind, arg);
}

static uint64_t current_id(void)
{
    const struct rvi_task *self = rvi_task_self();

    return self ? self->id : 0;
}

void rvi_probe_new(struct rvi_worker *w, struct rvi_task *task)
{
    struct rvi_account *account = rvi_account_of(w, task);
    rv_time now = rvi_clock_now();

    if (account)
        *account = (struct rvi_account){.ready_since = now};
    note_at(w, now, task->id, RVI_TRACE_SPAWN, current_id());
}

/* --- what a task has done when it is left --- */

static void count_park(struct rvi_worker *w, const struct rvi_task *task, rv_time now)
{
    struct rvi_account *account = rvi_account_of(w, task);

    add(&w->probing.counts.parks, 1);
    if (account)
        account->parks++;
    note_at(w, now, task->id, RVI_TRACE_PARK, task->why);
}

static void count_wake(struct rvi_worker *w, const struct rvi_task *task, rv_time now, uint64_t by)
{
    struct rvi_account *account = rvi_account_of(w, task);

    add(&w->probing.counts.wakes, 1);
    if (account) {
        account->wakes++;
        account->ready_since = now;
    }
    note_at(w, now, task->id, RVI_TRACE_WAKE, by);
}

static void count_yield(struct rvi_worker *w, const struct rvi_task *task, rv_time now)
{
    struct rvi_account *account = rvi_account_of(w, task);

    add(&w->probing.counts.yields, 1);
    if (account) {
        account->yields++;
        account->ready_since = now;
    }
    note_at(w, now, task->id, RVI_TRACE_YIELD, 0);
}

/* Under way it waits for the other worker, as in a queue. */
static void count_migration(struct rvi_worker *w, const struct rvi_task *task, rv_time now)
{
    struct rvi_account *account = rvi_account_of(w, task);

    add(&w->probing.counts.migrations, 1);
    if (account) {
        account->migrations++;
        account->ready_since = now;
    }
    note_at(w, now, task->id, RVI_TRACE_MIGRATE, 0);
}

static void leave_task(struct rvi_worker *w, struct rvi_task *task, rv_time now)
{
    if (task->state == RVI_TASK_MOVING) {
        count_migration(w, task, now);
    } else if (task->state == RVI_TASK_PARKED) {
        task->state = RVI_TASK_PARKED_SEEN;
        count_park(w, task, now);
    } else if (task->why == RVI_WHY_NONE) {
        count_yield(w, task, now);
    } else {
        count_park(w, task, now);
        count_wake(w, task, now, 0);
    }
}

/* The run of whom the worker has switched to last is over. */
static void leave_last(struct rvi_worker *w, rv_time now)
{
    struct rvi_probing *probing = &w->probing;
    struct rvi_task *task = (struct rvi_task *)(uintptr_t)probing->task;
    uint64_t ran = (uint64_t)(now - probing->since);

    if (!task)
        return;
    add(&probing->counts.run_ns, ran);
    if (rvi_load_relaxed(&w->finished) != probing->finished) {
        note_at(w, now, probing->task_id, RVI_TRACE_END, 0);
        return;
    }
    struct rvi_account *account = rvi_account_of(w, task);
    if (account)
        account->run_ns += ran;
    leave_task(w, task, now);
}

static void enter_next(struct rvi_worker *w, struct rvi_task *next, rv_time now)
{
    struct rvi_account *account = rvi_account_of(w, next);

    next->why = RVI_WHY_NONE; /* so that a yield has none */
    if (account) {
        uint64_t queued = (uint64_t)(now - account->ready_since);
        account->queued_ns += queued;
        add(&w->probing.counts.queued_ns, queued);
    }
    if (next->ctx)
        note_at(w, now, next->id, RVI_TRACE_RESUME, 0);
    else
        note_at(w, now, next->id, RVI_TRACE_BEGIN, next->birth != w);
}

void rvi_probe_switch(struct rvi_worker *w, struct rvi_task *next)
{
    struct rvi_probing *probing = &w->probing;

    if (w->probes & RVI_PROBE_STALL)
        rvi_store_relaxed(&w->watched, next ? next->site : NULL);
    if (!(w->probes & (RVI_PROBE_ACCOUNT | RVI_PROBE_TRACE)))
        return;
    rv_time now = rvi_clock_now();
    leave_last(w, now);
    if (next)
        enter_next(w, next, now);
    probing->task = next;
    probing->task_id = next ? next->id : 0;
    probing->finished = rvi_load_relaxed(&w->finished);
    probing->since = now;
}

void rvi_probe_stay(struct rvi_worker *w, struct rvi_task *task)
{
    if (task->why == RVI_WHY_NONE || !(w->probes & (RVI_PROBE_ACCOUNT | RVI_PROBE_TRACE)))
        return;
    rv_time now = rvi_clock_now();
    count_park(w, task, now);
    count_wake(w, task, now, 0);
    task->why = RVI_WHY_NONE;
}

void rvi_probe_wake(struct rvi_worker *w, struct rvi_task *task)
{
    count_wake(w, task, rvi_clock_now(), current_id());
    rvi_worker_ready(w, task);
}
