/* SPDX-License-Identifier: MIT */
/* pause.h - hold workers still for a moment, so that another thread may look at what is theirs.
 *
 * Which schedulers there are is in one list (rvi_scheds); who has it locked knows that none of
 * them goes away. A worker is asked by a message and stops where it delivers messages, between two
 * tasks or inside rv_cancelled(): nothing of its queues, tasks, timers and scopes is half done
 * there, and it holds no lock. One that a task holds does not come by; it is given up on after a
 * while, and then nothing of it may be looked at but its atomics.
 *
 *     asker                                    worker
 *     IDLE -> ASKED, send                      deliver: ASKED -> HELD, wake, sleep while HELD
 *     sleep while ASKED, up to a limit
 *     HELD: look; -> GOING, wake               GOING -> IDLE: the last touch
 *     still ASKED: -> WITHDRAWN                deliver: WITHDRAWN -> IDLE
 *
 * The message lies in the worker itself; one that was withdrawn is still in the inbox when the next
 * asker comes, who then says ASKED again and sends none. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <ravel/time.h>

#include "base/atomic.h"
#include "queue/inbox.h"
#include "sys/ctx.h"

struct rvi_sched;
struct rvi_task;
struct rvi_worker;

enum rvi_pause_state {
    RVI_PAUSE_IDLE,
    RVI_PAUSE_ASKED,
    RVI_PAUSE_HELD,
    RVI_PAUSE_GOING,
    RVI_PAUSE_WITHDRAWN,
};

struct rvi_pause {
    struct rvi_msg msg;
    _Atomic(uint32_t) state; /* futex; enum rvi_pause_state */

    /* While HELD: */
    struct rvi_task *on; /* on whose stack the worker's code runs: its context is `regs`, not what
                             its descriptor says. NULL: on none */
    struct rvi_regs regs;
};

/** Into or out of the list of those that may be paused. Leaving waits for whoever looks just
 * now. */
void rvi_sched_enlist(struct rvi_sched *sched);
void rvi_sched_delist(struct rvi_sched *sched);

/** Where the list begins: for those who look from outside (task/layout.h, tools/rv_gdb.py). */
extern struct rvi_sched *rvi_scheds;

/** The first of them, linked by `next_sched`; between lock and unlock. A plain thread. */
struct rvi_sched *rvi_scheds_lock(void);
void rvi_scheds_unlock(void);

/** Ask all workers of a scheduler to stop, and wait until they have or `deadline`. The list is
 * locked; the caller is none of the workers. */
void rvi_sched_pause(struct rvi_sched *sched, rv_time deadline);

/** Whether a worker has stopped and may be looked at. */
static inline bool rvi_pause_is_held(const struct rvi_pause *pause)
{
    return rvi_load_acquire(&pause->state) == RVI_PAUSE_HELD; /* pairs: pause */
}

/** Let all that have stopped go on. */
void rvi_sched_resume(struct rvi_sched *sched);
