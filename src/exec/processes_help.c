/* SPDX-License-Identifier: MIT */
/* processes_help.c - who waits for an end looks for it himself for a while, and collects what has
 * ended meanwhile, whosever it is.
 *
 * When parent and worker are both awake a job's way there and back takes some hundred nanoseconds,
 * and waking a sleeper fifty times that. So whoever waits spins first, for as long as that has been
 * worth it lately (shm/spin.h). While he does, the bell is not set and the worker makes no system
 * call; the last helper that leaves sets it, if anybody still waits.
 *
 * A task spins only while its worker has no other task that is ready.
 *
 * Checked by: tests/unit/exec, bench/process.c */
#include "exec/processes.h"

#include "base/check.h"
#include "sched/worker.h"
#include "sys/clock.h"

/* A deadline nearer than this is not spun towards. */
#define NEAR_NS (50 * RV_MICROSECOND)

void rvi_processes_expect(struct rv_executor *ex)
{
    struct rvi_processes *pool = rvi_processes_of(ex);

    if (pool->occupied == 0 || pool->bell_is_set || pool->helpers > 0)
        return;
    pool->bell_is_set = true;
    rvi_bell_set(&pool->bell, RVI_BELL_SERVICE);
    if (rvi_processes_has_end(pool))
        rvi_processes_kick(pool);
}

static void begin(struct rvi_processes *pool)
{
    pool->helpers++;
    if (pool->bell_is_set && rvi_bell_unset(&pool->bell, RVI_BELL_SERVICE))
        pool->bell_is_set = false;
}

static void end(struct rvi_processes *pool, bool found)
{
    pool->helpers--;
    rvi_spin_end(&pool->spin, found);
    rvi_processes_dispatch(&pool->ex);
}

/* With the lock. Whether it is over. */
static bool look(struct rvi_processes *pool, bool (*is_over)(const void *arg), const void *arg,
                 struct rvi_owed *owed)
{
    if (rvi_processes_has_end(pool)) {
        rvi_processes_collect(pool, owed);
        rvi_processes_dispatch(&pool->ex);
    }
    return is_over(arg);
}

static bool others_are_ready(void)
{
    const struct rvi_worker *worker = rvi_worker_self();

    return worker && (worker->next || !rvi_fifo_is_empty(&worker->ready));
}

static bool may_spin(const struct rvi_processes *pool, rv_time deadline)
{
    return pool->occupied > 0 && !others_are_ready() &&
           (deadline == RV_NEVER || deadline > rvi_clock_now() + NEAR_NS);
}

void rvi_processes_help(struct rv_executor *ex, bool (*is_over)(const void *arg), const void *arg,
                        rv_time deadline)
{
    struct rvi_processes *pool = rvi_processes_of(ex);
    struct rvi_spin_turn turn = {0};
    struct rvi_owed owed;
    bool biased = rvi_bias_lock(&ex->lock);
    struct rvi_spin spin = pool->spin;
    bool spins = may_spin(pool, deadline), found;

    begin(pool);
    for (;;) {
        rvi_owed_init(&owed);
        found = look(pool, is_over, arg, &owed);
        if (found || !spins)
            break;
        rvi_bias_unlock(&ex->lock, biased);
        rvi_owed_pay(&owed);
        spins = rvi_spin_again(&spin, &turn) && !others_are_ready();
        biased = rvi_bias_lock(&ex->lock);
    }
    end(pool, found);
    rvi_bias_unlock(&ex->lock, biased);
    rvi_owed_pay(&owed);
}
