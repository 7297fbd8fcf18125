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
 * When that has been in vain he sleeps, and if nobody else does so already he leads: the bell is
 * set for him and not for the service, so that a worker wakes him and not somebody who then would.
 * He is also called when another has ended jobs, as one of them may be what he waits for. As soon
 * as others wait, or jobs do, the bell is the service's again: nobody shall depend on when a task
 * gets its turn.
 *
 * A task spins only while its worker has no other task that is ready.
 *
 * Rejected: taking the lock for each look, which costs a look twice its time, and others the lock;
 * a word in which workers say that something has ended, one more line of the cache that goes to and
 * fro with each job.
 *
 * Checked by: tests/unit/exec, tests/stress/stress_processes.c, bench/executor.c */
#include "exec/processes.h"

#include <errno.h>
#include <poll.h>

#include "io/call.h"
#include "sched/worker.h"
#include "sys/clock.h"
#include "sys/fd.h"

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

/* --- the bell --- */

static void call(struct rvi_processes *pool, enum rvi_bell_sleeper who)
{
    if (who == RVI_BELL_LEADER)
        rvi_fd_event_signal(pool->bell.fds[RVI_BELL_LEADER]);
    else
        rvi_processes_kick(pool);
}

static void set_bell(struct rvi_processes *pool, enum rvi_bell_sleeper who)
{
    if (pool->occupied == 0 || pool->bell_is_for == who || pool->helpers > 0)
        return;
    pool->bell_is_for = who;
    rvi_bell_set(&pool->bell, who);
    if (rvi_processes_has_end(pool))
        call(pool, who);
}

void rvi_processes_expect(struct rv_executor *ex)
{
    set_bell(rvi_processes_of(ex), RVI_BELL_SERVICE);
}

/* But for the leader. */
static bool somebody_waits(const struct rv_executor *ex)
{
    return ex->queued > 0 || ex->expecting > 0 || !rvi_waitlist_is_empty(&ex->submitters) ||
           !rvi_waitlist_is_empty(&ex->closers);
}

void rvi_processes_set_bell(struct rvi_processes *pool)
{
    if (somebody_waits(&pool->ex))
        set_bell(pool, RVI_BELL_SERVICE);
    else if (pool->leader_sleeps)
        set_bell(pool, RVI_BELL_LEADER);
    if (pool->leader_sleeps && pool->leader_knows != pool->ex.ended)
        call(pool, RVI_BELL_LEADER);
    pool->leader_knows = pool->ex.ended;
}

/* Whom it has rung for comes all the same. */
static void unset_bell(struct rvi_processes *pool)
{
    if (pool->bell_is_for == RVI_BELL_NOBODY)
        return;
    if (rvi_bell_unset(&pool->bell, pool->bell_is_for))
        pool->bell_is_for = RVI_BELL_NOBODY;
}

void rvi_processes_hear_bell(struct rvi_processes *pool, enum rvi_bell_sleeper who)
{
    (void)rvi_bell_unset(&pool->bell, who);
    if (pool->bell_is_for == who)
        pool->bell_is_for = RVI_BELL_NOBODY;
}

/* --- with the lock --- */

static void begin(struct rvi_processes *pool)
{
    pool->helpers++;
    unset_bell(pool);
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

/* --- asleep --- */

/* With the lock, and left with it. Errors: of rvi_io_poll(). */
static int sleep_as_leader(struct rvi_processes *pool, bool *biased, struct rvi_owed *owed,
                           rv_time deadline)
{
    int fd = pool->bell.fds[RVI_BELL_LEADER];

    pool->leader_sleeps = true;
    pool->leader_knows = pool->ex.ended;
    rvi_processes_set_bell(pool);
    rvi_bias_unlock(&pool->ex.lock, *biased);
    rvi_owed_pay(owed);
    int r = rvi_io_poll(fd, POLLIN, RVI_WHY_FUTURE, deadline);
    *biased = rvi_bias_lock(&pool->ex.lock);
    pool->leader_sleeps = false;
    rvi_fd_event_clear(fd);
    rvi_processes_hear_bell(pool, RVI_BELL_LEADER);
    return r < 0 ? r : 0;
}

int rvi_processes_lead(struct rv_executor *ex, bool (*is_over)(const void *arg), const void *arg,
                       rv_time deadline)
{
    struct rvi_processes *pool = rvi_processes_of(ex);
    struct rvi_owed owed;
    bool biased = rvi_bias_lock(&ex->lock), found = false;
    int r = pool->leader_sleeps ? -EBUSY : 0;

    rvi_owed_init(&owed);
    if (r == 0)
        found = look(pool, is_over, arg, &owed);
    while (r == 0 && !found) {
        r = sleep_as_leader(pool, &biased, &owed, deadline);
        found = look(pool, is_over, arg, &owed);
    }
    rvi_processes_dispatch(ex);
    rvi_bias_unlock(&ex->lock, biased);
    rvi_owed_pay(&owed);
    return !found && (r == -ETIME || r == -ECANCELED) ? r : 0;
}
