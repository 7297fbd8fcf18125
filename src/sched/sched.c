/* SPDX-License-Identifier: MIT */
#include "sched/sched.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/seam.h"
#include "sched/forks.h"
#include "sched/probe.h"
#include "sched/spawn.h"
#include "sys/fault.h"
#include "sys/fence.h"
#include "sys/futex.h"
#include "sys/sigpipe.h"
#include "sys/stack.h"
#include "sys/thread.h"
#include "sys/topology.h"

/* --- a stack overflow's last words --- */

/* In a signal handler, on the worker's thread, whose task it is. snprintf of %s, %u and %llu alone
 * neither locks nor allocates in glibc. */
static int describe_task(const struct rvi_stack *stack, char *buf, size_t n)
{
    const struct rvi_task *task = stack->user;

    if (!task)
        return 0;
    int len = snprintf(buf, n, "task '%s' spawned at %s:%u", rvi_task_name(task), task->site->file,
                       task->site->line);
    return len < 0 ? 0 : len < (int)n ? len : (int)n - 1;
}

/* --- waking --- */

void rvi_sched_wake_one(struct rvi_sched *sched)
{
    rvi_fence_seq_cst();                     /* after the work was put there; pairs: searching */
    if (rvi_load_seq_cst(&sched->searching)) /* pairs: searching */
        return;
    for (unsigned i = 0; i < sched->worker_count; i++) {
        struct rvi_sleeper *sleeper = &sched->workers[i].sleeper;
        if (!rvi_sleeper_looks_asleep(sleeper))
            continue;
        rvi_fetch_add_seq_cst(&sched->searching, 1); /* on its behalf; pairs: searching */
        if (rvi_sleeper_wake(sleeper, RVI_SLEEPER_ENLISTED))
            return;
        rvi_fetch_sub_seq_cst(&sched->searching, 1); /* pairs: searching */
    }
}

static void stop(struct rvi_sched *sched)
{
    rvi_store_seq_cst(&sched->stopping, true); /* pairs: sched-stopping */
    for (unsigned i = 0; i < sched->worker_count; i++)
        rvi_sleeper_wake(&sched->workers[i].sleeper, RVI_SLEEPER_CALLED);
}

/* --- threads --- */

/* The threads of all workers but the first. */
struct crew {
    struct rvi_sched *sched;
    pthread_t *threads;
    unsigned started;
};

/* Tell whoever starts the crew that one more has come this far, or why not. */
static void report_for_duty(struct rvi_sched *sched, int r)
{
    if (r < 0)
        rvi_store_relaxed(&sched->crew_error, r);
    rvi_fetch_add_release(&sched->crew_count, 1); /* pairs: crew */
    rvi_futex_wake(&sched->crew_count, 1);
}

static void *worker_thread(void *arg)
{
    struct rvi_worker *w = arg;
    int r = rvi_worker_enter(w);

    report_for_duty(w->sched, r);
    if (r < 0)
        return NULL;
    rvi_worker_loop(w);
    rvi_worker_leave(w);
    return NULL;
}

static int wait_for_crew(struct crew *crew)
{
    struct rvi_sched *sched = crew->sched;
    uint32_t count;

    while ((count = rvi_load_acquire(&sched->crew_count)) < crew->started) /* pairs: crew */
        rvi_futex_wait(&sched->crew_count, count, RV_NEVER);
    return rvi_load_relaxed(&sched->crew_error);
}

static int start_crew(struct crew *crew)
{
    char name[24];

    crew->threads = rvi_calloc(crew->sched->worker_count, sizeof *crew->threads);
    if (!crew->threads)
        return -ENOMEM;
    for (unsigned i = 1; i < crew->sched->worker_count; i++) {
        snprintf(name, sizeof name, "ravel-%u", i);
        int r = rvi_thread_start(&crew->threads[crew->started], name, worker_thread,
                                 &crew->sched->workers[i]);
        if (r < 0)
            return r;
        crew->started++;
    }
    return wait_for_crew(crew);
}

static void dismiss_crew(struct crew *crew)
{
    stop(crew->sched);
    for (unsigned i = 0; i < crew->started; i++)
        rvi_thread_join(crew->threads[i]);
    rvi_free(crew->threads);
}

/* --- the first task --- */

static void first_task_ended(struct rvi_task *task)
{
    struct rvi_sched *sched = task->birth->sched;

    sched->first_task = NULL;
    sched->first_result = task->result;
    rvi_task_free(task);
    stop(sched);
}

/* Into the ready queue rather than the deque: it belongs on the caller's thread. */
static int queue_first_task(struct rvi_sched *sched, rv_fn *fn, void *arg,
                            const struct rv_site *site)
{
    struct rvi_task *task = rvi_task_new(&sched->workers[0]);

    if (!task)
        return -ENOMEM;
    task->fn = fn;
    task->arg = arg;
    task->site = site;
    task->cancel = &sched->cancel;
    task->ended = first_task_ended;
    sched->first_task = task;
    rvi_task_count_spawned(task->birth, task);
    rvi_fifo_push(&sched->workers[0].ready, &task->run);
    return 0;
}

int rvi_sched_run(struct rvi_sched *sched, rv_fn *fn, void *arg, const struct rv_site *site)
{
    struct crew crew = {.sched = sched};
    struct rvi_worker *first = &sched->workers[0];
    struct rvi_sigpipe sigpipe;
    int r = rvi_worker_enter(first);

    if (r < 0)
        return r;
    rvi_sigpipe_hold(&sigpipe); /* as on the threads of the other workers */
    r = start_crew(&crew);
    if (r == 0)
        r = rvi_monitor_start(sched);
    if (r == 0)
        r = queue_first_task(sched, fn, arg, site);
    if (r == 0) {
        rvi_sched_enlist(sched);
        rvi_worker_loop(first);
        rvi_sched_delist(sched);
        r = sched->first_result;
    }
    dismiss_crew(&crew);
    rvi_monitor_stop(sched);
    rvi_sigpipe_release(&sigpipe);
    rvi_worker_leave(first);
    return r;
}

/* --- life --- */

static uint8_t probes_of(const struct rvi_sched_opts *opts)
{
    int probes = 0;

    if (opts->stall_ns > 0)
        probes |= RVI_PROBE_STALL;
    if (opts->accounts)
        probes |= RVI_PROBE_ACCOUNT;
    if (opts->trace_events)
        probes |= RVI_PROBE_TRACE;
    return (uint8_t)probes;
}

static int open_worker(struct rvi_sched *sched, unsigned index, const struct rvi_sched_opts *opts)
{
    struct rvi_worker *w = &sched->workers[index];
    int r = rvi_worker_init(w, sched, index);

    if (r < 0)
        return r;
    w->reuses_stacks = !opts->measure_stacks;
    r = rvi_probe_init(w, probes_of(opts), opts->trace_events, opts->may_record);
    if (r < 0)
        rvi_worker_fini(w);
    return r;
}

static int open_workers(struct rvi_sched *sched, const struct rvi_sched_opts *opts)
{
    size_t bytes = sched->worker_count * sizeof *sched->workers;

    sched->workers = rvi_alloc_aligned(RVI_CACHE_LINE, bytes);
    if (!sched->workers)
        return -ENOMEM;
    memset(sched->workers, 0, bytes);
    for (unsigned i = 0; i < sched->worker_count; i++) {
        int r = open_worker(sched, i, opts);
        if (r < 0) {
            while (i--)
                rvi_worker_fini(&sched->workers[i]);
            rvi_free(sched->workers);
            return r;
        }
    }
    return 0;
}

/* The fences must not change while somebody uses them: of two first schedulers at a time one
 * waits. */
static pthread_once_t fences_once = PTHREAD_ONCE_INIT;

/* Whichever run of a simulation comes first must not differ from the others by it. */
static void init_fences(void)
{
    struct rvi_seam *seam = rvi_seam_leave();

    rvi_fence_asym_init();
    rvi_seam_return(seam);
}

int rvi_sched_open(struct rvi_sched **ret, const struct rvi_sched_opts *opts)
{
    struct rvi_stack_pool_opts stacks = {
        .usable_bytes = opts->stack_bytes,
        .max = opts->max_stacks,
        .measure = opts->measure_stacks,
    };
    struct rvi_sched *sched = rvi_alloc_aligned(RVI_CACHE_LINE, sizeof *sched);
    int r;

    if (!sched)
        return -ENOMEM;
    memset(sched, 0, sizeof *sched);
    pthread_once(&fences_once, init_fences);
    sched->worker_count = opts->workers;
    sched->backend = opts->backend;
    sched->monitor.stall_ns = opts->stall_ns;
    sched->spins = opts->workers > 1 && rvi_usable_cores() > 1 && !rvi_seam;
    r = rvi_stack_pool_open(&sched->pool, &stacks);
    if (r < 0)
        goto free_sched;
    r = rvi_fault_install(sched->pool, describe_task);
    if (r < 0)
        goto close_pool;
    rvi_helpers_init(&sched->helpers);
    r = open_workers(sched, opts);
    if (r < 0)
        goto uninstall;
    *ret = sched;
    return 0;

uninstall:
    rvi_fault_uninstall(sched->pool);
close_pool:
    rvi_stack_pool_close(sched->pool);
free_sched:
    rvi_free(sched);
    return r;
}

void *rvi_sched_close(struct rvi_sched *sched)
{
    if (!sched)
        return NULL;
    rvi_helpers_fini(&sched->helpers);
    while (rvi_load_acquire(&sched->visitors)) /* pairs: sched-visitors */
        rvi_thread_yield();
    for (unsigned i = 0; i < sched->worker_count; i++)
        rvi_worker_fini(&sched->workers[i]);
    rvi_free(sched->workers);
    rvi_forks_fini(sched);
    rvi_fault_uninstall(sched->pool);
    rvi_stack_pool_close(sched->pool);
    rvi_free(sched);
    return NULL;
}

void rvi_sched_stats(const struct rvi_sched *sched, struct rv_run_stats *ret)
{
    *ret = (struct rv_run_stats){.size = sizeof *ret};
    for (unsigned i = 0; i < sched->worker_count; i++) {
        const struct rvi_worker *w = &sched->workers[i];
        ret->spawned += rvi_worker_spawned(w);
        ret->finished += rvi_load_relaxed(&w->finished);
        ret->switches += rvi_worker_switches(w);
        ret->stolen += rvi_load_relaxed(&w->stolen);
        ret->sleeps += rvi_load_relaxed(&w->sleeps);
    }
    ret->stacks = rvi_stack_pool_carved(sched->pool);
    ret->stalls = rvi_load_relaxed(&sched->monitor.stalls);
}
