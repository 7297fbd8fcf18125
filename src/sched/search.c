/* SPDX-License-Identifier: MIT */
/* search.c - what a worker does that has nobody to run: it searches, then it sleeps.
 *
 * It looks around some times: at its messages, its timers and its loop, at what others have to
 * steal, at forks. Then it says that it sleeps, looks a last time at what might have come
 * meanwhile, and sleeps until it is called or its next timer is due.
 *
 * Going to sleep loses no wake-up
 *   Messages: the sender pushes (seq_cst RMW), then reads the sleeper's state (seq_cst). The worker
 *   stores ASLEEP (seq_cst), then reads its inbox (seq_cst). One of them sees the other.
 *   Completions: only this worker collects them, and one that comes after its last look ends the
 *   kernel's wait, or its beginning. Which of the two ways to sleep it takes cannot change between
 *   announcement and sleep: operations are submitted and completed by this thread. A waker acts by
 *   what was announced, a futex wake or a signal to the eventfd, which the loop watches.
 *   Fresh tasks elsewhere, two or more: the spawner stores its deque's bottom, light fence, reads
 *   `attention`. The worker adds itself to `attention`, heavy fence, reads every deque. One sees
 *   the other: either the spawner wakes somebody, or the worker does not sleep. A spawner that
 *   finds a searcher wakes nobody: the searcher looks at every deque once more before it sleeps,
 *   and a searcher that finds work wakes the next one if it leaves surplus behind, wherever. (The
 *   spawner stores its deque's bottom, fence, reads `searching`; the searcher takes itself off
 *   `searching`, fence, reads every deque.) A thief that stole several calls the monitor as if it
 *   had spawned them.
 *   A lone fresh task wakes nobody at once: mostly its spawner waits for it in the next instant,
 *   and a wake costs 7 us on the waker. It is the monitor's to notice that its worker does not come
 *   to it.
 *
 * A core that others compute on
 *   The kernel gives who computes whole slices, 3 to 4 ms, and who has yielded stands in line
 *   behind them: no wake-up calls it, since it does not sleep. Sixteen looks are then 20 ms, in
 *   which completions and messages lie. One who sleeps is called and mostly preempts. So a worker
 *   whose turn came back late is crowded: for CROWDED_NS (worker.c) it neither searches nor spins,
 *   and sleeps at once. Sleep, wake and their 100 us are the smaller price then.
 *
 * Rejected: waking a worker at each spawn (see above). Looking without yielding on a crowded core:
 * it takes the time from whoever is waited for.
 * Checked by: tests/unit/sched/test_search.c, tests/stress, tests/explore */
#include "sched/search.h"

#include "base/check.h"
#include "base/usdt.h"
#include "sched/forks.h"
#include "sched/probe.h"
#include "sched/sched.h"
#include "sched/worker.h"
#include "sys/clock.h"
#include "sys/cpu.h"
#include "sys/fence.h"

enum {
    STEAL_MOST = 32,   /* fresh tasks taken from a victim at one time */
    SEARCH_LEAST = 16, /* looks around before sleep, at least */
    SPIN_PAUSES = 32,  /* between two of them */
    STACKS_KEPT = 16,  /* cached stacks that keep their memory while the worker sleeps */
};

#define SEARCH_NS (40 * RV_MICROSECOND) /* about what a futex wake costs */
#define TRIM_AFTER_NS (100 * RV_MILLISECOND)

/* --- searching --- */

bool rvi_worker_has_surplus(const struct rvi_worker *w, uint32_t *seen_tick)
{
    int64_t waiting = rvi_load_relaxed(&w->fresh.bottom) - rvi_load_relaxed(&w->fresh.top);
    uint32_t tick = (uint32_t)rvi_load_relaxed(&w->tick);

    if (waiting <= 0) {
        *seen_tick = tick - 1;
        return false;
    }
    bool was_seen = *seen_tick == tick;
    *seen_tick = tick;
    return waiting > 1 || was_seen ||
           rvi_seam; /* simulated: its worker may be as slow as it likes */
}

/* While they were in this worker's hands nobody saw them: the monitor may have gone to sleep
 * meanwhile, and a worker that has looks at what is left behind when this one stops searching. */
static void own_up(struct rvi_worker *w)
{
    rvi_fence_light(); /* pairs: spawn-look */
    if (rvi_load_relaxed(&w->sched->attention))
        rvi_monitor_call(w->sched);
}

/* Take fresh tasks off another worker: the first to run, the rest into the own deque. */
static struct rvi_task *steal_from(struct rvi_worker *w, struct rvi_worker *victim)
{
    void *loot[STEAL_MOST];
    size_t n = rvi_deque_steal(&victim->fresh, loot, STEAL_MOST);

    for (size_t i = 0; i < n; i++)
        rvi_task_prefetch(loot[i]); /* all misses at one time */
    for (size_t i = n; i > 1; i--) {
        struct rvi_task *task = loot[i - 1];
        if (rvi_deque_push(&w->fresh, task) < 0)
            rvi_fifo_push(&w->ready, &task->run); /* no memory: it can still run here */
    }
    if (n > 1)
        own_up(w);
    if (n > 0)
        RVI_USDT(worker_steal, w->index, victim->index, n);
    if (rvi_unlikely(w->probes) && n > 0)
        rvi_probe_note(w, 0, RVI_TRACE_STEAL, (uint64_t)victim->index << 32 | n);
    return n ? loot[0] : NULL;
}

static struct rvi_task *steal(struct rvi_worker *w, uint32_t *seen)
{
    unsigned n = w->sched->worker_count;
    unsigned start = (unsigned)rvi_rng_below(&w->rng, n);

    for (unsigned i = 0; i < n; i++) {
        struct rvi_worker *victim = &w->sched->workers[(start + i) % n];
        if (victim == w || !rvi_worker_has_surplus(victim, &seen[victim->index]))
            continue;
        struct rvi_task *task = steal_from(w, victim);
        if (task)
            return task;
    }
    return NULL;
}

static struct rvi_task *look_around(struct rvi_worker *w)
{
    struct rvi_task *task = rvi_worker_find_own(w);

    if (!task && w->sched->worker_count > 1)
        task = steal(w, w->seen);
    if (!task && rvi_forks_first(w->sched))
        task = w->sched->steal_fork(w);
    if (!task)
        rvi_count(&w->unswitched);
    return task;
}

static bool is_stopping(const struct rvi_worker *w)
{
    return rvi_load_seq_cst(&w->sched->stopping); /* pairs: sched-stopping */
}

/* Counted as searching. Returns a task, or NULL after SEARCH_NS without one, but if half of the
 * workers search already after SEARCH_LEAST looks.
 *
 * Between two looks it offers its core to others: where cores are scarce, the worker that it waits
 * for may be in line for this very one, and would otherwise get it only when the search is over and
 * sleep, wake and their 100 us are paid for. A turn of others can use up all of SEARCH_NS, so there
 * are some looks in any case; but none once somebody has computed through a slice of the core. */
static struct rvi_task *search(struct rvi_worker *w)
{
    struct rvi_sched *sched = w->sched;
    bool lingers = rvi_load_relaxed(&sched->searching) * 2 <= sched->worker_count;
    rv_time now = rvi_worker_look_at_clock(w);
    rv_time until = lingers ? now + SEARCH_NS : 0;
    int looks = 0;

    do {
        struct rvi_task *task = look_around(w);
        if (task)
            return task;
        if (!sched->spins || is_stopping(w) || rvi_worker_is_crowded(w))
            return NULL;
        for (int i = 0; i < SPIN_PAUSES && rvi_inbox_looks_empty(&w->inbox); i++)
            rvi_cpu_relax();
        rvi_worker_offer_core(w);
    } while (++looks < SEARCH_LEAST || rvi_clock_now() < until);
    return NULL;
}

/* --- sleeping --- */

/* The last look before sleep; ASLEEP has been announced. */
static bool must_stay_awake(struct rvi_worker *w)
{
    if (!rvi_inbox_looks_empty_seq_cst(&w->inbox) || is_stopping(w)) /* pairs: inbox-sleep */
        return true;
    if (w->sched->worker_count == 1)
        return false;
    rvi_forks_arm(w->sched);
    rvi_fence_heavy(); /* pairs: spawn-look, fork-look */
    for (unsigned i = 0; i < w->sched->worker_count; i++) {
        struct rvi_worker *other = &w->sched->workers[i];
        if (rvi_worker_has_surplus(other, &w->seen[i]))
            return true;
    }
    return rvi_forks_have(w->sched, 2);
}

/* Sleep has been announced. With operations under way it ends for no reason at times. */
static enum rvi_sleeper_state sleep_until(struct rvi_worker *w, rv_time limit)
{
    if (!rvi_loop_is_busy(w->loop))
        return rvi_sleeper_sleep(&w->sleeper, limit);
    if (rvi_sleeper_may_sleep(&w->sleeper))
        rvi_loop_sleep(w->loop, limit);
    return rvi_sleeper_cancel(&w->sleeper);
}

/* Sleep until somebody calls or the next timer is due. Whoever sleeps for long gives back what the
 * stacks of ended tasks hold: not at once, because the next burst would fault it all in again. */
static enum rvi_sleeper_state sleep_and_trim(struct rvi_worker *w)
{
    uint64_t finished = rvi_load_relaxed(&w->finished);
    rv_time limit = rvi_worker_next_deadline(w);
    rv_time trim_time =
        finished == w->trimmed_finished ? RV_NEVER : rvi_clock_now() + TRIM_AFTER_NS;

    rvi_count(&w->sleeps);
    if (limit <= trim_time)
        return sleep_until(w, limit);
    enum rvi_sleeper_state woken = sleep_until(w, trim_time);
    if (woken == RVI_SLEEPER_AWAKE && rvi_clock_now() >= trim_time) {
        rvi_stack_cache_trim(&w->stacks, STACKS_KEPT);
        w->trimmed_finished = finished;
    }
    return woken;
}

/* Returns whether the waker has counted this worker as searching. */
static bool sleep_until_called(struct rvi_worker *w)
{
    struct rvi_sched *sched = w->sched;
    enum rvi_sleeper_state woken;

    rvi_sleeper_prepare(&w->sleeper, rvi_loop_is_busy(w->loop) ? RVI_SLEEPER_ASLEEP_IN_LOOP
                                                               : RVI_SLEEPER_ASLEEP);
    rvi_fetch_add_seq_cst(&sched->attention, 1); /* pairs: attention */
    if (must_stay_awake(w)) {
        woken = rvi_sleeper_cancel(&w->sleeper);
        rvi_point(RVI_POINT_SPIN); /* whoever has the work may be in the middle of something */
    } else
        woken = sleep_and_trim(w);
    rvi_fetch_sub_seq_cst(&sched->attention, 1); /* pairs: attention */
    return woken == RVI_SLEEPER_ENLISTED;
}

/* --- one after the other --- */

/* More than its worker comes to next: of another's, one; of the own, none, as a task has just been
 * found. */
static bool leaves_surplus(struct rvi_worker *w)
{
    for (unsigned i = 0; i < w->sched->worker_count; i++) {
        const struct rvi_deque *fresh = &w->sched->workers[i].fresh;
        int64_t waiting = rvi_load_relaxed(&fresh->bottom) - rvi_load_relaxed(&fresh->top);
        if (waiting > (fresh != &w->fresh))
            return true;
    }
    return rvi_forks_have(w->sched, 2);
}

/* The searcher has found work, of its own perhaps. If it was the last one, who spawned since and
 * counted on it must not be left alone: either it sees their tasks here, or they saw nobody
 * search. */
static void stop_searching(struct rvi_worker *w)
{
    bool was_last = rvi_fetch_sub_seq_cst(&w->sched->searching, 1) == 1; /* pairs: searching */

    rvi_fence_seq_cst(); /* pairs: searching */
    if (was_last && rvi_load_relaxed(&w->sched->attention) && leaves_surplus(w))
        rvi_sched_wake_one(w->sched);
}

struct rvi_task *rvi_worker_wait_for_work(struct rvi_worker *w)
{
    bool is_counted = false;

    while (!is_stopping(w)) {
        if (!is_counted)
            rvi_fetch_add_seq_cst(&w->sched->searching, 1); /* pairs: searching */
        struct rvi_task *task = search(w);
        if (task) {
            stop_searching(w);
            return task;
        }
        rvi_fetch_sub_seq_cst(&w->sched->searching, 1); /* pairs: searching */
        RVI_USDT(worker_sleep, w->index);
        rvi_probe_note(w, 0, RVI_TRACE_SLEEP, 0);
        is_counted = sleep_until_called(w);
        rvi_probe_note(w, 0, RVI_TRACE_AWAKE, 0);
        if (rvi_unlikely(rvi_probe_is_called(&w->probing)))
            rvi_probe_follow(w);
        RVI_USDT(worker_awake, w->index);
    }
    return NULL;
}
