/* SPDX-License-Identifier: MIT */
/* tier_processes.c - jobs run in processes of their own: opening and closing. How they get there
 * and back is told in processes.h.
 *
 * The first process is started on opening, and waited for: a program that cannot be started again,
 * or whose file is another by now, is found out here and not by the first job. The others are
 * started as they are needed.
 *
 * Inside of such a process there may be more of them, which end with it. How deep that goes is
 * limited (proc/before_main.h), as a constructor that opens an executor, or a job that by mistake
 * does what the program does, would otherwise fill the machine with processes. */
#include "exec/processes_service.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include <ravel/shm.h>

#include "base/alloc.h"
#include "base/check.h"
#include "exec/processes_opts.h"
#include "sys/fd.h"
#include "sys/poller.h"
#include "sys/thread.h"
#include "sys/topology.h"

/* --- opening --- */

static int open_bell(struct rvi_processes *pool)
{
    struct rvi_bell *bell = &pool->bell;
    int r = rvi_segment_make(&pool->bell_page, "ravel-bell", sizeof(*bell->shared),
                             sizeof(*bell->shared));

    if (r < 0)
        return r;
    bell->shared = (struct rvi_bell_shared *)pool->bell_page.base;
    for (int i = RVI_BELL_SERVICE; r >= 0 && i < RVI_BELL_SLEEPERS; i++)
        r = bell->fds[i] = rvi_fd_event();
    return r < 0 ? r : 0;
}

static int open_poller(struct rvi_processes *pool)
{
    int r = pool->kick = rvi_fd_event();

    if (r >= 0)
        r = pool->poller = rvi_poller_open();
    if (r >= 0)
        r = rvi_poller_control(pool->poller, EPOLL_CTL_ADD, pool->kick, EPOLLIN, RVI_NEWS_CALL);
    if (r >= 0)
        r = rvi_poller_control(pool->poller, EPOLL_CTL_ADD, pool->bell.fds[RVI_BELL_SERVICE],
                               EPOLLIN, RVI_NEWS_CALL);
    return r;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        (void)rvi_fd_close(fd);
}

static void give_back(struct rvi_processes *pool)
{
    for (int i = RVI_BELL_SERVICE; i < RVI_BELL_SLEEPERS; i++)
        close_fd(pool->bell.fds[i]);
    close_fd(pool->poller);
    close_fd(pool->kick);
    if (pool->bell_page.base)
        rvi_segment_fini(&pool->bell_page);
    rvi_process_opts_drop(pool->lent);
}

/* Zeroed memory; afterwards it can be given back, whatever comes. */
static void prepare(struct rvi_processes *pool)
{
    pool->poller = pool->kick = -1;
    for (int i = 0; i < RVI_BELL_SLEEPERS; i++)
        pool->bell.fds[i] = -1;
    rvi_list_init(&pool->idle);
    rvi_list_init(&pool->busy);
    rvi_list_init(&pool->apart);
    rvi_list_init(&pool->members);
    rvi_list_init(&pool->graves);
    rvi_spin_init(&pool->spin, rvi_usable_cores());
}

static void end_service(struct rvi_processes *pool)
{
    bool biased = rvi_bias_lock(&pool->ex.lock);

    pool->is_closing = true;
    rvi_bias_unlock(&pool->ex.lock, biased);
    rvi_processes_kick(pool);
    rvi_executor_wait_outside(&pool->ex, &pool->outside, &pool->is_over);
    rvi_thread_join(pool->service);
}

static int start_service(struct rvi_processes *pool)
{
    unsigned wanted = pool->opts.prestart;

    pool->wanted = wanted == 0 ? 1 : wanted < pool->ex.width ? wanted : pool->ex.width;
    int r = rvi_thread_start(&pool->service, "rv-processes", rvi_processes_serve, pool);
    if (r < 0)
        return r;
    rvi_executor_wait_outside(&pool->ex, &pool->outside, &pool->is_open);
    if (pool->has_come)
        return 0;
    r = pool->trouble;
    end_service(pool);
    return r;
}

static int open_processes(struct rv_executor *ex, const char *arg,
                          const struct rv_executor_opts *opts)
{
    struct rvi_processes *pool = rvi_processes_of(ex);
    int r = rvi_executor_set_width(ex, arg, (unsigned)rvi_usable_cores());

    prepare(pool);
    pool->retries = opts->retries;
    if (r == 0)
        r = rvi_proc_possible(NULL);
    if (r == 0)
        r = rvi_process_opts_take(&pool->opts, &pool->lent, opts->process);
    if (r == 0)
        r = open_bell(pool);
    if (r == 0)
        r = open_poller(pool);
    if (r == 0)
        r = start_service(pool);
    if (r < 0)
        give_back(pool);
    return r;
}

/* --- the rest --- */

/* What an arena could not hold twice has memory of its own; the worker is handed its descriptor. */
static int travel_alone(struct rvi_processes *pool, struct rv_future *f)
{
    size_t bytes = rvi_job_out_at(f->job) + f->job->out_bytes;
    void *memory;

    if (rvi_job_is_small(f->job) || bytes <= pool->opts.arena_bytes / 2)
        return 0;
    int r = rv_shm_alloc(&f->alone, bytes);
    return r < 0 ? r : rv_shm_map(f->alone, &memory);
}

static int prepare_processes(struct rv_executor *ex, struct rv_future *f)
{
    struct rvi_processes *pool = rvi_processes_of(ex);

    return rvi_executor_knows(ex, f->job) ? travel_alone(pool, f) : -EINVAL;
}

/* The service does. */
static int keep_time_by_service(struct rv_executor *ex)
{
    (void)ex;
    return 0;
}

static void hurry_processes(struct rv_executor *ex)
{
    rvi_processes_kick(rvi_processes_of(ex));
}

static int may_close_processes(struct rv_executor *ex)
{
    (void)ex;
    return 0;
}

static void close_processes(struct rv_executor *ex)
{
    struct rvi_processes *pool = rvi_processes_of(ex);

    end_service(pool);
    give_back(pool);
}

const struct rvi_tier rvi_tier_processes = {
    .name = "processes",
    .bytes = sizeof(struct rvi_processes),
    .open = open_processes,
    .prepare = prepare_processes,
    .submit = rvi_backlog_submit,
    .dispatch = rvi_processes_dispatch,
    .recall = rvi_processes_recall,
    .running = rvi_processes_running,
    .help = rvi_processes_help,
    .lead = rvi_processes_lead,
    .expect = rvi_processes_expect,
    .listen = rvi_processes_listen,
    .stop = rvi_processes_stop,
    .keep_time = keep_time_by_service,
    .hurry = hurry_processes,
    .may_close = may_close_processes,
    .close = close_processes,
};
