/* SPDX-License-Identifier: MIT */
/* tasks.h - of scenario.h: a runtime and all that runs in it but files, sockets and worker
 * processes. */
#pragma once

#include <grp.h>
#include <sched.h>
#include <sys/resource.h>

#include "scenario.h"
#include "sys/stack.h"
#include "trace/recorder.h"

enum { MESSAGES = 50, CROWD = 90, JOBS = 12, DEEP_BYTES = 24 << 10 };

/* ---- parts ---------------------------------------------------------------------------------- */

struct pipe_ends {
    rv_chan *ch;
    unsigned worker;
};

static int produce(void *arg)
{
    struct pipe_ends *p = arg;
    int r = rv_migrate(0);
    for (long i = 0; r == 0 && i < MESSAGES; i++)
        r = rv_chan_send(p->ch, &i, RV_NEVER);
    return r;
}

static int consume(void *arg)
{
    struct pipe_ends *p = arg;
    int r = rv_migrate(p->worker);
    for (long i = 0; r == 0 && i < MESSAGES; i++) {
        long message;
        r = rv_chan_recv(p->ch, &message, RV_NEVER);
        RV_CHECK(r < 0 || message == i);
    }
    return r;
}

/* Messages from worker to worker. */
static int talk(void)
{
    struct pipe_ends p = {.worker = WORKERS - 1};
    rv_scope *s;
    int r = rv_chan_new(&p.ch, sizeof(long), 4);
    if (r < 0)
        return r;
    r = rv_scope_open(&s, NULL);
    if (r == 0) {
        if ((r = rv_go(s, consume, &p)) < 0 || (r = rv_go(s, produce, &p)) < 0)
            rv_scope_cancel(s, r);
        int closed = rv_scope_close(s);
        r = r < 0 ? r : closed;
    }
    rv_chan_free(p.ch);
    return r;
}

static __attribute__((noinline)) int use_stack(int value)
{
    volatile char bytes[DEEP_BYTES];
    for (size_t i = 0; i < sizeof bytes; i += 512)
        bytes[i] = (char)value;
    return bytes[512] != (char)value;
}

static int sleep_deep(void *arg)
{
    int r = rv_sleep(100 * RV_MICROSECOND);
    return r < 0 ? r : use_stack((int)(uintptr_t)arg);
}

/* More tasks at a time than the first batches of stacks, and deep ones: what their workers do not
 * keep goes back to the kernel. */
static int crowd_sleeps(void)
{
    rv_scope *s;
    int r = rv_scope_open(&s, NULL);
    if (r < 0)
        return r;
    for (uintptr_t i = 0; r == 0 && i < CROWD; i++)
        r = rv_go(s, sleep_deep, (void *)i);
    if (r < 0)
        rv_scope_cancel(s, r);
    int closed = rv_scope_close(s);
    return r < 0 ? r : closed;
}

static int mark_range(size_t begin, size_t end, void *arg)
{
    memset((char *)arg + begin, 1, end - begin);
    return 0;
}

/* A loop that is shared out: others take part of it, and its owner waits for them. */
static int loop(void)
{
    char marks[200] = {0};
    int r = rv_for(0, sizeof marks, 1, mark_range, marks);
    RV_CHECK(r < 0 || !memchr(marks, 0, sizeof marks));
    return r;
}

static int block(void *arg)
{
    *(int *)arg += 1;
    return 0;
}

static int call_helpers(void)
{
    int calls = 0, r = 0;
    for (int i = 0; r == 0 && i < 3; i++)
        r = rv_blocking(block, &calls, NULL);
    RV_CHECK(r < 0 || calls == 3);
    return r;
}

static int use_executor(const char *spec)
{
    long in[JOBS], out[JOBS];
    rv_executor *ex;
    struct rv_executor_opts opts = {.size = sizeof opts, .job_timeout = RV_SECOND * 60};
    int r = rv_executor_open(&ex, spec, &opts);
    if (r < 0)
        return r;
    for (long i = 0; i < JOBS; i++)
        in[i] = i;
    r = submit_one(ex);
    if (r == 0)
        r = rv_map(ex, twice, in, JOBS, out, NULL, RV_NEVER);
    RV_CHECK(r < 0 || out[JOBS - 1] == 2 * (JOBS - 1));
    int closed = rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER);
    return r < 0 ? r : closed;
}

static int use_executors(void *arg)
{
    (void)arg;
    static const char *const specs[] = {"inline", "tasks:2", "threads:2", "auto"};
    int r = 0;
    for (size_t i = 0; r == 0 && i < sizeof specs / sizeof specs[0]; i++)
        r = use_executor(specs[i]);
    return r;
}

/* Reads the program's debug information each time, so it has a scenario of its own. */
static int look_inside(void *arg)
{
    struct rv_run_stats stats = {.size = sizeof stats};
    (void)arg;
    int r = rv_run_stats_read(&stats);
    return r < 0 ? r : rv_dump(null_device);
}

static int print_lines(void *arg)
{
    int r = 0;
    for (int i = 0; r == 0 && i < MESSAGES; i++)
        r = rv_print("%s %0*d\n", (const char *)arg, 10 * i, i);
    return r;
}

/* What was lost is told by the next call that prints or flushes: by this one at the latest. */
static int print_from_tasks(void *arg)
{
    int r;
    (void)arg;
    RV_SCOPE(s, r) {
        int started = rv_go(s, print_lines, (void *)(uintptr_t) "one");
        if (started < 0 || (started = rv_go(s, print_lines, (void *)(uintptr_t) "two")) < 0)
            rv_scope_cancel(s, started);
    }
    int flushed = rv_print_flush(RV_NEVER);
    return r < 0 ? r : flushed;
}

static int everything(void *arg)
{
    int r;
    (void)arg;
    if ((r = talk()) < 0 || (r = crowd_sleeps()) < 0 || (r = loop()) < 0 ||
        (r = call_helpers()) < 0)
        return r;
    return use_executors(NULL);
}

/* Root's children may be made somebody else, if root is one and not only called so. */
static bool may_change_identity(void)
{
    gid_t groups[256];
    int count = getgroups(256, groups);
    return geteuid() == 0 && count >= 0 && setgroups((size_t)count, groups) == 0;
}

/* Everything that can be asked of a start, and the whole of a child's life. */
static int run_children(void *arg)
{
    static const struct rv_child_limit limit = {RLIMIT_CORE, {0, 0}};
    const struct rv_child_fd fd = {null_device, 7};
    const int cpu = sched_getcpu();
    const char *const argv[] = {"cat", NULL}, *const changes[] = {"X=y", NULL};
    struct rv_child_opts opts = {
        .size = sizeof opts,
        .fds = &fd,
        .fd_count = 1,
        .folder = "/",
        .env_changes = changes,
        .limits = &limit,
        .limit_count = 1,
        .group = RV_CHILD_GROUP_OWN,
        .nice = 1,
        .as_user = may_change_identity(),
        .death_signal = arg ? SIGKILL : 0,
        .grace = 1,
        .cpus = &cpu,
        .cpu_count = 1,
    };
    struct rv_child_io io = {.in = "hello", .in_bytes = 5};
    struct rv_child_status status;
    int r = rv_child_run(argv, &opts, &io, &status, RV_NEVER);
    /* A write that fails with EPIPE says that the child does not want it. */
    RV_CHECK(r < 0 || ((io.out_bytes == 5 || io.out_bytes == 0) && status.code == 0));
    rv_child_io_fini(&io);
    return r;
}

/* One that could not be told is no failure: it is counted. */
static int hear_signals(void *arg)
{
    struct rv_signal_info info;
    rv_signals *signals;
    sigset_t set;
    (void)arg;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN);
    int r = rv_signals_open(&signals, &set);
    if (r < 0)
        return r;
    RV_CHECK(raise(SIGRTMIN) == 0);
    r = rv_signal_wait(signals, &info, rv_after(10 * RV_MILLISECOND));
    rv_signals_close(signals);
    return r == -ETIME ? 0 : r;
}

static int children_and_signals(void *arg)
{
    int r = hear_signals(arg);
    return r < 0 ? r : run_children(arg);
}

/* ---- scenarios ------------------------------------------------------------------------------ */

/* The stall watch is on, so that the monitor does more than sleep. */
static int run_tasks(void)
{
    struct rv_run_opts opts = {
        .size = sizeof opts, .workers = WORKERS, .stall_ns = 60 * RV_SECOND, .max_tasks = 1000};
    return rv_run(everything, NULL, &opts);
}

/* As a reader asks for it (trace/recorder.h), and says that it is over; it need not have come so
 * far that there was an answer. */
static void end_recording(uint64_t wanted)
{
    static const int nobody;
    struct rvi_recording *held = NULL;
    uint64_t seen;
    int64_t fd = rvi_load_relaxed(&rvi_trace_door.answer);
    bool is_open = rvi_load_relaxed(&rvi_trace_door.served) == wanted && fd >= 0;

    rvi_store_relaxed(&rvi_trace_door.wanted, rvi_load_relaxed(&rvi_trace_door.served));
    if (!is_open)
        return;
    struct rvi_trace_shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, (int)fd, 0);
    RV_CHECK(shared != MAP_FAILED);
    rvi_store_relaxed(&shared->is_over, 1);
    munmap(shared, sizeof *shared);
    RV_CHECK(!rvi_recorder_follow(&held, &seen, &nobody, 1, 0));
}

static int yield_once(void *arg)
{
    (void)arg;
    rv_yield();
    return 0;
}

static int run_recorded(void)
{
    struct rv_run_opts opts = {.size = sizeof opts, .workers = WORKERS};
    static uint64_t number;
    uint64_t wanted = ++number << 32 | 1;

    rvi_store_relaxed(&rvi_trace_door.wanted, wanted);
    int r = rv_run(yield_once, NULL, &opts);
    end_recording(wanted);
    return r;
}

/* Standard output has the tests' results, otherwise. */
static int run_and_print(void)
{
    struct rv_run_opts opts = {.size = sizeof opts, .workers = WORKERS};
    int results = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    RV_CHECK(results >= 0 && dup2(null_device, STDOUT_FILENO) >= 0);
    int r = rv_run(print_from_tasks, NULL, &opts);
    RV_CHECK(dup2(results, STDOUT_FILENO) >= 0);
    close(results);
    return r;
}

static void count_post(void *arg)
{
    ++*(int *)arg;
}

struct foreground {
    rv_fg *fg;
    int posts, ended;
};

static int post_from_behind(void *arg)
{
    struct foreground *f = arg;
    int r = rv_fg_post(f->fg, count_post, &f->posts, RV_NEVER);
    int ended = rv_fg_post(f->fg, count_post, &f->ended, RV_NEVER);
    return r < 0 ? r : ended;
}

/* The watch looks, and finds nothing to report, however busy the machine is. */
static int run_behind_a_foreground(void)
{
    struct rv_run_opts run = {.size = sizeof run, .workers = 1};
    struct rv_fg_opts opts = {.size = sizeof opts, .run = &run, .budget_ns = RV_MINUTE};
    struct foreground f = {0};
    int r = rv_fg_open(&f.fg, &opts);
    if (r < 0)
        return r;
    int64_t number = rv_fg_go(f.fg, post_from_behind, &f);
    struct rv_fg_stats stats = {.size = sizeof stats, .tasks = 1};
    while (number > 0 && f.ended == 0 && rv_fg_stats_read(f.fg, &stats) == 0 && stats.tasks > 0)
        RV_CHECK(rv_fg_dispatch(f.fg, 0) >= 0);
    r = rv_fg_close(f.fg);
    RV_CHECK(r < 0 || number < 0 || f.posts == 1);
    return number < 0 ? (int)number : r;
}

static int run_and_dump(void)
{
    struct rv_run_opts opts = {.size = sizeof opts, .workers = WORKERS};
    return rv_run(look_inside, NULL, &opts);
}

static int run_with_default_workers(void)
{
    struct rv_run_opts opts = {.size = sizeof opts, .measure_stacks = 1};
    return rv_run(use_executors, NULL, &opts);
}

static int run_and_start_children(void)
{
    struct rv_run_opts opts = {.size = sizeof opts, .workers = WORKERS};
    int r = rv_run(children_and_signals, NULL, &opts);
    return r < 0 ? r : children_and_signals(&opts);
}

/* Its resident memory is what only tools ask for. */
static int a_pool_alone(void)
{
    struct rvi_stack_pool *pool;
    struct rvi_stack_stats stats;
    struct rvi_stack_cache cache;
    struct rvi_stack *stack;
    int r = rvi_stack_pool_open(&pool, NULL);
    if (r < 0)
        return r;
    rvi_stack_cache_init(&cache, pool);
    r = rvi_stack_cache_take(&cache, &stack);
    if (r == 0)
        rvi_stack_cache_push(&cache, stack);
    rvi_stack_pool_stats(pool, &stats);
    rvi_stack_cache_fini(&cache);
    rvi_stack_pool_close(pool);
    return r;
}

/* A simulation has no other threads than its workers, and takes its time. */
static int talk_and_loop(void *arg)
{
    int r = talk();
    (void)arg;
    return r < 0 ? r : loop();
}

static int simulated(void)
{
    struct rv_sim_opts opts = {.size = sizeof opts, .seed = 7, .workers = WORKERS, .quiet = 1};
    return rv_sim_run(talk_and_loop, NULL, &opts);
}

static int without_a_runtime(void)
{
    int r = use_executor("inline");
    return r < 0 ? r : use_executor("threads:2");
}
