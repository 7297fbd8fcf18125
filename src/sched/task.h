/* SPDX-License-Identifier: MIT */
/* task.h - the descriptor of a task: what is known of it before it has a stack and while it has
 * one.
 *
 * Life:  FRESH -> RUNNING <-> READY, PARKED, MOVING -> DONE
 *   FRESH    in a deque; may be stolen; no stack
 *   RUNNING  current of its home worker
 *   READY    in its home's ready queue or next slot
 *   PARKED   nowhere: somebody holds a waiter, a timer or a message that leads to it
 *   MOVING   between two workers, as a message
 *   DONE     on its way back to its birth worker, or there
 *
 * Who may touch what:
 *   T1  birth fields: the birth worker, which allocated the descriptor, owns the scope's list that
 *       it is on, and frees it. From spawn to DONE they do not change, so that home may read them.
 *   T2  home fields: whichever worker has the fresh task in its hands, then the home worker.
 *   T3  home and poke: atomic, because the birth worker looks at them to forward a cancellation.
 * A finished task that was stolen travels back to its birth worker as a message. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <ravel/def.h>
#include <ravel/time.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/list.h"
#include "queue/inbox.h"
#include "sched/here.h"

struct rvi_worker;
struct rvi_stack;
struct rvi_cancel;
struct rv_scope;
struct rvi_local;
struct rvi_forks;

enum rvi_task_state {
    RVI_TASK_FRESH,
    RVI_TASK_READY,
    RVI_TASK_RUNNING,
    RVI_TASK_PARKED,
    RVI_TASK_MOVING,
    RVI_TASK_DONE,
    RVI_TASK_PARKED_SEEN, /* PARKED, and a probe wants to hear of its wake */
};

/* Whether a cancellation is on its way from the birth worker to the home worker: one at most in a
 * task's life. */
enum rvi_poke_state {
    RVI_POKE_NONE,
    RVI_POKE_SENT,
    RVI_POKE_ARRIVED,
    RVI_POKE_CLOSED, /* the task has ended: too late to send one; one under way brings it home */
};

/* Laid out so that parking and resuming touch the middle one of three cache lines, and of the stack
 * only what was saved on it. */
struct rvi_task {
    /* birth fields */
    struct rvi_msg msg; /* carries the finished task home, or a migrating one on */
    rv_fn *fn;
    void *arg;
    const struct rv_site *site;
    struct rvi_worker *birth;
    void (*ended)(struct rvi_task *task); /* on the birth worker's thread; frees the descriptor */
    void *group;                          /* whose child it is: the room above knows */
    struct rvi_link sibling;              /* in the group's list */

    /* home fields; `home` itself is read by the birth worker */
    struct rvi_qlink run; /* in the ready queue */
    void *ctx;            /* where it goes on (sys/ctx.h); NULL until it has begun */
    struct rvi_stack *stack;
    _Atomic(struct rvi_worker *) home; /* NULL until it has begun */
    const struct rvi_cancel *cancel;   /* the innermost token that its blocking calls look at */
    uint8_t state;                     /* enum rvi_task_state */
    uint8_t why;                       /* enum rvi_why, while PARKED */
    uint8_t shields; /* begun since the innermost scope was opened; until when: shield_until */
    _Atomic(uint8_t) poke; /* enum rvi_poke_state; between the two */
    union {
        int result;         /* once DONE */
        uint32_t parked_ms; /* while PARKED: since when, by its worker's now_ms */
    };
    struct rv_scope *scopes; /* the innermost open one that it owns */
    rv_time shield_until;
    struct rvi_local *locals;
    char *own_name;
    struct rvi_forks *forks; /* while forks may be open */

    /* between the two */
    struct rvi_msg poke_msg;
    uint64_t id; /* a birth field */
} __attribute__((aligned(RVI_CACHE_LINE)));

_Static_assert(sizeof(struct rvi_task) == 3 * RVI_CACHE_LINE, "a million tasks count every line");

/** Fetch what is about to be touched: a million tasks do not fit into a cache, and each that starts
 * or ends touches all three lines. */
static inline void rvi_task_prefetch(const struct rvi_task *task)
{
    rvi_prefetch(task, 0);
    rvi_prefetch(task, RVI_CACHE_LINE);
    rvi_prefetch(task, 2 * RVI_CACHE_LINE);
}

/** Send the task's poke_msg (its deliver set by the caller) to its home worker, wherever that is by
 * then. On the birth worker's thread, when the task's home is another worker, once. Does nothing
 * for a task that has ended; one that has not begun must look at its token when it begins: see
 * rvi_task_home. */
void rvi_task_poke(struct rvi_task *task);

/** The task is over and goes back to its birth worker, whose `ended` gets it: at once, or when a
 * poke that is under way has found it. Not a moment earlier, because the message lives in the
 * descriptor; and waiting for it here would hold this worker for as long as a task holds the one
 * that has the message. On the home worker's thread; the task may be gone afterwards. */
void rvi_task_retire(struct rvi_task *task);

/** The message has arrived. On the thread of the worker that it was sent to. False: nothing is to
 * be done any more; the task has moved on and the message was sent after it, or it has ended and is
 * gone. After true, say poke_done, last of all. */
bool rvi_task_poke_is_here(struct rvi_task *task);
void rvi_task_poke_done(struct rvi_task *task);

/** The home worker, NULL while it has not begun, as seen after the task's token was set: a task
 * that begins later sees the token. */
struct rvi_worker *rvi_task_home(struct rvi_task *task);

/** Its name: the one it took, or its site's. */
const char *rvi_task_name(const struct rvi_task *task);
