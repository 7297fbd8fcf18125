/* SPDX-License-Identifier: MIT */
#include <ravel/run.h>

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/opts.h"
#include "base/seam.h"
#include "sched/sched.h"
#include "sys/fd.h"
#include "sys/outlet.h"
#include "sys/quit.h"
#include "sys/topology.h"
#include "sys/uring.h"
#include "task/dump.h"
#include "task/fork.h"
#include "task/layout.h"
#include "task/local.h"
#include "task/runtime.h"
#include "task/scope.h"
#include "trace/recorder.h"

enum {
    MOST_WORKERS = 1024,
    MOST_EVENTS = 1 << 28, /* of a trace: 6 GiB a worker */
    BLOCKING_CALLS = 64,   /* at one time, of those that name no limiter */
    FILE_CALLS = 32,       /* at one time, on helper threads */
    CHILD_STARTS = 16,     /* at one time */
};

/* By itself the watch is on where mistakes are looked for. */
#define STALL_NS (RVI_DEBUG_CHECKS >= 1 ? 25 * RV_MILLISECOND : 0)

#define LEAST_STACK_BYTES ((size_t)16 << 10)
#define MOST_STACK_BYTES ((size_t)1 << 30)

/* --- options --- */

static int refuse(const char *what, const char *value, unsigned long long least,
                  unsigned long long most)
{
    fprintf(stderr, "ravel: %s=%s: give a whole number from %llu to %llu\n", what, value, least,
            most);
    return -EINVAL;
}

/* The environment's value for an option that the program has left zero. */
static int from_environment(const char *name, unsigned long long least, unsigned long long most,
                            unsigned long long *value)
{
    const char *text = getenv(name);
    char *end;

    if (*value != 0 || !text || !*text)
        return 0;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || number < least || number > most)
        return refuse(name, text, least, most);
    *value = number;
    return 0;
}

static int check_range(const char *what, unsigned long long value, unsigned long long least,
                       unsigned long long most)
{
    char text[24];

    if (value >= least && value <= most)
        return 0;
    snprintf(text, sizeof text, "%llu", value);
    return refuse(what, text, least, most);
}

static int check_stall(rv_time stall_ns)
{
    char text[24];

    if (stall_ns >= 0)
        return 0;
    snprintf(text, sizeof text, "%lld", (long long)stall_ns);
    return refuse("stall_ns", text, 0, RV_NEVER);
}

/* 0 in the environment is an answer too. */
static int choose_stall(const struct rv_run_opts *known, rv_time *ret)
{
    const char *text = getenv("RAVEL_STALL_MS");
    unsigned long long ms = 0;
    int r = check_stall(known->stall_ns);

    *ret = known->stall_ns == RV_NEVER ? 0 : known->stall_ns;
    if (r < 0 || known->stall_ns)
        return r;
    if (!text || !*text) {
        *ret = STALL_NS;
        return 0;
    }
    r = from_environment("RAVEL_STALL_MS", 0, INT_MAX, &ms);
    *ret = (rv_time)ms * RV_MILLISECOND;
    return r;
}

/* RAVEL_DUMP is the one variable of which 0 means something. */
static int wants_dump(const struct rv_run_opts *known, bool *ret)
{
    const char *text = getenv("RAVEL_DUMP");

    *ret = !known->no_quit_dump;
    if (!text || !*text || strcmp(text, "1") == 0)
        return 0;
    *ret = false;
    return strcmp(text, "0") == 0 ? 0 : refuse("RAVEL_DUMP", text, 0, 1);
}

static int choose_backend(const struct rv_run_opts *known, enum rv_backend *ret)
{
    const char *text = getenv("RAVEL_BACKEND");

    *ret = known->backend;
    if ((unsigned)known->backend > RV_BACKEND_EPOLL) {
        fprintf(stderr, "ravel: backend=%d: give RV_BACKEND_AUTO, _URING or _EPOLL\n",
                (int)known->backend);
        return -EINVAL;
    }
    if (*ret != RV_BACKEND_AUTO || !text || !*text || strcmp(text, "auto") == 0)
        return 0;
    if (strcmp(text, "epoll") == 0)
        *ret = RV_BACKEND_EPOLL;
    else if (strcmp(text, "uring") == 0)
        *ret = RV_BACKEND_URING;
    else
        fprintf(stderr, "ravel: RAVEL_BACKEND=%s: give auto, uring or epoll\n", text);
    return *ret == RV_BACKEND_AUTO ? -EINVAL : 0;
}

/* Whoever demands it is to hear at once that it is not there. */
static int check_uring(enum rv_backend backend)
{
    struct rvi_uring *ring;

    if (backend != RV_BACKEND_URING)
        return 0;
    int r = rvi_seam ? 0 : rvi_uring_open(&ring);
    if (r < 0)
        fprintf(stderr, "ravel: io_uring was asked for, and there is none here: %s\n",
                strerror(-r));
    else if (!rvi_seam)
        rvi_uring_close(ring);
    return r;
}

int rvi_runtime_opts(struct rvi_sched_opts *ret, struct rvi_runtime_signals *ret_signals,
                     const struct rv_run_opts *opts)
{
    struct rv_run_opts known;
    enum rv_backend backend;
    rv_time stall_ns;
    int r = rvi_opts_copy(&known, sizeof known, opts, opts ? opts->size : 0);

    if (r < 0 || (r = choose_stall(&known, &stall_ns)) < 0 ||
        (r = wants_dump(&known, &ret_signals->dumps)) < 0 ||
        (r = choose_backend(&known, &backend)) < 0 || (r = check_uring(backend)) < 0)
        return r;
    ret_signals->interrupts = !known.no_interrupt;
    unsigned long long workers = known.workers, stack = known.stack_bytes;
    unsigned long long accounts = known.account != 0, events = known.trace;
    if ((r = from_environment("RAVEL_WORKERS", 1, MOST_WORKERS, &workers)) < 0 ||
        (r = from_environment("RAVEL_STACK", LEAST_STACK_BYTES, MOST_STACK_BYTES, &stack)) < 0 ||
        (r = from_environment("RAVEL_ACCOUNT", 0, 1, &accounts)) < 0 ||
        (r = from_environment("RAVEL_TRACE", 0, MOST_EVENTS, &events)) < 0)
        return r;
    if (workers == 0)
        workers = (unsigned)rvi_usable_cores();
    if ((r = check_range("workers", workers, 1, MOST_WORKERS)) < 0 ||
        (r = check_range("trace", events, 0, MOST_EVENTS)) < 0 ||
        (stack && (r = check_range("stack_bytes", stack, LEAST_STACK_BYTES, MOST_STACK_BYTES)) < 0))
        return r;
    *ret = (struct rvi_sched_opts){
        .workers = (unsigned)workers,
        .stack_bytes = (size_t)stack,
        .max_stacks = known.max_tasks,
        .stall_ns = stall_ns,
        .measure_stacks = known.measure_stacks != 0,
        .accounts = accounts != 0,
        .trace_events = events,
        .backend = backend,
    };
    return 0;
}

/* --- running --- */

struct first {
    rv_fn *entry;
    void *arg;
};

/* The first task is in no scope, which lets go of a task's values when it ends. */
static int run_first(void *arg)
{
    const struct first *first = arg;
    struct rvi_task *self = rvi_task_self();
    int result = first->entry(first->arg);

    rvi_local_unref(self->locals);
    self->locals = NULL;
    return result;
}

int rvi_runtime_run(rv_fn *entry, void *arg, const struct rvi_sched_opts *opts, bool interrupts)
{
    static const struct rv_site site = {"(rv_run)", "rv_run", "entry", 0};
    struct first first = {entry, arg};
    struct rvi_runtime runtime = {.interrupt.is_wanted = interrupts, .layout = &rvi_layout};
    struct rvi_sched *sched;
    int r = rv_limiter_new(&runtime.blocking, BLOCKING_CALLS);

    if (r == 0)
        r = rv_limiter_new(&runtime.files, FILE_CALLS);
    if (r == 0)
        r = rv_limiter_new(&runtime.starting, CHILD_STARTS);
    if (r == 0)
        r = rvi_sched_open(&sched, opts);
    if (r == 0) {
        sched->runtime = &runtime;
        sched->steal_fork = rvi_fork_steal;
        sched->scope_name = rvi_scope_name_of;
        r = rvi_sched_run(sched, run_first, &first, &site);
        rvi_sched_close(sched);
    }
    rv_limiter_free(runtime.files);
    rv_limiter_free(runtime.starting);
    rv_limiter_free(runtime.blocking);
    return r;
}

static bool watch(bool is_wanted, int number, void (*fn)(void))
{
    return is_wanted && !rvi_seam && rvi_quit_open(number, fn);
}

int rv_run(rv_fn *entry, void *arg, const struct rv_run_opts *opts)
{
    struct rvi_sched_opts sched_opts;
    struct rvi_runtime_signals signals;

    if (rvi_sched_self())
        return -EBUSY;
    int r = rvi_runtime_opts(&sched_opts, &signals, opts);
    if (r < 0)
        return r;
    bool dumps = watch(signals.dumps, SIGQUIT, rvi_dump_on_quit);
    bool interrupts = watch(signals.interrupts, SIGINT, rvi_interrupt_all);
    rvi_recorder_inherit();
    sched_opts.may_record = !rvi_seam;
    r = rvi_runtime_run(entry, arg, &sched_opts, interrupts);
    if (interrupts)
        rvi_quit_close(SIGINT);
    if (dumps)
        rvi_quit_close(SIGQUIT);
    rvi_outlets_drain();
    return r;
}

unsigned rv_run_workers(void)
{
    struct rvi_sched *sched = rvi_sched_self();

    return sched ? sched->worker_count : 0;
}

int rv_run_backend(void)
{
    struct rvi_worker *w = rvi_worker_self();

    if (!w)
        return -EPERM;
    int r = rvi_worker_open_loop(w);
    return r < 0 ? r : (int)w->loop->backend->name;
}

int rv_run_stats_read(struct rv_run_stats *stats)
{
    struct rvi_sched *sched = rvi_sched_self();

    if (!sched)
        return -EPERM;
    struct rv_run_stats known;
    rvi_sched_stats(sched, &known);
    return rvi_opts_give(stats, &known, sizeof known, sizeof known);
}

const char *rv_version(void)
{
    return RVI_VERSION;
}
