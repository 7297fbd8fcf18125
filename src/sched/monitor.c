/* SPDX-License-Identifier: MIT */
/* monitor.c - two things that no worker can notice by itself.
 *
 * A lone fresh task whose worker is busy. Spawning one wakes nobody (search.c says why), so
 * somebody has to come back to it when its worker does not: every LOOK_NS the monitor compares each
 * worker's tick with the one it saw last; a task that waited through an unchanged tick is worth
 * waking a sleeper for. After LOOKS_BEFORE_SLEEP looks with nothing to rescue the monitor sleeps
 * until a spawner calls it. Nothing is lost in between: the spawner stores its deque's bottom,
 * light fence, reads `attention`; the monitor adds itself to `attention`, heavy fence, reads every
 * deque.
 *
 * A task that holds its worker (the stall watch): the same tick and a task for longer than stall_ns
 * is noticed once, and told of by stall.c.
 *
 * Rejected: a sleeping worker that wakes itself every millisecond, as idle programs would never be
 * idle; a timestamp at each spawn, 10 ns and more. */
#include "sched/monitor.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/check.h"
#include "sched/forks.h"
#include "sched/sched.h"
#include "sched/search.h"
#include "sys/clock.h"
#include "sys/fence.h"
#include "sys/futex.h"
#include "sys/thread.h"

enum { LOOKS_BEFORE_SLEEP = 32 };

#define LOOK_NS RV_MILLISECOND

/* What the stall watch remembers of a worker. */
struct rvi_watch {
    uint32_t tick;
    rv_time since; /* when that tick was first seen */
    bool is_reported;
};

static bool is_stopping(const struct rvi_sched *sched)
{
    return rvi_load_seq_cst(&sched->stopping); /* pairs: sched-stopping */
}

static bool rescue_lone_tasks(struct rvi_sched *sched)
{
    bool found = rvi_forks_have(sched, 1);

    for (unsigned i = 0; i < sched->worker_count; i++)
        found |= rvi_worker_has_surplus(&sched->workers[i], &sched->monitor.seen[i]);
    if (found)
        rvi_sched_wake_one(sched);
    return found;
}

/* --- the stall watch --- */

static void watch_for_stalls(struct rvi_sched *sched, rv_time now)
{
    struct rvi_monitor *monitor = &sched->monitor;

    for (unsigned i = 0; i < sched->worker_count; i++) {
        const struct rvi_worker *w = &sched->workers[i];
        struct rvi_watch *watch = &monitor->watch[i];
        uint32_t tick = (uint32_t)rvi_load_relaxed(&w->tick);
        if (tick != watch->tick || !rvi_load_relaxed(&w->watched)) {
            *watch = (struct rvi_watch){.tick = tick, .since = now};
        } else if (!watch->is_reported && now - watch->since > monitor->stall_ns) {
            watch->is_reported = true;
            rvi_store_relaxed(&monitor->stalls, rvi_load_relaxed(&monitor->stalls) + 1);
            rvi_stall_tell(&monitor->staller, w, now - watch->since);
        }
    }
}

/* --- the thread --- */

/* Sleep on `asleep` while it is `expected`; a stop or a call ends it. */
static int nap(struct rvi_monitor *monitor, uint32_t expected, rv_time deadline)
{
    return rvi_futex_wait(&monitor->asleep, expected, deadline);
}

/* Or until the stall watch has to look again: false then. */
static bool sleep_until_called(struct rvi_sched *sched, rv_time now)
{
    struct rvi_monitor *monitor = &sched->monitor;
    rv_time until = monitor->stall_ns ? now + monitor->stall_ns / 4 : RV_NEVER;
    int r = 0;

    rvi_store_seq_cst(&monitor->asleep, 1);      /* pairs: monitor-asleep */
    rvi_fetch_add_seq_cst(&sched->attention, 1); /* pairs: attention */
    rvi_forks_arm(sched);
    rvi_fence_heavy(); /* pairs: spawn-look, fork-look */
    bool is_quiet = !rvi_forks_have(sched, 1);
    for (unsigned i = 0; i < sched->worker_count; i++)
        is_quiet &= rvi_deque_looks_empty(&sched->workers[i].fresh);
    while (is_quiet && r != -ETIME && !is_stopping(sched) &&
           rvi_load_seq_cst(&monitor->asleep)) /* pairs: monitor-asleep */
        r = nap(monitor, 1, until);
    rvi_fetch_sub_seq_cst(&sched->attention, 1); /* pairs: attention */
    rvi_store_seq_cst(&monitor->asleep, 0);      /* pairs: monitor-asleep */
    return r != -ETIME;
}

static void *monitor_thread(void *arg)
{
    struct rvi_sched *sched = arg;
    struct rvi_monitor *monitor = &sched->monitor;
    int quiet_looks = 0;

    while (!is_stopping(sched)) {
        rv_time now = rvi_clock_now();
        quiet_looks = rescue_lone_tasks(sched) ? 0 : quiet_looks + 1;
        if (monitor->stall_ns)
            watch_for_stalls(sched, now);
        if (quiet_looks >= LOOKS_BEFORE_SLEEP && sleep_until_called(sched, now))
            quiet_looks = 0;
        nap(monitor, 0, now + rvi_load_relaxed(&monitor->look_ns));
    }
    return NULL;
}

void rvi_monitor_call(struct rvi_sched *sched)
{
    struct rvi_monitor *monitor = &sched->monitor;
    uint32_t asleep = 1;

    if (rvi_load_relaxed(&monitor->asleep) &&
        rvi_cas_seq_cst(&monitor->asleep, &asleep, 0)) /* pairs: monitor-asleep */
        rvi_futex_wake(&monitor->asleep, 1);
}

int rvi_monitor_start(struct rvi_sched *sched)
{
    struct rvi_monitor *monitor = &sched->monitor;
    int r = -ENOMEM;

    if (sched->worker_count == 1 && monitor->stall_ns == 0)
        return 0;
    rv_time look_ns = LOOK_NS;
    if (monitor->stall_ns && monitor->stall_ns / 4 < look_ns)
        look_ns = monitor->stall_ns / 4 + 1;
    rvi_store_relaxed(&monitor->look_ns, look_ns);
    monitor->seen = rvi_calloc(sched->worker_count, sizeof *monitor->seen);
    monitor->watch = rvi_calloc(sched->worker_count, sizeof *monitor->watch);
    if (monitor->seen && monitor->watch)
        r = rvi_thread_start(&monitor->thread, "ravel-monitor", monitor_thread, sched);
    if (r == 0) {
        monitor->is_running = true;
        return 0;
    }
    rvi_free(monitor->seen);
    rvi_free(monitor->watch);
    return r;
}

void rvi_monitor_stop(struct rvi_sched *sched)
{
    struct rvi_monitor *monitor = &sched->monitor;

    if (!monitor->is_running)
        return;
    /* Neither value that a nap expects. */
    rvi_store_seq_cst(&monitor->asleep, 2); /* pairs: monitor-asleep */
    rvi_futex_wake(&monitor->asleep, 1);
    rvi_thread_join(monitor->thread);
    rvi_stall_fini(&monitor->staller);
    rvi_free(monitor->seen);
    rvi_free(monitor->watch);
    monitor->is_running = false;
}
