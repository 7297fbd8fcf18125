/* SPDX-License-Identifier: MIT */
/* processes_help.c - who waits for an end looks for it himself for a while, and collects what has
 * ended meanwhile, whosever it is.
 *
 * When parent and worker are both awake a job's way there and back takes some hundred nanoseconds,
 * and waking a sleeper fifty times that. So whoever waits spins first, for as long as that has been
 * worth it lately (shm/spin.h). While he does, the bell is not set and the worker makes no system
 * call; the last helper that leaves sets it, if anybody still waits.
 *
 * He spins without the lock, by looking at the states of the jobs that are the oldest of their
 * members, and goes back to it when one of these has ended, or when they are not the oldest any
 * more, which `turns` tells. He may look at the memory of a member that is buried meanwhile:
 *
 *   H1  whoever looks is one of `lookers`, and looks at members that were there when he became it
 *   H2  the memory of a buried member lies in `graves` until after that `lookers` was 0 once
 *
 * A task spins only while its worker has no other task that is ready.
 *
 * Rejected: taking the lock for each look, which costs a look twice its time, and others the lock;
 * a word in which workers say that something has ended, one more line of the cache that goes to and
 * fro with each job.
 *
 * Checked by: tests/unit/exec, tests/stress/stress_processes.c, bench/executor.c */
#include "exec/processes.h"

#include "base/check.h"
#include "sched/worker.h"
#include "sys/clock.h"

/* A deadline nearer than this is not spun towards. */
#define NEAR_NS (50 * RV_MICROSECOND)

enum { OLDEST_MOST = 8 };

/* The jobs that are the oldest of their members, by the states of their slots. */
struct oldest {
    const _Atomic(uint32_t) *states[OLDEST_MOST];
    unsigned count;
    bool are_all; /* otherwise only the lock helps */
    uint32_t turn;
};

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

/* --- with the lock --- */

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

/* Whether it is over. */
static bool look(struct rvi_processes *pool, bool (*is_over)(const void *arg), const void *arg,
                 struct rvi_owed *owed)
{
    uint32_t turn = rvi_load_relaxed(&pool->turns);

    rvi_owed_init(owed);
    rvi_processes_collect(pool, owed);
    if (is_over(arg))
        return true;
    if (rvi_load_relaxed(&pool->turns) != turn)
        rvi_processes_dispatch(&pool->ex);
    return false;
}

static void add_oldest(struct oldest *oldest, struct rvi_list *members)
{
    RVI_LIST_FOREACH(link, members) {
        const _Atomic(uint32_t) *state = rvi_ring_oldest(&rvi_member_of(link)->ring);
        if (state && oldest->count == OLDEST_MOST)
            oldest->are_all = false;
        else if (state)
            oldest->states[oldest->count++] = state;
    }
}

static void begin_to_look(struct rvi_processes *pool, struct oldest *ret)
{
    ret->count = 0;
    ret->are_all = true;
    ret->turn = rvi_load_relaxed(&pool->turns);
    add_oldest(ret, &pool->busy);
    add_oldest(ret, &pool->apart);
    pool->lookers++;
}

static void end_to_look(struct rvi_processes *pool)
{
    if (--pool->lookers == 0 && !rvi_list_is_empty(&pool->graves))
        rvi_processes_kick(pool);
}

/* --- without it --- */

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

static bool is_news(const struct rvi_processes *pool, const struct oldest *oldest)
{
    if (!oldest->are_all || rvi_load_relaxed(&pool->turns) != oldest->turn)
        return true;
    for (unsigned i = 0; i < oldest->count; i++) {
        if (rvi_ring_may_have_end(oldest->states[i]))
            return true;
    }
    return false;
}

/* Until it is time for the lock, but for a moment at least. Whether to go on after that. */
static bool spin(const struct rvi_processes *pool, const struct oldest *oldest,
                 const struct rvi_spin *limit, struct rvi_spin_turn *turn)
{
    bool goes_on;

    do
        goes_on = rvi_spin_again(limit, turn) && !others_are_ready();
    while (goes_on && !is_news(pool, oldest));
    return goes_on;
}

void rvi_processes_help(struct rv_executor *ex, bool (*is_over)(const void *arg), const void *arg,
                        rv_time deadline)
{
    struct rvi_processes *pool = rvi_processes_of(ex);
    struct rvi_spin_turn turn = {0};
    struct oldest oldest;
    struct rvi_owed owed;
    bool biased = rvi_bias_lock(&ex->lock);
    struct rvi_spin limit = pool->spin;
    bool goes_on = may_spin(pool, deadline), found;

    begin(pool);
    while (!(found = look(pool, is_over, arg, &owed)) && goes_on) {
        begin_to_look(pool, &oldest);
        rvi_bias_unlock(&ex->lock, biased);
        rvi_owed_pay(&owed);
        goes_on = spin(pool, &oldest, &limit, &turn);
        biased = rvi_bias_lock(&ex->lock);
        end_to_look(pool);
    }
    end(pool, found);
    rvi_bias_unlock(&ex->lock, biased);
    rvi_owed_pay(&owed);
}
