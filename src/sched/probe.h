/* SPDX-License-Identifier: MIT */
/* probe.h - whoever wants to see each switch of a worker: the stall watch, accounting, the trace.
 *
 * A worker's `probes` byte says who is on, from before its first task to after its last; but for
 * the trace, which others may ask for and give up at any time (trace/recorder.h): then it begins
 * and ends between two tasks, where the worker looks at the clock and after its sleep. The byte is
 * tested at most once where tasks change hands, and everything else happens here, out of line:
 *
 *     spawn     rvi_task_new() tests it, and the way without a call is closed
 *     switch    worker.c: leave() and succeed() test it; set_current() then tells
 *     stay      a task that picks itself again, a cold branch in any case, tests it
 *     wake      nobody does: rvi_probe_switch() turns the state PARKED into PARKED_SEEN, which
 *               rvi_worker_nudge() has to tell from all others anyway, and comes here for it
 *
 * A task woken between its park and its switch, by a message that its own worker reads while it
 * picks the next one, is not yet SEEN: rvi_probe_switch() finds it READY with a reason to wait, and
 * counts the wake too. A yield has none: whoever goes on is seen here, and loses it.
 *
 * Scopes are noted where they are made anew and given back for good, which nobody does who finds
 * spares: a worker that traces has its spares in another list, which only the way around looks at.
 *
 * A call for input or output is noted when it is over, in one event, or before the next one that
 * its worker notes if that comes first: most calls do not wait.
 *
 * What a trace costs while it is on is that of a program under `ravel trace`, so the way of a
 * switch and of a wake with nothing but a trace is short too: one look at the counter, no account,
 * nothing that follows from what is noted. bench/README.md has the figure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <ravel/time.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/spares.h"
#include "sched/why.h"
#include "trace/recorder.h"
#include "trace/ring.h"

struct rvi_worker;
struct rvi_task;

enum rvi_probe {
    RVI_PROBE_STALL = 1,   /* `watched` is kept for the stall watch */
    RVI_PROBE_ACCOUNT = 2, /* times and counts of each task and worker */
    RVI_PROBE_TRACE = 4,   /* the ring is written */
};

/* What is counted of a worker; written by its own thread. */
struct rvi_probe_counts {
    _Atomic(uint64_t) parks, yields, migrations, wakes, run_ns, queued_ns;
};

/* What accounting and trace keep of a worker. */
struct rvi_probing {
    const struct rvi_task *task; /* whom it has switched to; NULL: nobody. It may be gone */
    uint64_t task_id;
    uint64_t finished; /* the worker's count then: whether the task has ended since */
    rv_time since;     /* of the account */
    struct rvi_probe_counts counts;
    struct rvi_trace *trace;         /* NULL: none */
    struct rvi_trace *own;           /* the one that the runtime keeps; NULL: none */
    struct rvi_recording *recording; /* where `trace` lies; NULL: it is `own` */
    struct rvi_trace_shared *memory; /* of that; NULL likewise */
    uint64_t seen;                   /* the last that was asked for */
    uint64_t object; /* that the current task is about to wait for, if it is for this reason: */
    enum rvi_why object_why;
    bool may_record;
    uint64_t op_began, op;    /* of the current task's call, which is not noted yet; 0: of none */
    struct rvi_spares scopes; /* those of a worker that traces: its own list stays empty */
    uint64_t between;         /* the look at the clock that all wakes of one turn share which come
                                 while no task runs; 0: none yet */
};

/* What accounting keeps of a task: the cache line behind its descriptor. */
struct rvi_account {
    rv_time spawned_at, ready_since;
    uint64_t parks, yields, migrations, wakes, run_ns, queued_ns;
} __attribute__((aligned(RVI_CACHE_LINE)));

/** Switch on whatever `probes` says.
 *
 * @param trace_events  of a ring of its own
 * @param may_record    also what another program asks for
 * Errors: -ENOMEM there is none for the ring */
int rvi_probe_init(struct rvi_worker *w, uint8_t probes, uint64_t trace_events, bool may_record)
    __attribute__((warn_unused_result));

void rvi_probe_fini(struct rvi_worker *w);

/** What the current task is about to wait for. */
static inline void rvi_probe_tell(struct rvi_probing *probing, const void *object, enum rvi_why why)
{
    probing->object = (uintptr_t)object;
    probing->object_why = why;
}

/** The same of what has no address but a name. */
void rvi_probe_tell_name(struct rvi_worker *w, const char *name, enum rvi_why why)
    __attribute__((cold));

/** Whether to follow, between two tasks; who is recorded does so with its other chores in any
 * case. */
static inline bool rvi_probe_is_called(const struct rvi_probing *probing)
{
    return rvi_recorder_calls(probing->memory, probing->seen);
}

/** Begin or cease to be recorded by another program, if one has asked. On the worker's thread,
 * while it picks. */
void rvi_probe_follow(struct rvi_worker *w) __attribute__((cold));

/** Of a task of a worker that accounts; NULL when it does not. */
struct rvi_account *rvi_account_of(const struct rvi_worker *w, const struct rvi_task *task);

/** A descriptor has been made on its birth worker. */
void rvi_probe_new(struct rvi_worker *w, struct rvi_task *task) __attribute__((cold));

/** The worker is about to run `next`, NULL for nobody, whose state is still the one that it was
 * picked in. Whom it leaves may have ended and be gone. */
void rvi_probe_switch(struct rvi_worker *w, struct rvi_task *next);

/** A task has picked itself: what it has parked for has come already, or it yielded to nobody. */
void rvi_probe_stay(struct rvi_worker *w, struct rvi_task *task) __attribute__((cold));

/** A task that PARKED_SEEN becomes ready. */
void rvi_probe_wake(struct rvi_worker *w, struct rvi_task *task);

/** The number of a name in a recorded run; 0 in others. On the worker's thread. */
uint64_t rvi_probe_text(const struct rvi_worker *w, const char *name) __attribute__((cold));

/** Note something else, if there is a trace. On the worker's thread. */
void rvi_probe_note(struct rvi_worker *w, uint64_t task_id, enum rvi_trace_kind kind, uint64_t arg);

/** Note who has the lock that the current task is about to wait for; NULL: no task. */
void rvi_probe_holder(struct rvi_worker *w, const struct rvi_task *holder) __attribute__((cold));

/** Note that the current task begins, has ended a call for input or output. */
void rvi_probe_op(struct rvi_worker *w, unsigned kind, int fd);
void rvi_probe_op_end(struct rvi_worker *w, int64_t result);

/** Note that what tasks wait for there is called so from now on. Any thread, recorded or not.
 *
 * @param thing   the address of which rvi_probe_tell() hears
 * @param name    NULL: nothing is, by that number */
void rvi_probe_name(const void *thing, const char *name, uint64_t number) __attribute__((cold));

/** Note what the current task is called from now on. */
void rvi_probe_rename(struct rvi_worker *w, const char *name) __attribute__((cold));
