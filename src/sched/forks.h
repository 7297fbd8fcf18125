/* SPDX-License-Identifier: MIT */
/* forks.h - fork stacks: where the forks of one task wait to be joined or taken. Its essay is in
 * forks.c; what the slots are is in <ravel/fork.h>. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <ravel/fork.h>

#include "base/atomic.h"
#include "base/check.h"
#include "sched/task.h"
#include "sys/lock.h"

struct rvi_sched;
struct rvi_worker;

struct rvi_forks {
    struct rvi_fork_stack seen; /* what inline code reads; split is written under the lock */
    /* the owner's */
    struct rvi_forks *next_free;
    struct rvi_fork_slot *hint; /* the next free slot, as far as functions without macros know */
    size_t entries;             /* calls of forkable functions from ordinary code */

    /* the thieves' line */
    _Alignas(RVI_CACHE_LINE) struct rvi_lock lock;
    _Atomic(uint32_t) lone_looks;        /* how often its only fork was passed by */
    _Atomic(struct rvi_fork_slot *) top; /* slots below are taken; written under the lock */
    struct rvi_task *task;               /* whose it is: stable while a fork is open */
    struct rvi_forks *next;              /* of all that the scheduler has ever had */

    _Alignas(RVI_CACHE_LINE) struct rvi_fork_slot slots[];
};

_Static_assert(sizeof(struct rvi_forks) == 2 * RVI_CACHE_LINE, "the owner's line, the thieves'");

static inline struct rvi_forks *rvi_forks_of(struct rvi_fork_slot *slot)
{
    return (struct rvi_forks *)(void *)rvi_fork_stack_of(slot);
}

/* --- the owner: a task, on its worker's thread --- */

/** Give the task a fork stack. NULL: no memory. */
struct rvi_forks *rvi_forks_take(struct rvi_worker *w, struct rvi_task *task);

/** Take it away again: nothing is forked any more. */
void rvi_forks_give(struct rvi_worker *w, struct rvi_forks *forks);

/* The slow half of rvi_forks_head(). */
struct rvi_fork_slot *rvi_forks_search(const struct rvi_forks *forks);

/** The next free slot. Forkable functions keep it to themselves: while one is being called, the
 * hint may be old. */
static inline struct rvi_fork_slot *rvi_forks_head(const struct rvi_forks *forks)
{
    return rvi_likely(forks->entries == 0) ? forks->hint : rvi_forks_search(forks);
}

/** A slot has been filled that nobody has been told of. */
void rvi_forks_call(struct rvi_forks *forks);

/** The last fork, which is public, comes back to its owner: true unless a thief has it. */
bool rvi_forks_reclaim(struct rvi_forks *forks, struct rvi_fork_slot *slot);

/** The last fork, which a thief had, is over. */
void rvi_forks_settle(struct rvi_forks *forks, struct rvi_fork_slot *slot);

/** What a task's children inherit changes under this lock while it may have forks. */
static inline void rvi_forks_lock(const struct rvi_task *task)
{
    if (rvi_unlikely(task->forks != NULL))
        rvi_lock_acquire(&task->forks->lock);
}

static inline void rvi_forks_unlock(const struct rvi_task *task)
{
    if (rvi_unlikely(task->forks != NULL))
        rvi_lock_release(&task->forks->lock);
}

/* --- thieves: any worker; the owner's own, too, while the owner does not run --- */

/** The first of all fork stacks, NULL when nobody has forked yet; `next` leads on. They stay until
 * the scheduler is closed. */
struct rvi_forks *rvi_forks_first(const struct rvi_sched *sched);

/** Whether a searching worker should try to take a fork. */
bool rvi_forks_tempts(struct rvi_forks *forks);

/** Take the oldest fork, the lock being held; NULL when there is none after all. Its kind is read
 * once: a joiner on its way to the lock has marked the slot EMPTY. */
struct rvi_fork_slot *rvi_forks_claim(struct rvi_forks *forks,
                                      const struct rvi_fork_kind **ret_kind);

/* --- who goes to sleep --- */

/** Ask every task to call at its next fork. Then a heavy fence, then a last look. */
void rvi_forks_arm(struct rvi_sched *sched);

/** Whether any task has at least so many forks to take. */
bool rvi_forks_have(const struct rvi_sched *sched, int count);

/* --- the scheduler's end --- */

void rvi_forks_fini(struct rvi_sched *sched);
