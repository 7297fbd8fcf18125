/* SPDX-License-Identifier: MIT */
/* agent.c - the life of an agent: it joins, has as many tasks lent to it as it has slots, and
 * leaves.
 *
 * It runs on a runtime of one worker, with a task for each lease (holding.c) and this one, the
 * first, which hears the news: leases, stops and the link from the engine's thread, the wish to
 * leave from signals. The jobs run in an executor "processes:SLOTS". So nothing of the user's is in
 * this process but what constructors have made.
 *
 *     joined ---- asked to leave, or an error ----> leaving ---- nothing is held ----> left
 *                 it wants no task any more          asked again: what it holds is killed
 *
 *   A1  it leaves when nothing is held any more, whatever has become of it; only SIGKILL takes it
 *       away before. Then the kernel kills its worker processes (proc/README.md), and its leases
 *       lapse
 *   A2  what its tasks have come to is handed to the engine, which keeps it until it is connected;
 *       leaving waits for that, for some seconds
 *
 * Members are told each beat that it is there, and soon after something has changed, but not with
 * each job.
 *
 * When no worker process can be started it takes no task for a while, as it would only hand them
 * back. If that is because the program's file, or the library's, was replaced, it never can again:
 * it leaves, for whatever has started it to start the new one.
 *
 * Rejected: the engine's events handled on its own thread, where they come. A slow start of a job
 * would hold up all other tasks' leases; and everything here would need locks.
 *
 * Checked by: tests/unit/cluster/test_agent.c, tests/stress/stress_cluster.c */
#include "cluster/agent.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <ravel/blocking.h>
#include <ravel/run.h>
#include <ravel/signal.h>
#include <ravel/task.h>

#include "base/alloc.h"
#include "base/check.h"
#include "cluster/inside.h"
#include "exec/processes.h"
#include "proc/identity.h"
#include "sys/clock.h"
#include "sys/topology.h"

enum { BACKLOG_SPARE = 64 }; /* leases beyond the slots, which do not happen but in races */

#define BEAT_NS (RVI_ENGINE_BEAT_MS * RV_MILLISECOND)
#define STIR_NS (250 * RV_MILLISECOND) /* between two beats, at least */
#define REST_NS RV_SECOND
#define CLOSE_NS (10 * RV_SECOND) /* for what is left to say */
#define HASTE_NS (2 * RV_SECOND)

/* --- what others say --- */

static struct rvi_holding *find(struct rvi_agent *a, const char *id)
{
    RVI_LIST_FOREACH(link, &a->held) {
        struct rvi_holding *h = rvi_container_of(link, struct rvi_holding, link);
        if (strcmp(h->task->id, id) == 0)
            return h;
    }
    return NULL;
}

/* Under the lock. */
static void tell_stop(struct rvi_agent *a, struct rvi_holding *h, int why)
{
    h->told_stop = why;
    if (h->is_told && !rvi_link_is_linked(&h->news))
        rvi_list_push_back(&a->told, &h->news);
}

static void on_stop(void *agent, const char *id, int why)
{
    struct rvi_agent *a = agent;

    rvi_lock_acquire(&a->lock);
    struct rvi_holding *h = find(a, id);
    if (h)
        tell_stop(a, h, why);
    rvi_lock_release(&a->lock);
    rv_event_set(&a->news);
}

static void on_link(void *agent, int error, const char *words)
{
    struct rvi_agent *a = agent;

    rvi_lock_acquire(&a->lock);
    a->link = error;
    snprintf(a->link_words, sizeof(a->link_words), "%s", words ? words : "");
    rvi_lock_release(&a->lock);
    rv_event_set(&a->news);
}

void rvi_agent_leave(struct rvi_agent *a)
{
    rvi_lock_acquire(&a->lock);
    a->leave_asked++;
    rvi_lock_release(&a->lock);
    rv_event_set(&a->news);
}

/* --- what is done about it --- */

static void beat(struct rvi_agent *a)
{
    rvi_report_state(a);
    a->is_stirred = false;
    a->beaten = rvi_clock_now();
    rvi_engine_announce(a->engine, a->opts.slots, a->busy, a->is_leaving);
}

void rvi_agent_stir(struct rvi_agent *a)
{
    if (a->is_stirred)
        return;
    a->is_stirred = true;
    rv_event_set(&a->news);
}

static void want(struct rvi_agent *a)
{
    a->slots = a->is_leaving || a->rests_until > 0 ? 0 : a->opts.slots;
    rvi_engine_want(a->engine, a->slots);
}

static void begin_to_leave(struct rvi_agent *a)
{
    if (a->is_leaving)
        return;
    a->is_leaving = true;
    want(a);
    beat(a);
    rvi_report_leaving(a);
}

static void make_haste(struct rvi_agent *a)
{
    if (a->is_in_haste)
        return;
    a->is_in_haste = true;
    rvi_processes_hurry(a->ex);
    rvi_lock_acquire(&a->lock);
    RVI_LIST_FOREACH(link, &a->held) {
        tell_stop(a, rvi_container_of(link, struct rvi_holding, link), -EINTR);
    }
    rvi_lock_release(&a->lock);
}

void rvi_agent_rest(struct rvi_agent *a, int error)
{
    if (a->rests_until == 0)
        rvi_report_trouble(a, "no worker process can be started", error, "");
    a->rests_until = rvi_clock_now() + REST_NS;
    if (error == -ESTALE) {
        a->error = error;
        begin_to_leave(a);
    }
    want(a);
}

static void end_rest(struct rvi_agent *a, rv_time now)
{
    if (a->rests_until == 0 || now < a->rests_until)
        return;
    a->rests_until = 0;
    want(a);
}

/* --- the news --- */

/* Without memory for its task one that has begun is tried again, in a moment. False: that. */
static bool begin_to_serve(struct rvi_holding *h)
{
    struct rvi_agent *a = h->agent;

    h->has_task = rv_go(a->holders, rvi_holding_serve, h) == 0;
    if (!h->has_task && h->future) {
        rvi_lock_acquire(&a->lock);
        if (!rvi_link_is_linked(&h->news))
            rvi_list_push_back(&a->told, &h->news);
        rvi_lock_release(&a->lock);
        rv_event_set(&a->news);
        return false;
    }
    a->busy++;
    rvi_agent_stir(a);
    if (!h->has_task)
        rvi_holding_refuse(h);
    return true;
}

static struct rvi_holding *take_told(struct rvi_agent *a, int *ret_stop)
{
    rvi_lock_acquire(&a->lock);
    struct rvi_link *link = rvi_list_pop_front(&a->told);
    struct rvi_holding *h = link ? rvi_container_of(link, struct rvi_holding, news) : NULL;
    if (h)
        *ret_stop = h->told_stop;
    rvi_lock_release(&a->lock);
    return h;
}

static void take_holdings(struct rvi_agent *a)
{
    struct rvi_holding *h;
    int stop;

    while ((h = take_told(a, &stop))) {
        if (stop < 0)
            rvi_holding_stop(h, stop);
        if (!h->has_task && !begin_to_serve(h)) {
            rv_yield();
            return;
        }
    }
}

static void take_link(struct rvi_agent *a)
{
    char words[RVI_ENGINE_WORDS];

    rvi_lock_acquire(&a->lock);
    int link = a->link;
    memcpy(words, a->link_words, sizeof(words));
    rvi_lock_release(&a->lock);
    if (link == a->known_link)
        return;
    a->known_link = link;
    rvi_report_link(a, link, words);
    if (link == 0 || link == -ENOTCONN)
        return;
    a->error = link;
    begin_to_leave(a);
    make_haste(a);
}

static void take_wish_to_leave(struct rvi_agent *a)
{
    rvi_lock_acquire(&a->lock);
    unsigned asked = a->leave_asked;
    rvi_lock_release(&a->lock);
    if (asked > 0)
        begin_to_leave(a);
    if (asked > 1)
        make_haste(a);
}

static rv_time next_chore(const struct rvi_agent *a)
{
    rv_time due = a->beaten + (a->is_stirred ? STIR_NS : BEAT_NS);

    return a->rests_until > 0 && a->rests_until < due ? a->rests_until : due;
}

static void do_chores(struct rvi_agent *a)
{
    rv_time now = rvi_clock_now();

    end_rest(a, now);
    if (now >= a->beaten + (a->is_stirred ? STIR_NS : BEAT_NS))
        beat(a);
}

/* From then on a lease that comes all the same goes back at once. */
static bool has_left(struct rvi_agent *a)
{
    rvi_lock_acquire(&a->lock);
    a->has_left = a->is_leaving && rvi_list_is_empty(&a->held);
    rvi_lock_release(&a->lock);
    return a->has_left;
}

/* Without memory for a timer it looks around without one. */
static void serve(struct rvi_agent *a)
{
    want(a);
    beat(a);
    while (!has_left(a)) {
        int r = rv_event_wait(&a->news, next_chore(a));
        RV_CHECK(r != -ECANCELED);
        if (r == -ENOMEM)
            rv_yield();
        rv_event_reset(&a->news);
        take_link(a);
        take_wish_to_leave(a);
        take_holdings(a);
        do_chores(a);
    }
}

/* --- joining and leaving --- */

struct opening {
    struct rvi_agent *agent;
    char words[RVI_ENGINE_WORDS];
};

static int open_engine(void *arg)
{
    static const struct rvi_engine_events events = {
        .leased = rvi_holding_leased,
        .stop = on_stop,
        .link = on_link,
    };
    struct opening *opening = arg;
    struct rvi_agent *a = opening->agent;

    return rvi_engine_open(&a->engine, &a->opts.engine, &events, a, opening->words);
}

static int join(struct rvi_agent *a)
{
    struct opening opening = {.agent = a};
    int r = rv_blocking(open_engine, &opening, NULL);

    if (r < 0)
        rvi_report_trouble(a, "the cluster cannot be joined", r, opening.words);
    return r;
}

static int close_engine(void *agent)
{
    struct rvi_agent *a = agent;

    rvi_engine_close(a->engine, rv_after(a->is_in_haste ? HASTE_NS : CLOSE_NS));
    a->engine = NULL;
    return 0;
}

static int open_executor(struct rvi_agent *a)
{
    const struct rv_process_opts process = {
        .size = sizeof(process),
        .cancel_grace = a->opts.grace,
        .term_grace = a->opts.grace,
        .prestart = 1,
    };
    const struct rv_executor_opts opts = {
        .size = sizeof(opts),
        .backlog = a->opts.slots + BACKLOG_SPARE,
        .process = &process,
    };
    char spec[32];

    snprintf(spec, sizeof(spec), "processes:%u", a->opts.slots);
    int r = rv_executor_open(&a->ex, spec, &opts);
    if (r < 0)
        rvi_report_trouble(a, "no worker process can be started", r, "");
    return r;
}

/* With a task for each lease, which never fails. */
static int serve_in_scope(struct rvi_agent *a)
{
    int r = rv_scope_open(&a->holders, NULL);

    if (r < 0)
        return r;
    rvi_report_joined(a);
    serve(a);
    r = rv_scope_close(a->holders);
    return r < 0 ? r : a->error;
}

static int serve_and_leave(struct rvi_agent *a)
{
    int r = serve_in_scope(a);

    if (rv_blocking(close_engine, a, NULL) < 0)
        close_engine(a);
    if (a->has_left)
        rvi_report_left(a);
    return r;
}

static int join_and_serve(struct rvi_agent *a)
{
    int r = open_executor(a);

    if (r < 0)
        return r;
    r = join(a);
    if (r == 0)
        r = serve_and_leave(a);
    int closed = rv_executor_close(a->ex, RV_CLOSE_CANCEL, RV_NEVER);
    return r < 0 ? r : closed;
}

/* --- signals --- */

struct ear {
    struct rvi_agent *agent;
    rv_signals *signals;
};

static int hear_signals(void *arg)
{
    struct ear *ear = arg;
    struct rv_signal_info info;

    while (rv_signal_wait(ear->signals, &info, RV_NEVER) == 0) {
        rvi_agent_leave(ear->agent);
        if (info.missed > 0)
            rvi_agent_leave(ear->agent);
    }
    return 0;
}

static int serve_with_signals(struct rvi_agent *a)
{
    struct ear ear = {.agent = a};
    rv_scope *scope;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    int r = rv_signals_open(&ear.signals, &set);
    if (r < 0)
        return r;
    r = rv_scope_open(&scope, NULL);
    if (r == 0) {
        r = rv_go(scope, hear_signals, &ear);
        if (r == 0)
            r = join_and_serve(a);
        rv_scope_cancel(scope, -ECANCELED);
        int closed = rv_scope_close(scope);
        r = r < 0 || closed == -ECANCELED ? r : closed;
    }
    ear.signals = rv_signals_close(ear.signals);
    return r;
}

static int run(void *agent)
{
    struct rvi_agent *a = agent;

    return a->opts.takes_signals ? serve_with_signals(a) : join_and_serve(a);
}

/* --- the outside --- */

int rvi_agent_new(struct rvi_agent **ret, const struct rvi_agent_opts *opts)
{
    struct rvi_agent *a = rvi_calloc(1, sizeof(*a));

    if (!a)
        return -ENOMEM;
    a->opts = *opts;
    a->opts.engine.role = RVI_ENGINE_WORKER;
    if (a->opts.slots == 0)
        a->opts.slots = (unsigned)rvi_usable_cores();
    if (a->opts.lease == 0)
        a->opts.lease = RVI_ENGINE_LEASE_MS * RV_MILLISECOND;
    if (a->opts.engine.build[0] == '\0')
        rvi_identity_build(a->opts.engine.build);
    rvi_list_init(&a->held);
    rvi_list_init(&a->told);
    rv_event_init(&a->news);
    *ret = a;
    return 0;
}

int rvi_agent_run(struct rvi_agent *a)
{
    const struct rv_run_opts opts = {.size = sizeof(opts), .workers = 1, .no_interrupt = 1};
    int r = rv_run(run, a, &opts);

    if (r < 0 && !a->has_told_why)
        rvi_report_trouble(a, "the worker cannot go on", r, "");
    return r;
}

void rvi_agent_free(struct rvi_agent *a)
{
    if (!a)
        return;
    RV_CHECK(!a->engine && rvi_list_is_empty(&a->held));
    rvi_free(a);
}
