/* SPDX-License-Identifier: MIT */
#include "sched/pause.h"

#include <errno.h>
#include <pthread.h>
#include <ucontext.h>

#include "base/check.h"
#include "base/seam.h"
#include "sched/sched.h"
#include "sys/futex.h"
#include "sys/thread.h"

/* --- the list --- */

struct rvi_sched *rvi_scheds;

/* Held over a whole look, which rvi_lock is not made for. */
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;

struct rvi_sched *rvi_scheds_lock(void)
{
    pthread_mutex_lock(&list_lock);
    return rvi_scheds;
}

void rvi_scheds_unlock(void)
{
    pthread_mutex_unlock(&list_lock);
}

/* A simulation has no other threads that could look. */
void rvi_sched_enlist(struct rvi_sched *sched)
{
    if (rvi_seam)
        return;
    sched->next_sched = rvi_scheds_lock();
    rvi_scheds = sched;
    rvi_scheds_unlock();
}

void rvi_sched_delist(struct rvi_sched *sched)
{
    if (rvi_seam)
        return;
    rvi_scheds_lock();
    struct rvi_sched **at = &rvi_scheds;
    while (*at != sched)
        at = &(*at)->next_sched;
    *at = sched->next_sched;
    rvi_scheds_unlock();
}

/* --- the worker's side --- */

static void hold_still(struct rvi_pause *pause)
{
    ucontext_t here;

    getcontext(&here); /* cannot fail */
    rvi_ctx_regs_of_ucontext(&here, &pause->regs);
    pause->on = rvi_here.task;
    uint32_t asked = RVI_PAUSE_ASKED;
    if (rvi_cas_acq_rel(&pause->state, &asked, RVI_PAUSE_HELD)) { /* pairs: pause */
        rvi_futex_wake(&pause->state, 1);
        while (rvi_load_acquire(&pause->state) == RVI_PAUSE_HELD) /* pairs: pause */
            rvi_futex_wait(&pause->state, RVI_PAUSE_HELD, RV_NEVER);
    }
    rvi_store_release(&pause->state, RVI_PAUSE_IDLE); /* pairs: pause */
}

static void deliver(struct rvi_msg *msg, void *receiver)
{
    (void)receiver;
    hold_still(rvi_container_of(msg, struct rvi_pause, msg));
}

/* --- the asker's side --- */

static void ask(struct rvi_worker *w)
{
    struct rvi_pause *pause = &w->pause;
    uint32_t withdrawn = RVI_PAUSE_WITHDRAWN;

    if (rvi_cas_acq_rel(&pause->state, &withdrawn, RVI_PAUSE_ASKED)) /* pairs: pause */
        return;
    while (rvi_load_acquire(&pause->state) == RVI_PAUSE_GOING) /* pairs: pause */
        rvi_thread_yield();
    pause->msg.deliver = deliver;
    rvi_store_relaxed(&pause->state, RVI_PAUSE_ASKED);
    rvi_worker_send(w, &pause->msg);
}

static void await(struct rvi_pause *pause, rv_time deadline)
{
    uint32_t asked = RVI_PAUSE_ASKED;

    while (rvi_load_acquire(&pause->state) == RVI_PAUSE_ASKED) { /* pairs: pause */
        if (rvi_futex_wait(&pause->state, RVI_PAUSE_ASKED, deadline) == -ETIME) {
            rvi_cas_acq_rel(&pause->state, &asked, RVI_PAUSE_WITHDRAWN); /* pairs: pause */
            return;
        }
    }
}

void rvi_sched_pause(struct rvi_sched *sched, rv_time deadline)
{
    for (unsigned i = 0; i < sched->worker_count; i++)
        ask(&sched->workers[i]);
    for (unsigned i = 0; i < sched->worker_count; i++)
        await(&sched->workers[i].pause, deadline);
}

void rvi_sched_resume(struct rvi_sched *sched)
{
    for (unsigned i = 0; i < sched->worker_count; i++) {
        struct rvi_pause *pause = &sched->workers[i].pause;
        if (!rvi_pause_is_held(pause))
            continue;
        rvi_store_release(&pause->state, RVI_PAUSE_GOING); /* pairs: pause */
        rvi_futex_wake(&pause->state, 1);
    }
}
