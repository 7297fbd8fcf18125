/* SPDX-License-Identifier: MIT */
#include "sched/probe.h"

#include <errno.h>

#include "sched/roll.h"
#include "sched/sched.h"
#include "sched/worker.h"
#include "sys/clock.h"
#include "trace/shared.h"

/* --- on and off --- */

/* One of the two lists is always empty: with a trace the one at hand. */
static void exchange_spares(struct rvi_worker *w)
{
    struct rvi_spares at_hand = w->scopes;

    w->scopes = w->probing.scopes;
    w->probing.scopes = at_hand;
}

static void switch_trace_on(struct rvi_worker *w, struct rvi_trace *ring)
{
    w->probing.trace = ring;
    w->probing.between = w->probing.op_began = 0;
    if (!(w->probes & RVI_PROBE_ACCOUNT)) {
        w->probing.task = NULL; /* whoever was the last to be seen has long gone on */
        w->probing.task_id = 0;
    }
    if (!(w->probes & RVI_PROBE_TRACE))
        exchange_spares(w);
    w->probes |= RVI_PROBE_TRACE;
}

static void switch_trace_off(struct rvi_worker *w)
{
    w->probing.trace = w->probing.own;
    w->probing.op_began = 0;
    if (w->probing.own)
        return;
    w->probes &= (uint8_t)~RVI_PROBE_TRACE;
    exchange_spares(w);
}

void rvi_probe_follow(struct rvi_worker *w)
{
    struct rvi_probing *probing = &w->probing;

    if (!probing->may_record) {
        probing->seen = rvi_load_relaxed(&rvi_trace_door.wanted);
        return;
    }
    const struct rvi_recording *before = probing->recording;
    struct rvi_trace *ring = rvi_recorder_follow(&probing->recording, &probing->seen, w->sched,
                                                 w->sched->worker_count, w->index);
    probing->memory = ring ? rvi_recorder_memory(probing->recording) : NULL;
    if (ring && probing->recording != before) {
        switch_trace_on(w, ring);
        if (rvi_recorder_wants_names(probing->recording))
            rvi_roll_tell();
    } else if (before && !ring) {
        switch_trace_off(w);
    }
}

int rvi_probe_init(struct rvi_worker *w, uint8_t probes, uint64_t trace_events, bool may_record)
{
    struct rvi_probing *probing = &w->probing;

    probing->may_record = may_record;
    rvi_spares_forgo(&probing->scopes);
    w->probes = probes & (uint8_t)~RVI_PROBE_TRACE;
    if (probes & RVI_PROBE_TRACE) {
        probing->own = rvi_trace_new(trace_events);
        if (!probing->own)
            return -ENOMEM;
        switch_trace_on(w, probing->own);
    }
    if (probes & RVI_PROBE_ACCOUNT)
        w->slab.stride = sizeof(struct rvi_task) + sizeof(struct rvi_account);
    if (may_record)
        rvi_probe_follow(w);
    return 0;
}

void rvi_probe_fini(struct rvi_worker *w)
{
    rvi_recorder_leave(&w->probing.recording, w->sched);
    w->probing.memory = NULL;
    rvi_trace_free(w->probing.own);
    w->probing.own = w->probing.trace = NULL;
    rvi_spares_fini(&w->probing.scopes);
}

RVI_INLINE bool accounts(const struct rvi_worker *w)
{
    return w->probes & RVI_PROBE_ACCOUNT;
}

RVI_INLINE struct rvi_account *account_behind(const struct rvi_task *task)
{
    return (struct rvi_account *)(uintptr_t)(task + 1);
}

struct rvi_account *rvi_account_of(const struct rvi_worker *w, const struct rvi_task *task)
{
    return accounts(w) ? account_behind(task) : NULL;
}

RVI_INLINE void add(_Atomic(uint64_t) *counter, uint64_t amount)
{
    rvi_store_relaxed(counter, rvi_load_relaxed(counter) + amount);
}

/* A moment, for those who are on: nanoseconds for the account, ticks for the trace. Passed down by
 * value, so that what is written for both costs a trace alone nothing. */
struct moment {
    bool has_account;
    rv_time ns;
    struct rvi_trace *trace; /* NULL: none */
    uint64_t ticks;
};

RVI_INLINE struct moment moment_now(const struct rvi_worker *w, bool has_account)
{
    struct rvi_trace *trace = w->probing.trace;

    return (struct moment){
        .has_account = has_account,
        .ns = has_account ? rvi_clock_now() : 0,
        .trace = trace,
        .ticks = trace ? rvi_trace_now(trace) : 0,
    };
}

RVI_INLINE struct rvi_account *account_at(struct moment now, const struct rvi_task *task)
{
    return now.has_account ? account_behind(task) : NULL;
}

RVI_INLINE void note_at(struct moment now, uint64_t task_id, enum rvi_trace_kind kind, uint64_t arg)
{
    if (now.trace)
        rvi_trace_add(now.trace, now.ticks, task_id, kind, arg);
}

/* The call that goes on, before what is noted now. */
RVI_INLINE void note_op(struct rvi_probing *probing)
{
    if (rvi_likely(probing->op_began == 0))
        return;
    if (probing->task_id)
        rvi_trace_add(probing->trace, probing->op_began, probing->task_id, RVI_TRACE_OP,
                      probing->op);
    probing->op_began = 0;
}

void rvi_probe_note(struct rvi_worker *w, uint64_t task_id, enum rvi_trace_kind kind, uint64_t arg)
{
    struct rvi_trace *trace = w->probing.trace;

    if (!trace)
        return;
    note_op(&w->probing);
    rvi_trace_add(trace, rvi_trace_now(trace), task_id, kind, arg);
    w->probing.between = 0;
}

uint64_t rvi_probe_text(const struct rvi_worker *w, const char *name)
{
    struct rvi_trace_shared *memory = w->probing.memory;

    if (!memory || !name)
        return 0;
    return rvi_trace_shared_text(memory, (uintptr_t)name, name, "", 0);
}

static void note_name(const struct rvi_worker *w, struct moment now, const struct rvi_task *task)
{
    const struct rv_site *site = task->site;
    struct rvi_trace_shared *memory = w->probing.memory;

    if (memory)
        note_at(now, task->id, RVI_TRACE_NAME,
                rvi_trace_shared_text(memory, (uintptr_t)site, site->name, site->file, site->line));
}

/* Who runs; a task that is being left, while its worker looks for the next one, does not. */
RVI_INLINE uint64_t current_id(void)
{
    const struct rvi_task *self = rvi_task_self();

    return self && self->state == RVI_TASK_RUNNING ? self->id : 0;
}

void rvi_probe_new(struct rvi_worker *w, struct rvi_task *task)
{
    struct moment now = moment_now(w, accounts(w));
    struct rvi_account *account = account_at(now, task);

    note_op(&w->probing);
    if (account)
        *account = (struct rvi_account){.spawned_at = now.ns, .ready_since = now.ns};
    note_at(now, task->id, RVI_TRACE_SPAWN, current_id());
}

/* --- what a task has done when it is left --- */

/* It was told before the task parked, if at all: one that did not have to has another reason
 * now. */
RVI_INLINE uint64_t object_of(const struct rvi_worker *w, const struct rvi_task *task)
{
    return w->probing.object_why == (enum rvi_why)task->why ? w->probing.object : 0;
}

RVI_INLINE void count_park(struct rvi_worker *w, const struct rvi_task *task, struct moment now)
{
    struct rvi_account *account = account_at(now, task);

    add(&w->probing.counts.parks, 1);
    if (account)
        account->parks++;
    note_at(now, task->id, RVI_TRACE_PARK, rvi_trace_park_arg(task->why, object_of(w, task)));
}

RVI_INLINE void count_wake(struct rvi_worker *w, const struct rvi_task *task, struct moment now,
                           uint64_t by)
{
    struct rvi_account *account = account_at(now, task);

    add(&w->probing.counts.wakes, 1);
    if (account) {
        account->wakes++;
        account->ready_since = now.ns;
    }
    note_at(now, task->id, RVI_TRACE_WAKE, by);
}

RVI_INLINE void count_yield(struct rvi_worker *w, const struct rvi_task *task, struct moment now)
{
    struct rvi_account *account = account_at(now, task);

    add(&w->probing.counts.yields, 1);
    if (account) {
        account->yields++;
        account->ready_since = now.ns;
    }
    note_at(now, task->id, RVI_TRACE_YIELD, 0);
}

/* Under way it waits for the other worker, as in a queue. */
RVI_INLINE void count_migration(struct rvi_worker *w, const struct rvi_task *task,
                                struct moment now)
{
    struct rvi_account *account = account_at(now, task);

    add(&w->probing.counts.migrations, 1);
    if (account) {
        account->migrations++;
        account->ready_since = now.ns;
    }
    note_at(now, task->id, RVI_TRACE_MIGRATE, 0);
}

RVI_INLINE void leave_task(struct rvi_worker *w, struct rvi_task *task, struct moment now)
{
    if (rvi_likely(task->state == RVI_TASK_PARKED)) {
        task->state = RVI_TASK_PARKED_SEEN;
        count_park(w, task, now);
    } else if (task->state == RVI_TASK_MOVING) {
        count_migration(w, task, now);
    } else if (task->why == RVI_WHY_NONE) {
        count_yield(w, task, now);
    } else {
        count_park(w, task, now);
        count_wake(w, task, now, 0);
    }
}

/* The run of whom the worker has switched to last is over. */
RVI_INLINE void leave_last(struct rvi_worker *w, struct moment now)
{
    struct rvi_probing *probing = &w->probing;
    struct rvi_task *task = (struct rvi_task *)(uintptr_t)probing->task;
    uint64_t ran = (uint64_t)(now.ns - probing->since);

    if (!task)
        return;
    if (now.has_account)
        add(&probing->counts.run_ns, ran);
    if (rvi_load_relaxed(&w->finished) != probing->finished) {
        note_at(now, probing->task_id, RVI_TRACE_END, 0);
        return;
    }
    struct rvi_account *account = account_at(now, task);
    if (account)
        account->run_ns += ran;
    leave_task(w, task, now);
}

RVI_INLINE void enter_next(struct rvi_worker *w, struct rvi_task *next, struct moment now)
{
    struct rvi_account *account = account_at(now, next);

    next->why = RVI_WHY_NONE; /* so that a yield has none */
    if (account) {
        uint64_t queued = (uint64_t)(now.ns - account->ready_since);
        account->queued_ns += queued;
        add(&w->probing.counts.queued_ns, queued);
    }
    if (rvi_likely(next->ctx != NULL)) {
        note_at(now, next->id, RVI_TRACE_RESUME, 0);
        return;
    }
    note_at(now, next->id, RVI_TRACE_BEGIN, next->birth != w);
    note_name(w, now, next);
}

RVI_INLINE void note_switch(struct rvi_worker *w, struct rvi_task *next, bool has_account)
{
    struct rvi_probing *probing = &w->probing;
    struct moment now = moment_now(w, has_account);

    note_op(probing);
    leave_last(w, now);
    if (next)
        enter_next(w, next, now);
    probing->between = 0;
    probing->task = next;
    probing->task_id = next ? next->id : 0;
    probing->finished = rvi_load_relaxed(&w->finished);
    probing->since = now.ns;
}

static __attribute__((noinline)) void count_switch(struct rvi_worker *w, struct rvi_task *next)
{
    note_switch(w, next, true);
}

void rvi_probe_switch(struct rvi_worker *w, struct rvi_task *next)
{
    if (w->probes & RVI_PROBE_STALL)
        rvi_store_relaxed(&w->watched, next ? next->site : NULL);
    if (w->probes & RVI_PROBE_ACCOUNT)
        count_switch(w, next);
    else if (w->probes & RVI_PROBE_TRACE)
        note_switch(w, next, false);
}

void rvi_probe_stay(struct rvi_worker *w, struct rvi_task *task)
{
    w->probing.between = 0;
    if (task->why == RVI_WHY_NONE || !(w->probes & (RVI_PROBE_ACCOUNT | RVI_PROBE_TRACE)))
        return;
    struct moment now = moment_now(w, accounts(w));
    note_op(&w->probing);
    count_park(w, task, now);
    count_wake(w, task, now, 0);
    task->why = RVI_WHY_NONE;
}

/* Between two tasks a worker reads what has come for many in one go: one look for all of them. */
RVI_INLINE uint64_t ticks_of_wake(struct rvi_probing *probing, uint64_t by)
{
    if (by != 0)
        return rvi_trace_now(probing->trace);
    if (probing->between == 0)
        probing->between = rvi_trace_now(probing->trace);
    return probing->between;
}

void rvi_probe_wake(struct rvi_worker *w, struct rvi_task *task)
{
    uint64_t by = current_id();
    struct moment now = {.has_account = accounts(w), .trace = w->probing.trace};

    if (now.has_account)
        now.ns = rvi_clock_now();
    if (now.trace)
        now.ticks = ticks_of_wake(&w->probing, by);
    note_op(&w->probing);
    count_wake(w, task, now, by);
    rvi_worker_ready(w, task);
}

/* --- what the current task says of itself --- */

/* Of interest to whoever records alone. */
static void note_of_self(struct rvi_worker *w, enum rvi_trace_kind kind, uint64_t arg)
{
    if (w->probing.recording)
        rvi_probe_note(w, current_id(), kind, arg);
}

void rvi_probe_holder(struct rvi_worker *w, const struct rvi_task *holder)
{
    if (holder)
        note_of_self(w, RVI_TRACE_HELD, holder->id);
}

void rvi_probe_op(struct rvi_worker *w, unsigned kind, int fd)
{
    struct rvi_probing *probing = &w->probing;

    if (!probing->recording)
        return;
    probing->op = rvi_trace_op_arg(kind, fd);
    probing->op_began = rvi_trace_now(probing->trace);
}

/* Whether one event has room for it. */
RVI_INLINE bool is_short(uint64_t ticks, int64_t result)
{
    return ticks <= UINT32_MAX && result == (int32_t)result;
}

void rvi_probe_op_end(struct rvi_worker *w, int64_t result)
{
    struct rvi_probing *probing = &w->probing;

    if (!probing->recording)
        return;
    uint64_t now = rvi_trace_now(probing->trace), took = now - probing->op_began;
    if (rvi_likely(probing->op_began != 0 && is_short(took, result))) {
        rvi_trace_add(probing->trace, now, took << 32 | (uint32_t)result, RVI_TRACE_CALL,
                      probing->op);
        probing->op_began = 0;
        return;
    }
    note_op(probing);
    rvi_trace_add(probing->trace, now, current_id(), RVI_TRACE_OP_END,
                  rvi_trace_result_arg(result));
}

void rvi_probe_tell_name(struct rvi_worker *w, const char *name, enum rvi_why why)
{
    w->probing.object = rvi_probe_text(w, name);
    w->probing.object_why = why;
}

void rvi_probe_name(const void *thing, const char *name, uint64_t number)
{
    struct rvi_worker *w = rvi_worker_self();

    if (w && w->probing.memory) {
        uint64_t text =
            name ? rvi_trace_shared_text(w->probing.memory, rvi_trace_text_key(name), name, "", 0)
                 : 0;
        rvi_probe_note(w, (uintptr_t)thing, RVI_TRACE_THING, rvi_trace_thing_arg(text, number));
    } else if (rvi_recorder_listens()) {
        rvi_recorder_name(thing, name, number);
    }
}

void rvi_probe_rename(struct rvi_worker *w, const char *name)
{
    struct rvi_trace_shared *memory = w->probing.memory;

    if (memory)
        note_of_self(w, RVI_TRACE_NAME,
                     rvi_trace_shared_text(memory, rvi_trace_text_key(name), name, "", 0));
}
