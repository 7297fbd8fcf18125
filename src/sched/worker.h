/* SPDX-License-Identifier: MIT */
/* worker.h - a thread that runs tasks: its queues, and the few operations the rest of the room
 * needs. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/list.h"
#include "base/rng.h"
#include "base/spares.h"
#include "base/usdt.h"
#include "loop/loop.h"
#include "loop/sleeper.h"
#include "loop/timers.h"
#include "queue/deque.h"
#include "queue/inbox.h"
#include "sched/alarm.h"
#include "sched/here.h"
#include "sched/pause.h"
#include "sched/probe.h"
#include "sched/slab.h"
#include "sched/task.h"
#include "sched/why.h"
#include "sys/fault.h"
#include "sys/stack.h"

struct rvi_sched;
struct rvi_forks;

struct rvi_worker {
    /* --- its own thread's alone: first what each switch touches --- */
    struct rvi_task
        *next; /* runs before the ready queue: a partner just woken, warm in the cache */
    struct rvi_fifo ready;       /* tasks that have begun */
    struct rvi_qlink *round_end; /* in `ready`: when it has been picked, a fresh task has its turn;
                                    NULL: now */
    uint32_t next_left;
    uint32_t chores_every;    /* ticks between looks at the clock: fewer when tasks are long */
    uint64_t chores_tick;     /* the tick at which to look at the clock again */
    uint8_t probes;           /* enum rvi_probe: who sees its switches */
    bool reuses_stacks;       /* a finished task's stack serves the next one without a switch */
    _Atomic(uint32_t) now_ms; /* the clock when it was last looked at, at most 64 picks ago; others
                                 read it too */

    /* --- written by its own thread, read by others at any time --- */
    _Atomic(uint64_t) tick;       /* picks: changes as long as the worker gets on */
    _Atomic(uint64_t) unswitched; /* picks that led to no switch */
    _Atomic(uint64_t) next_id;    /* of the next task spawned here; counts them, in steps */
    _Atomic(uint64_t) finished, stolen, sleeps;
    _Atomic(const struct rv_site *) watched; /* of the current task, for the stall watch */

    /* --- its own thread's again --- */
    uint32_t fresh_taken;
    rv_time chores_time; /* of the last look */
    struct rvi_stack_cache stacks;
    uint64_t trimmed_finished; /* `finished` when the stacks were last trimmed */
    rv_time crowded_until;     /* others compute on this core: it does not stand in line for it */
    struct rvi_timers timers;  /* of scopes */
    struct rvi_alarms alarms;  /* of its tasks */
    struct rvi_loop *loop;     /* NULL until somebody waits for input or output here */
    uint64_t io_tick; /* in which so many calls of the current task did not have to wait: */
    uint32_t io_calls;
    struct rvi_slab slab;
    struct rvi_spares scopes; /* of the room above, whose scopes never leave their worker */
    struct rvi_forks *free_forks;
    struct rvi_rng rng;
    struct rvi_stack base; /* the thread's own stack */
    struct rvi_fault_thread fault;
    struct rvi_sched *sched;
    unsigned index;
    long old_slack;        /* of the thread's timers, before */
    uint32_t *seen;        /* the tick of each worker when it was last looked at for surplus */
    struct rvi_here *here; /* its thread's, for debuggers */
    int thread_id;         /* the kernel's */

    /* --- shared; they are cache-line aligned themselves --- */
    struct rvi_deque fresh; /* tasks that have not begun */
    struct rvi_inbox inbox;
    struct rvi_sleeper sleeper;
    struct rvi_pause pause;
    struct rvi_probing probing;
};

/** Set up everything but the thread. Errors: -ENOMEM. */
int rvi_worker_init(struct rvi_worker *w, struct rvi_sched *sched, unsigned index)
    __attribute__((warn_unused_result));

/** Free what init and the tasks have taken; nothing may be queued. */
void rvi_worker_fini(struct rvi_worker *w);

/** Make the calling thread this worker's. Errors: -ENOMEM no signal stack; -errno of asking for the
 * thread's bounds. */
int rvi_worker_enter(struct rvi_worker *w) __attribute__((warn_unused_result));

/** Run tasks until the scheduler stops. */
void rvi_worker_loop(struct rvi_worker *w);

/** Give the thread back what enter has changed. */
void rvi_worker_leave(struct rvi_worker *w);

/** A task that has begun becomes runnable on this worker, the calling thread's. */
static inline void rvi_worker_ready(struct rvi_worker *w, struct rvi_task *task)
{
    RV_DCHECK(rvi_load_relaxed(&task->home) == w && w == rvi_worker_self());
    RVI_USDT(task_ready, task->id);
    task->state = RVI_TASK_READY;
    if (rvi_task_self() && !w->next)
        w->next = task;
    else
        rvi_fifo_push(&w->ready, &task->run);
}

/** If a task of this worker, the calling thread's, is parked, let it look around: a wake without a
 * reason. */
static inline void rvi_worker_nudge(struct rvi_worker *w, struct rvi_task *task)
{
    if (task->state == RVI_TASK_PARKED)
        rvi_worker_ready(w, task);
    else if (rvi_unlikely(task->state == RVI_TASK_PARKED_SEEN))
        rvi_probe_wake(w, task);
}

/** Send a message to a worker and see to it that it looks. Any thread. */
void rvi_worker_send(struct rvi_worker *w, struct rvi_msg *msg);

/** Park the current task; it comes back when something has made it ready. */
void rvi_worker_park(struct rvi_worker *w, enum rvi_why why);

/** Continue the current task on another worker of the same scheduler. */
void rvi_worker_migrate(struct rvi_worker *w, struct rvi_worker *target);

/** This worker's loop, opened when it is first asked for. Errors: as rvi_loop_open(). */
int rvi_worker_open_loop(struct rvi_worker *w) __attribute__((warn_unused_result));

/** Read messages and fire timers, as between two tasks, for one that holds the worker: others may
 * become ready, none runs. From the current task, with nothing of it half done. */
void rvi_worker_catch_up(struct rvi_worker *w);

/** Whether the current task may keep its worker for a moment (microseconds) to see whether another
 * worker does what it waits for until `deadline`: there are cores for both, and nobody else to run
 * or to be woken here by now, nor other threads in need of this core. */
bool rvi_worker_may_spin(const struct rvi_worker *w, rv_time deadline);

/** Between two looks for what another worker may bring: let other threads have the core. If that
 * took long, the worker is crowded for a while, and had better sleep than look again. */
void rvi_worker_offer_core(struct rvi_worker *w);
bool rvi_worker_is_crowded(const struct rvi_worker *w);

/** Let the others run first. */
void rvi_worker_yield(struct rvi_worker *w);

/** A task of its own to run now, after a look at its timers and its loop; NULL: there is none. */
struct rvi_task *rvi_worker_find_own(struct rvi_worker *w);

/** When time has something to do here. */
rv_time rvi_worker_next_deadline(const struct rvi_worker *w);

/** The time now, noted for those who look at `now_ms`. */
rv_time rvi_worker_look_at_clock(struct rvi_worker *w);

/** How often it has gone from one stack to another. */
uint64_t rvi_worker_switches(const struct rvi_worker *w);

/** How many tasks it has spawned. */
uint64_t rvi_worker_spawned(const struct rvi_worker *w);

/** Add to a counter that others may read. */
static inline void rvi_count(_Atomic(uint64_t) *counter)
{
    rvi_store_relaxed(counter, rvi_load_relaxed(counter) + 1);
}
