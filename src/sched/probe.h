/* SPDX-License-Identifier: MIT */
/* probe.h - whoever wants to see each switch of a worker: the stall watch, accounting, the trace.
 *
 * A worker's `probes` byte says who is on, from before its first task to after its last. It is
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
 * counts the wake too. A yield has none: whoever goes on is seen here, and loses it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <ravel/time.h>

#include "base/atomic.h"
#include "base/check.h"
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
    rv_time since;
    struct rvi_probe_counts counts;
    struct rvi_trace *trace; /* NULL: none */
};

/* What accounting keeps of a task: the cache line behind its descriptor. */
struct rvi_account {
    rv_time ready_since;
    uint64_t parks, yields, migrations, wakes, run_ns, queued_ns;
} __attribute__((aligned(RVI_CACHE_LINE)));

/** Switch on whatever `probes` says. Errors: -ENOMEM no ring of so many events. */
int rvi_probe_init(struct rvi_worker *w, uint8_t probes, uint64_t trace_events)
    __attribute__((warn_unused_result));

void rvi_probe_fini(struct rvi_worker *w);

/** Of a task of a worker that accounts; NULL when it does not. */
struct rvi_account *rvi_account_of(const struct rvi_worker *w, const struct rvi_task *task);

/** A descriptor has been made on its birth worker. */
void rvi_probe_new(struct rvi_worker *w, struct rvi_task *task) __attribute__((cold));

/** The worker is about to run `next`, NULL for nobody, whose state is still the one that it was
 * picked in. Whom it leaves may have ended and be gone. */
void rvi_probe_switch(struct rvi_worker *w, struct rvi_task *next) __attribute__((cold));

/** A task has picked itself: what it has parked for has come already, or it yielded to nobody. */
void rvi_probe_stay(struct rvi_worker *w, struct rvi_task *task) __attribute__((cold));

/** A task that PARKED_SEEN becomes ready. */
void rvi_probe_wake(struct rvi_worker *w, struct rvi_task *task) __attribute__((cold));

/** Note something else, if there is a trace. On the worker's thread. */
void rvi_probe_note(struct rvi_worker *w, uint64_t task_id, enum rvi_trace_kind kind, uint64_t arg)
    __attribute__((cold));
