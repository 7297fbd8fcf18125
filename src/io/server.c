/* SPDX-License-Identifier: MIT */
/* server.c - accept, a task for each connection, and an end in good order.
 *
 * Two scopes of the owner, one inside the other: connections, and within it the tasks that accept,
 * so that these end first and connections stay.
 *
 *   V1  `open` counts the connections that were accepted and have not been closed
 *   V2  the server drains and `open` is 0  =>  `done` is set, or its owner sees the 0
 *   V3  a connection is on its shard's `idle` list  =>  its scope `idle` is open; once its shard
 *       drains, none joins
 *
 * An idle connection's task is inside a scope of its own. A drain goes from shard to shard with the
 * shard's lock and cancels those, and who would become idle hears of the drain instead. V2 is
 * Dekker's pattern: the owner stores `draining` and then reads `open`, the last connection takes
 * itself off `open` and then reads `draining`; at least one sees the other.
 *
 * A connection's task is an errand (task/scope.h), so that its descriptor is closed even when no
 * stack could be had for it.
 *
 * Rejected: shutting idle sockets for reading, so that they read an end. What the other end sends
 * after that makes the kernel reset the connection, and what is still on its way there is lost. So
 * only the wait is cancelled; the connection stays whole, and its handler may look once more.
 * Rejected: a list of all connections, to be looked at by the drain; only idle ones matter, and
 * these stand on a list of their worker, whose lock nobody else wants but for stolen tasks.
 * Checked by: tests/unit/io/test_server.c, tests/stress/stress_io_net.c */
#include <ravel/net.h>

#include <errno.h>

#include <ravel/io.h>
#include <ravel/run.h>
#include <ravel/scope.h>
#include <ravel/sync.h>
#include <ravel/task.h>

#include "base/alloc.h"
#include "base/atomic.h"
#include "base/list.h"
#include "base/opts.h"
#include "sched/worker.h"
#include "sys/lock.h"
#include "task/scope.h"

enum { LONG_QUEUE = 4096 }; /* what the system allows, usually */

/* One listening socket, and the worker that accepts from it. */
struct shard {
    struct rv_server *server;
    int listener;
    unsigned worker;
    struct rvi_lock lock; /* guards the two below */
    struct rvi_list idle;
    bool draining;
};

struct rv_server {
    rv_conn_fn *fn;
    void *arg;
    const struct rv_site *site;
    rv_scope *connections, *acceptors;
    struct rv_sem room; /* where there is a limit */
    bool is_limited;
    _Atomic(bool) draining;
    struct rv_event done;
    _Atomic(size_t) open;
    _Atomic(uint64_t) accepted, failed, refused;
    size_t count;
    struct shard shards[];
};

struct conn {
    struct rv_conn self;
    struct rvi_errand errand;
    struct rvi_link link; /* on the shard's idle list */
    struct shard *shard;
    rv_scope *idle; /* open while it is idle */
};

/* --- connections --- */

/* Whether a drain has come meanwhile. */
static int leave_idle(struct conn *c)
{
    if (!c->idle)
        return 0;
    rvi_lock_acquire(&c->shard->lock);
    if (rvi_link_is_linked(&c->link))
        rvi_link_remove(&c->link);
    rvi_lock_release(&c->shard->lock);
    int r = rv_scope_close(c->idle);
    c->idle = NULL;
    return r == -ESHUTDOWN ? r : 0;
}

/* Once `open` is one less the server may be gone, but for those that run in its scopes. */
static void end(struct conn *c)
{
    struct rv_server *server = c->shard->server;

    (void)leave_idle(c);
    (void)rv_close(c->self.fd);
    rvi_free(c);
    if (server->is_limited)
        rv_sem_post(&server->room, 1);
    if (rvi_fetch_sub_seq_cst(&server->open, 1) == 1 && /* pairs: server-drain */
        rvi_load_seq_cst(&server->draining))            /* pairs: server-drain */
        rv_event_set(&server->done);
}

static int serve(struct rvi_errand *errand)
{
    struct conn *c = rvi_container_of(errand, struct conn, errand);
    struct rv_server *server = c->shard->server;

    if (server->fn(&c->self, server->arg) < 0)
        rvi_fetch_add_relaxed(&server->failed, 1);
    end(c);
    return 0;
}

static void lost(struct rvi_errand *errand, int why)
{
    struct conn *c = rvi_container_of(errand, struct conn, errand);

    (void)why; /* the scope hears of it */
    rvi_fetch_add_relaxed(&c->shard->server->refused, 1);
    end(c);
}

int rv_conn_idle(struct rv_conn *conn)
{
    struct conn *c = rvi_container_of(conn, struct conn, self);
    int r = c->idle ? 0 : rv_scope_open(&c->idle, NULL); /* with options it takes longer */

    if (r < 0)
        return r;
    rvi_scope_set_name(c->idle, "idle");
    rvi_lock_acquire(&c->shard->lock);
    bool draining = c->shard->draining;
    if (!draining && !rvi_link_is_linked(&c->link))
        rvi_list_push_back(&c->shard->idle, &c->link);
    rvi_lock_release(&c->shard->lock);
    if (!draining)
        return 0;
    (void)leave_idle(c);
    return -ESHUTDOWN;
}

int rv_conn_busy(struct rv_conn *conn)
{
    return leave_idle(rvi_container_of(conn, struct conn, self));
}

int rv_conn_is_draining(const struct rv_conn *conn)
{
    const struct conn *c = (const struct conn *)conn;

    return rvi_load_relaxed(&c->shard->server->draining);
}

/* --- accepting --- */

/* The descriptor goes to a task, or is closed. */
static void start(struct shard *shard, int fd, const struct rv_addr *peer)
{
    struct rv_server *server = shard->server;
    struct conn *c = rvi_alloc(sizeof *c);

    rvi_fetch_add_relaxed(&server->accepted, 1);
    if (!c) {
        rvi_fetch_add_relaxed(&server->refused, 1);
        (void)rv_close(fd);
        if (server->is_limited)
            rv_sem_post(&server->room, 1);
        return;
    }
    *c = (struct conn){
        .self = {.fd = fd, .peer = *peer}, .errand = {.run = serve, .lost = lost}, .shard = shard};
    rvi_fetch_add_relaxed(&server->open, 1);
    int r = rvi_scope_send(server->connections, &c->errand, server->site);
    if (r < 0)
        lost(&c->errand, r);
}

static int accept_next(struct shard *shard)
{
    struct rv_server *server = shard->server;
    struct rv_addr peer;
    int r = server->is_limited ? rv_sem_wait(&server->room, RV_NEVER) : 0;

    if (r < 0)
        return r;
    int fd = rv_accept(shard->listener, &peer, RV_NEVER);
    if (fd >= 0)
        start(shard, fd, &peer);
    else if (server->is_limited)
        rv_sem_post(&server->room, 1); /* whoever accepts the rest wants it */
    return fd < 0 ? fd : 0;
}

static int accept_all(void *arg)
{
    struct shard *shard = arg;
    int r = rv_migrate(shard->worker);

    while (r == 0)
        r = accept_next(shard);
    return r;
}

/* --- opening --- */

static struct rv_server *server_new(const int *listeners, size_t count, size_t limit)
{
    struct rv_server *server = rvi_calloc(1, sizeof *server + count * sizeof server->shards[0]);

    if (!server)
        return NULL;
    server->count = count;
    server->is_limited = limit > 0;
    rv_sem_init(&server->room, limit);
    rv_event_init(&server->done);
    for (size_t i = 0; i < count; i++) {
        struct shard *shard = &server->shards[i];
        shard->server = server;
        shard->listener = listeners[i];
        shard->worker = (unsigned)(i % rv_run_workers());
        rvi_list_init(&shard->idle);
    }
    return server;
}

static int prepare(void *worker)
{
    int r = rv_migrate((unsigned)(uintptr_t)worker);

    return r < 0 ? r : rvi_worker_open_loop(rvi_worker_self());
}

/* Each worker has what waiting takes before connections take all descriptors: it may take over
 * connections that others have accepted. */
static int prepare_workers(void)
{
    rv_scope *scope;
    int r = rv_scope_open(&scope, NULL);

    if (r < 0)
        return r;
    for (uintptr_t i = 0; r == 0 && i < rv_run_workers(); i++)
        r = rv_go_named(scope, prepare, (void *)i, "prepare to serve");
    if (r < 0)
        rv_scope_cancel(scope, r);
    return rv_scope_close(scope);
}

static int start_accepting(struct rv_server *server)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < server->count; i++)
        r = rv_go_named(server->acceptors, accept_all, &server->shards[i], "accept");
    return r;
}

static int open_scopes(struct rv_server *server)
{
    const struct rv_scope_opts all = {
        .size = sizeof all, .name = "connections", .policy = RV_COLLECT_ALL};
    const struct rv_scope_opts any = {.size = sizeof any, .name = "acceptors"};
    int r = rv_scope_open(&server->connections, &all);

    if (r < 0)
        return r;
    r = rv_scope_open(&server->acceptors, &any);
    if (r < 0)
        goto close_connections;
    r = start_accepting(server);
    if (r == 0)
        return 0;
    rv_scope_cancel(server->acceptors, r);
    r = rv_scope_close(server->acceptors);
close_connections:
    rv_scope_cancel(server->connections, r);
    return rv_scope_close(server->connections);
}

int rv_server_open_at(rv_server **ret, const int *listeners, size_t count, rv_conn_fn *fn,
                      void *arg, const struct rv_server_opts *opts, const struct rv_site *site)
{
    struct rv_server_opts known;
    int r = rvi_opts_copy(&known, sizeof known, opts, opts ? opts->size : 0);

    if (r < 0)
        return r;
    if (count == 0)
        return -EINVAL;
    if (rv_run_workers() == 0)
        return -EPERM;
    if ((r = prepare_workers()) < 0)
        return r;
    struct rv_server *server = server_new(listeners, count, known.limit);
    if (!server)
        return -ENOMEM;
    server->fn = fn;
    server->arg = arg;
    server->site = site;
    r = open_scopes(server);
    if (r < 0)
        rvi_free(server);
    else
        *ret = server;
    return r;
}

/* --- draining --- */

/* Whoever stands in a queue believes to be connected, and a listener that closes resets him. At
 * most a long queue's length: others may still be coming. */
static void accept_the_rest(struct shard *shard)
{
    struct rv_server *server = shard->server;
    struct rv_addr peer;

    for (int i = 0; i < LONG_QUEUE; i++) {
        if (server->is_limited && rv_sem_try_wait(&server->room) < 0)
            return;
        int fd = rv_accept(shard->listener, &peer, 0);
        if (fd >= 0) {
            start(shard, fd, &peer);
            continue;
        }
        if (server->is_limited)
            rv_sem_post(&server->room, 1);
        return;
    }
}

/* Why the accepting has ended: 0, as it was told to. */
static int stop_accepting(struct rv_server *server)
{
    rv_scope_cancel(server->acceptors, -ESHUTDOWN);
    int r = rv_scope_close(server->acceptors);
    for (size_t i = 0; i < server->count; i++) {
        accept_the_rest(&server->shards[i]);
        (void)rv_close(server->shards[i].listener);
    }
    return r == -ESHUTDOWN ? 0 : r;
}

static void drain_shard(struct shard *shard)
{
    rvi_lock_acquire(&shard->lock);
    shard->draining = true;
    for (struct rvi_link *link = shard->idle.head.next; link != &shard->idle.head;
         link = link->next)
        rv_scope_cancel(rvi_container_of(link, struct conn, link)->idle, -ESHUTDOWN);
    rvi_lock_release(&shard->lock);
}

static int wait_for_connections(struct rv_server *server, rv_time deadline)
{
    if (rvi_load_seq_cst(&server->open) == 0) /* pairs: server-drain */
        return 0;
    return rv_event_wait(&server->done, deadline);
}

int rv_server_drain(rv_server *server, rv_time deadline)
{
    int stopped = stop_accepting(server); /* so `open` only falls */

    rvi_store_seq_cst(&server->draining, true); /* pairs: server-drain */
    for (size_t i = 0; i < server->count; i++)
        drain_shard(&server->shards[i]);
    int r = wait_for_connections(server, deadline);
    if (r < 0)
        rv_scope_cancel(server->connections, r);
    int closed = rv_scope_close(server->connections);
    rvi_free(server);
    return r < 0 ? r : stopped < 0 ? stopped : closed;
}

int rv_server_stats_read(const rv_server *server, struct rv_server_stats *stats)
{
    struct rv_server_stats known = {
        .accepted = rvi_load_relaxed(&server->accepted),
        .failed = rvi_load_relaxed(&server->failed),
        .refused = rvi_load_relaxed(&server->refused),
        .open = rvi_load_relaxed(&server->open),
    };

    return rvi_opts_give(stats, &known, sizeof known, sizeof known);
}
