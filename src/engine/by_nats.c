/* SPDX-License-Identifier: MIT */
/* by_nats.c - an engine's thread: what it waits for, and its life.
 *
 * A turn: what others have said, what is due, what waits to be asked; then all of it is written,
 * and what has come is read. The thread sleeps in epoll, on the socket and the bell. Who says
 * something rings only if it sleeps, which it says under the lock before it looks at the notes for
 * the last time. It sleeps for as long as an answer may take at most: what was said by others while
 * it slept is overdue by then.
 *
 * While the connection is away it is tried again, after ever longer, two seconds at most. Trying
 * blocks the thread, and nobody else: nothing else could be done meanwhile. A server that refuses
 * us is believed after some times: one that is just ending, or beginning, says odd things too.
 *
 * A server that says nothing for long is gone, if something is awaited from it: an answer, or the
 * end of a request for tasks or items. As long as nothing is, its silence counts for nothing.
 *
 * Opening fails with the first attempt's error, unless that is one that passes: then it is tried
 * until its time is over. An observer who finds nobody is told so at once: he can come again. */
#include "engine/by_nats.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/futex.h"
#include "sys/poller.h"
#include "sys/thread.h"

static const int64_t ms = 1000000;

enum {
    RETRY_FIRST_MS = 20,
    RETRY_MOST_MS = 2000,
    SILENT_MS = 6000, /* a server that says nothing for so long, though it was asked, is gone */
    OPEN_USUAL_MS = 5000,
    REFUSALS = 5, /* in a row, of somebody who was there before */
};

/* --- what others say --- */

bool rvi_nats_note_locked(struct rvi_nats *e, struct rvi_nats_note *note)
{
    bool was_asleep = e->in.is_asleep;

    rvi_fifo_push(&e->in.notes, &note->link);
    e->in.is_asleep = false;
    return was_asleep;
}

void rvi_nats_note(struct rvi_nats *e, struct rvi_nats_note *note)
{
    rvi_lock_acquire(&e->in.lock);
    bool rings = rvi_nats_note_locked(e, note);
    rvi_lock_release(&e->in.lock);
    if (rings)
        rvi_fd_event_signal(e->bell);
}

static void read_notes(struct rvi_nats *e)
{
    rvi_lock_acquire(&e->in.lock);
    struct rvi_fifo notes = e->in.notes;
    rvi_fifo_init(&e->in.notes);
    e->in.is_asleep = false;
    rvi_lock_release(&e->in.lock);
    for (struct rvi_qlink *link; (link = rvi_fifo_pop(&notes));) {
        struct rvi_nats_note *note = rvi_container_of(link, struct rvi_nats_note, link);
        note->read(e, note);
    }
}

/* False: there is something to read. */
static bool may_sleep(struct rvi_nats *e)
{
    rvi_lock_acquire(&e->in.lock);
    bool is_idle = rvi_fifo_is_empty(&e->in.notes);
    e->in.is_asleep = is_idle;
    rvi_lock_release(&e->in.lock);
    return is_idle;
}

bool rvi_nats_borrow(struct rvi_nats *e)
{
    if (!rvi_lock_try_acquire(&e->turn))
        return false;
    rvi_lock_acquire(&e->in.lock);
    bool is_free = e->in.is_asleep && !e->in.is_closing;
    rvi_lock_release(&e->in.lock);
    is_free = is_free && e->state == RVI_NATS_READY && e->sent_count == 0 && !e->wants_write &&
              rvi_list_is_empty(&e->waiting);
    if (!is_free)
        rvi_lock_release(&e->turn);
    return is_free;
}

void rvi_nats_give_back(struct rvi_nats *e)
{
    e->heard = rvi_clock_now(); /* no answer was awaited before */
    if (rvi_nats_is_connected(e))
        rvi_nats_send_waiting(e, e->heard);
    rvi_nats_write(e);
    bool rings = !rvi_nats_is_connected(e) || !rvi_list_is_empty(&e->waiting);
    rvi_lock_release(&e->turn);
    if (rings)
        rvi_fd_event_signal(e->bell);
}

static bool is_closing(struct rvi_nats *e, int64_t *ret_deadline)
{
    rvi_lock_acquire(&e->in.lock);
    bool it_is = e->in.is_closing;
    *ret_deadline = e->in.close_deadline;
    rvi_lock_release(&e->in.lock);
    return it_is;
}

/* --- opening --- */

void rvi_nats_opened(struct rvi_nats *e, int error, const char *format, ...)
{
    va_list args;

    if (rvi_load_relaxed(&e->is_open))
        return;
    va_start(args, format);
    vsnprintf(e->words, sizeof(e->words), format, args);
    va_end(args);
    e->open_error = error;
    rvi_store_release(&e->is_open, 1); /* pairs: nats-opened */
    rvi_futex_wake(&e->is_open, 1);
}

static bool has_opened(const struct rvi_nats *e)
{
    return rvi_load_relaxed(&e->is_open) != 0;
}

void rvi_nats_tell_link(struct rvi_nats *e, int error, const char *words)
{
    if (e->base.events.link && !e->is_mute && has_opened(e))
        e->base.events.link(e->base.arg, error, words);
}

/* --- the connection's life --- */

static bool passes(const struct rvi_nats *e, int error)
{
    if (has_opened(e))
        return error != -EACCES && error != -EPROTO && error != -EINVAL;
    if (error == -ECONNREFUSED)
        return e->opts.role != RVI_ENGINE_OBSERVER;
    return error == -ETIME || error == -ENOMEM;
}

static void retry_later(struct rvi_nats *e)
{
    int64_t wait = RETRY_FIRST_MS << (e->retries < 7 ? e->retries : 7);

    e->retries++;
    e->retry_at = rvi_clock_now() + (wait < RETRY_MOST_MS ? wait : RETRY_MOST_MS) * ms;
}

static void try_to_connect(struct rvi_nats *e)
{
    char words[RVI_ENGINE_WORDS];
    int r = rvi_nats_connect(e, words);

    if (r == 0)
        r = rvi_nats_greet(e, words);
    if (r == 0) {
        rvi_nats_make(e);
        return;
    }
    rvi_nats_disconnect(e);
    retry_later(e);
    e->refusals = passes(e, r) ? 0 : e->refusals + 1;
    if (!has_opened(e) && (!passes(e, r) || e->retry_at > e->open_deadline))
        rvi_nats_opened(e, r, "%s", words);
    else if (e->refusals >= REFUSALS)
        rvi_nats_tell_link(e, r, words);
}

static void lose(struct rvi_nats *e)
{
    bool was_ready = e->state == RVI_NATS_READY;

    rvi_nats_disconnect(e);
    e->state = RVI_NATS_AWAY;
    e->retries = 0;
    retry_later(e);
    rvi_nats_ask_lost(e);
    rvi_nats_make_lost(e);
    if (e->client)
        rvi_nats_client_lost(e);
    if (e->worker)
        rvi_nats_worker_lost(e);
    rvi_nats_queues_lost(e);
    if (was_ready)
        rvi_nats_tell_link(e, -ENOTCONN, "the engine is away");
}

void rvi_nats_made(struct rvi_nats *e)
{
    e->state = RVI_NATS_READY;
    e->retries = e->refusals = 0;
    if (has_opened(e))
        rvi_nats_tell_link(e, 0, "");
    rvi_nats_opened(e, 0, "%s", "");
    if (e->client)
        rvi_nats_client_ready(e);
    if (e->worker)
        rvi_nats_worker_ready(e);
    rvi_nats_queues_ready(e);
}

/* Of a cluster's servers a majority is needed before any of them answers what concerns streams. */
static const char *what_is_missing(const struct rvi_nats *e)
{
    if (e->reason[0])
        return e->reason;
    return e->nc && e->is_clustered
               ? "its cluster does not answer; are enough of its servers there?"
               : "it does not answer";
}

static bool awaits(const struct rvi_nats *e)
{
    return e->sent_count > 0 || (e->worker && rvi_nats_pull_is_asked(e)) ||
           rvi_nats_queues_are_asked(e);
}

static void look_after_link(struct rvi_nats *e, int64_t now)
{
    if (!awaits(e))
        e->heard = now;
    bool is_silent = e->heard + e->silence <= now;
    if (e->nc && (is_silent || !rvi_nats_is_connected(e)))
        lose(e);
    if (!e->nc && e->retry_at <= now && (!has_opened(e) || e->open_error == 0))
        try_to_connect(e);
    if (!has_opened(e) && now >= e->open_deadline)
        rvi_nats_opened(e, -ETIME, "%s: %s", e->opts.url, what_is_missing(e));
}

/* --- the thread --- */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t next_due(struct rvi_nats *e)
{
    int64_t due = has_opened(e) ? INT64_MAX : e->open_deadline;

    if (e->client || e->worker)
        due = least(due, rvi_clock_now() + RVI_NATS_ASK_MS * ms);
    due = least(due, rvi_nats_visits_due(e));
    if (!e->nc)
        return least(due, e->retry_at);
    due = least(due, rvi_nats_ask_due(e));
    if (awaits(e))
        due = least(due, e->heard + e->silence);
    if (e->client)
        due = least(due, rvi_nats_client_due(e));
    if (e->worker)
        due = least(due, rvi_nats_worker_due(e));
    return least(due, rvi_nats_queues_due(e));
}

static void turn(struct rvi_nats *e)
{
    int64_t now = rvi_clock_now();

    look_after_link(e, now);
    read_notes(e);
    if (e->client)
        rvi_nats_client_turn(e, now);
    if (e->worker)
        rvi_nats_worker_turn(e, now);
    rvi_nats_queues_turn(e, now);
    rvi_nats_visits_turn(e, now);
    rvi_nats_ask_turn(e, now);
    if (e->nc)
        rvi_nats_write(e);
}

static void sleep_until_called(struct rvi_nats *e, int64_t deadline)
{
    struct epoll_event events[2];

    rvi_lock_release(&e->turn);
    int count = rvi_poller_wait(e->poller, events, 2, deadline);
    rvi_lock_acquire(&e->turn);
    for (int i = 0; i < count; i++) {
        if (events[i].data.u64 == 0)
            rvi_fd_event_clear(e->bell);
        else if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR) && e->nc)
            rvi_nats_read(e);
    }
}

/* Nothing is left to be said: what was settled has been stored, and all is written. */
static bool has_said_all(struct rvi_nats *e)
{
    return rvi_list_is_empty(&e->waiting) && rvi_list_is_empty(&e->sent) &&
           rvi_list_is_empty(&e->later) && !e->wants_write &&
           (!e->worker || rvi_nats_worker_is_idle(e));
}

static void *run(void *arg)
{
    struct rvi_nats *e = arg;
    int64_t deadline;

    rvi_lock_acquire(&e->turn);
    e->api = rvi_nats_api();
    if (!e->api)
        rvi_nats_opened(e, -ENOSYS, "%s cannot be loaded here", RVI_NATS_SONAME);
    for (;;) {
        bool ends = is_closing(e, &deadline);
        e->is_mute = ends;
        if (e->api)
            turn(e);
        if (ends && (!e->api || has_said_all(e) || rvi_clock_now() >= deadline))
            break;
        int64_t due = e->api ? next_due(e) : INT64_MAX;
        sleep_until_called(e, may_sleep(e) ? least(due, ends ? deadline : INT64_MAX) : 0);
    }
    if (e->api) {
        rvi_nats_disconnect(e);
        e->api->nats_ReleaseThreadMemory();
    }
    rvi_lock_release(&e->turn);
    return NULL;
}

/* --- opening and closing --- */

static void say_that_it_closes(struct rvi_nats *e, int64_t deadline)
{
    rvi_lock_acquire(&e->in.lock);
    e->in.is_closing = true;
    e->in.close_deadline = deadline;
    rvi_lock_release(&e->in.lock);
    rvi_fd_event_signal(e->bell);
}

static void free_all(struct rvi_nats *e)
{
    rvi_nats_make_free(e);
    rvi_nats_client_free(e);
    rvi_nats_worker_free(e);
    rvi_nats_free_dropped(e);
    if (e->bell >= 0)
        rvi_fd_close(e->bell);
    if (e->poller >= 0)
        rvi_fd_close(e->poller);
    rvi_free(e->asked);
    rvi_free(e->texts);
    rvi_free(e);
}

static void close_engine(struct rvi_engine *engine, rv_time deadline)
{
    struct rvi_nats *e = rvi_nats_of(engine);

    say_that_it_closes(e, deadline);
    rvi_thread_join(e->thread);
    free_all(e);
}

static const char *copy_text(char **at, const char *text)
{
    char *copy = *at;

    if (!text)
        return NULL;
    *at = stpcpy(*at, text) + 1;
    return copy;
}

/* No pool has that name. */
#define NO_POOL "?"

static int copy_opts(struct rvi_nats *e, const struct rvi_engine_opts *opts)
{
    const char *texts[] = {opts->url,       opts->pool,     opts->name,     opts->ca_file,
                           opts->cert_file, opts->key_file, opts->nkey_file};
    size_t bytes = 1;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        bytes += texts[i] ? strlen(texts[i]) + 1 : 0;
    char *at = e->texts = rvi_alloc(bytes);
    if (!at)
        return -ENOMEM;
    e->opts = *opts;
    e->opts.url = copy_text(&at, opts->url);
    e->opts.pool = opts->pool ? copy_text(&at, opts->pool) : NO_POOL;
    e->opts.name = copy_text(&at, opts->name);
    e->opts.ca_file = copy_text(&at, opts->ca_file);
    e->opts.cert_file = copy_text(&at, opts->cert_file);
    e->opts.key_file = copy_text(&at, opts->key_file);
    e->opts.nkey_file = copy_text(&at, opts->nkey_file);
    return 0;
}

static void make_name(struct rvi_nats *e)
{
    char host[HOST_NAME_MAX + 1] = "";

    (void)gethostname(host, sizeof(host) - 1);
    for (char *at = host; *at; at++) {
        if (!strchr("0123456789-ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz", *at))
            *at = '-';
    }
    snprintf(e->host, sizeof(e->host), "%.63s", host);
    if (e->opts.name)
        snprintf(e->name, sizeof(e->name), "%s", e->opts.name);
    else
        snprintf(e->name, sizeof(e->name), "%.40s-%d", host[0] ? host : "host", (int)getpid());
}

static int judge_opts(const struct rvi_engine_opts *opts, char *words)
{
    bool needs_build = opts->role == RVI_ENGINE_CLIENT || opts->role == RVI_ENGINE_WORKER;

    if (needs_build && !rvi_wire_is_build(opts->build))
        snprintf(words, RVI_ENGINE_WORDS, "\"%.32s\" is no build", opts->build);
    else if (opts->name && !rvi_engine_is_name(opts->name))
        snprintf(words, RVI_ENGINE_WORDS, "\"%.63s\" cannot name a worker", opts->name);
    else
        return 0;
    return -EINVAL;
}

static int prepare(struct rvi_nats *e, const struct rvi_engine_opts *opts)
{
    int r = copy_opts(e, opts);

    if (r == 0)
        r = rvi_engine_make_id(e->me);
    if (r == 0)
        r = e->bell = rvi_fd_event();
    if (r >= 0)
        r = e->poller = rvi_poller_open();
    if (r >= 0)
        r = rvi_poller_control(e->poller, EPOLL_CTL_ADD, e->bell, EPOLLIN, 0);
    if (r >= 0)
        r = rvi_nats_make_open(e);
    if (r >= 0 && opts->role == RVI_ENGINE_CLIENT)
        r = rvi_nats_client_open(e);
    if (r >= 0 && opts->role == RVI_ENGINE_WORKER)
        r = rvi_nats_worker_open(e);
    if (r >= 0)
        make_name(e);
    return r < 0 ? r : 0;
}

static int open_engine(struct rvi_engine **ret, const struct rvi_engine_opts *opts,
                       const struct rvi_engine_events *events, void *arg, char *words)
{
    int r = judge_opts(opts, words);
    struct rvi_nats *e = r == 0 ? rvi_calloc(1, sizeof(*e)) : NULL;

    if (!e)
        return r < 0 ? r : -ENOMEM;
    e->base = (struct rvi_engine){.kind = &rvi_nats_kind, .events = *events, .arg = arg};
    e->bell = e->poller = e->fd = -1;
    e->ask_again_at = INT64_MAX;
    e->silence = SILENT_MS * ms;
    rvi_list_init(&e->waiting);
    rvi_list_init(&e->sent);
    rvi_list_init(&e->later);
    rvi_list_init(&e->visits);
    rvi_list_init(&e->queues);
    e->open_deadline =
        rvi_clock_now() + (opts->connect_timeout > 0 ? opts->connect_timeout : OPEN_USUAL_MS * ms);
    pthread_t thread;
    r = prepare(e, opts);
    if (r == 0)
        r = rvi_thread_start(&thread, "rv-engine", run, e);
    if (r < 0) {
        free_all(e);
        return r;
    }
    e->thread = thread;
    while (!rvi_load_acquire(&e->is_open)) /* pairs: nats-opened */
        rvi_futex_wait(&e->is_open, 0, INT64_MAX);
    memcpy(words, e->words, RVI_ENGINE_WORDS);
    r = e->open_error;
    if (r < 0)
        close_engine(&e->base, 0);
    else
        *ret = &e->base;
    return r;
}

const struct rvi_engine_kind rvi_nats_kind = {
    .schemes = {"nats", "tls"},
    .open = open_engine,
    .close = close_engine,
    .submit = rvi_nats_submit,
    .cancel = rvi_nats_cancel,
    .want = rvi_nats_want,
    .extend = rvi_nats_extend,
    .settle = rvi_nats_settle,
    .hand_back = rvi_nats_hand_back,
    .bury = rvi_nats_bury,
    .progress = rvi_nats_progress,
    .announce = rvi_nats_announce,
    .survey = rvi_nats_survey,
    .pools = rvi_nats_pools,
    .letters = rvi_nats_letters,
    .exhume = rvi_nats_exhume,
    .queues = &rvi_nats_queue_kind,
};
