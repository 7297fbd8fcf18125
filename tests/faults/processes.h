/* SPDX-License-Identifier: MIT */
/* processes.h - of scenario.h: worker processes, what is made of them, and what they share. */
#pragma once

#include <poll.h>

#include "proc/proc.h"
#include "scenario.h"
#include "shm/arena.h"
#include "shm/object.h"
#include "shm/ring.h"
#include "shm/segment.h"
#include "sys/fd.h"
#include "sys/living.h"
#include "sys/self.h"

/* ---- worker processes ------------------------------------------------------------------------ */

/* The worker's own calls are made in its own process: here those that do no harm in this one. */
static int share_a_life(void)
{
    int ends[2];
    int r = rvi_fd_pipe(ends, 0);
    if (r < 0)
        return r;
    r = rvi_self_share_life(ends[0]);
    close(ends[0]); /* first: it is the other one's end that kills */
    close(ends[1]);
    return r == -EPIPE ? r : 0; /* a worker goes on without it: it has two more ways to know */
}

static int pause_as_worker(const struct rvi_proc_self *self)
{
    (void)self;
    return pause();
}

static struct rvi_role pausing = {.name = "pause", .run = pause_as_worker};

__attribute__((constructor)) static void register_pausing(void)
{
    rvi_role_register(&pausing);
}

static int be_answered(struct rvi_proc *proc)
{
    int r = rv_poll(proc->control, POLLIN, RV_NEVER);
    return r < 0 ? r : rvi_proc_take_answer(proc);
}

static int run_a_worker(void)
{
    const char *const changes[] = {"X=y", NULL};
    const struct rv_child_fd fd = {null_device, 3};
    struct rv_process_opts opts = {
        .size = sizeof opts, .fds = &fd, .fd_count = 1, .env_changes = changes, .nice = 1};
    struct rvi_proc_start what = {.role = "pause",
                                  .hello = "x",
                                  .hello_bytes = 1,
                                  .fds = &null_device,
                                  .fd_count = 1,
                                  .opts = &opts};
    struct rv_child_failure failure;
    struct rv_child_status status;
    struct rvi_proc proc;
    int r = rvi_proc_start(&proc, &what, &failure);
    if (r < 0) {
        RV_CHECK(failure.error == r && failure.text[0]);
        return r;
    }
    r = be_answered(&proc);
    if (r == 0)
        r = rvi_proc_kill(&proc, SIGTERM);
    if (r == 0)
        r = rvi_proc_end(&proc, true, &status);
    RV_CHECK(r < 0 || status.signal == SIGTERM);
    rvi_words_finish(&proc.words);
    rvi_proc_fini(&proc);
    return r < 0 ? r : share_a_life();
}

/* ---- an executor of worker processes --------------------------------------------------------- */

static int die(const long *in, long *out)
{
    *out = *in;
    return kill(getpid(), SIGKILL);
}
RV_JOB(die, long, long);

/* The next job needs another process. */
static int kill_one(rv_executor *ex)
{
    long in = 0;
    struct rv_outcome outcome;
    rv_future *f;
    int r = rv_submit(ex, &f, die, &in, RV_NEVER);
    if (r < 0)
        return r;
    r = rv_future_get(f, NULL, &outcome, RV_NEVER);
    rv_future_free(f);
    if (r == 0 && outcome.kind == RV_OUTCOME_ERROR)
        r = outcome.error;
    RV_CHECK(r < 0 || outcome.kind == RV_OUTCOME_SIGNAL);
    return r;
}

static int run_processes(void)
{
    const struct rv_process_opts process = {.size = sizeof process,
                                            .term_grace = 10 * RV_MILLISECOND,
                                            .memory_bytes = (uint64_t)1 << 40};
    const struct rv_executor_opts opts = {.size = sizeof opts, .process = &process};
    rv_executor *ex;
    int r = rv_executor_open(&ex, "processes:1", &opts);
    if (r < 0)
        return r;
    r = submit_one(ex);
    if (r == 0)
        r = kill_one(ex);
    if (r == 0)
        r = submit_one(ex);
    int closed = rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER);
    return r < 0 ? r : closed;
}

/* ---- services that are looked after ---------------------------------------------------------- */

static int serve_until_told(const int *arg)
{
    int r = rv_service_ready();
    (void)arg;
    return r < 0 ? r : rv_sleep_until(RV_NEVER);
}
RV_SERVICE(serve_until_told, int);

static int stay_until_told(void *arg)
{
    (void)arg;
    return rv_sleep_until(RV_NEVER);
}

/* How a service has ended, if not as it was told to: with SIGTERM where that could not be said. */
static int end_of(rv_supervisor *sup, const char *name)
{
    struct rv_service_stats stats = {.size = sizeof stats};
    RV_CHECK(rv_service_stats_read(sup, name, &stats) == 0);
    return stats.end.error == -ECANCELED || stats.end.signal == SIGTERM ? 0 : stats.end.error;
}

static int look_after_services(void *arg)
{
    static int nothing;
    const struct rv_process_opts lent = {.size = sizeof lent, .memory_bytes = (uint64_t)1 << 40};
    const struct rv_service services[] = {
        {.size = sizeof *services,
         .name = "process",
         .process = RV_PROCESS(serve_until_told),
         .arg = &nothing,
         .arg_bytes = sizeof nothing,
         .opts = &lent,
         .restart = RV_RESTART_TEMPORARY,
         .start_time = 60 * RV_SECOND,
         .stop_time = 60 * RV_SECOND},
        {.size = sizeof *services,
         .name = "task",
         .run = stay_until_told,
         .restart = RV_RESTART_TEMPORARY},
    };
    struct rv_supervisor_opts opts = {.size = sizeof opts, .services = services, .count = 2};
    int err, r = 0;
    (void)arg;
    RV_SCOPE(scope, err) {
        rv_supervisor *sup;
        r = rv_supervisor_start(&sup, scope, &opts, RV_NEVER);
        if (r == 0) {
            r = rv_supervisor_stop(sup, RV_NEVER);
            int process = end_of(sup, "process"), task = end_of(sup, "task");
            int closed = rv_supervisor_close(sup);
            r = r < 0 ? r : process < 0 ? process : task < 0 ? task : closed;
        }
    }
    return r < 0 ? r : err;
}

static int run_services(void)
{
    struct rv_run_opts opts = {.size = sizeof opts, .workers = 1};
    return rv_run(look_after_services, NULL, &opts);
}

/* ---- a queue between processes --------------------------------------------------------------- */

static int put_some(void *arg)
{
    int r = 0;
    for (int i = 0; i < 3 && r == 0; i++)
        r = rv_queue_put(arg, &i, RV_NEVER);
    return r;
}

static int get_some(void *arg)
{
    int item, r = 0;
    for (int i = 0; i < 3 && r == 0; i++) {
        r = rv_queue_get(arg, &item, RV_NEVER);
        if (r == 0)
            r = rv_queue_done(arg);
    }
    return r;
}

/* Of room for one: each waits for the other. */
static int pass_through(rv_queue *q, rv_queue *other)
{
    int err, r = 0;
    RV_SCOPE(scope, err) {
        r = rv_go(scope, get_some, other);
        if (r == 0)
            r = rv_go(scope, put_some, q);
        if (r == 0)
            r = rv_queue_join(q, RV_NEVER);
        if (r < 0)
            rv_scope_cancel(scope, r);
    }
    return err < 0 ? err : r; /* a child that failed has cancelled the join */
}

/* An answer that cannot be had is that it lives, and nothing comes of it. */
static void look_for_the_dead(void)
{
    struct rvi_living earlier = rvi_living_self();
    earlier.start = 1;
    (void)rvi_living_has_ended(earlier);
}

static int share_a_queue(void *arg)
{
    (void)arg;
    struct rv_queue_ref ref;
    rv_queue *q, *other;
    int r = rv_queue_new_shared(&q, sizeof(int), 1);
    if (r < 0)
        return r;
    RV_CHECK(rv_queue_ref_of(q, &ref) == 0);
    r = rv_queue_attach(&other, ref);
    if (r == 0) {
        r = pass_through(q, other);
        rv_queue_free(other);
    }
    rv_queue_free(q);
    look_for_the_dead();
    return r;
}

static int run_a_shared_queue(void)
{
    struct rv_run_opts opts = {.size = sizeof(opts), .workers = WORKERS};
    return rv_run(share_a_queue, NULL, &opts);
}

/* ---- memory that a worker process sees ------------------------------------------------------- */

static int lend(struct rv_shm shm)
{
    int fd;
    struct rvi_shm_answer answer = rvi_shm_lend((struct rvi_shm_ask){shm.id}, &fd);
    if (fd >= 0)
        rvi_fd_close(fd);
    return (int)answer.error;
}

static int share_an_object(void)
{
    struct rv_shm shm;
    void *memory;
    int r = rv_shm_alloc(&shm, 100);
    if (r < 0)
        return r;
    r = rv_shm_map(shm, &memory);
    if (r == 0)
        r = lend(shm);
    rv_shm_free(shm);
    return r;
}

/* An executor's memory for a worker: a ring, and an arena behind it. */
static int share_a_ring(void)
{
    const size_t bytes = rvi_ring_bytes(4);
    struct rvi_segment segment;
    struct rvi_piece *piece;
    struct rvi_arena arena;
    struct rvi_ring ring;
    int r = rvi_segment_make(&segment, "faults", 2 * bytes, bytes);
    if (r < 0)
        return r;
    r = rvi_ring_init(&ring, segment.base, 4, 1);
    if (r == 0) {
        r = rvi_arena_init(&arena, bytes);
        if (r == 0)
            r = rvi_arena_take(&arena, 100, &piece);
        rvi_arena_fini(&arena);
        rvi_ring_fini(&ring);
    }
    rvi_segment_fini(&segment);
    return r;
}

static int share_memory(void)
{
    int r = share_an_object();
    return r < 0 ? r : share_a_ring();
}
