/* SPDX-License-Identifier: MIT */
/* main.c - httpd: a task for each connection.
 *
 * This is the part to read for how a server is built of scopes. Each worker accepts from a queue of
 * its own, and a connection stays where it was accepted. The scope of those that accept lies inside
 * the scope of the connections: on SIGTERM the inner one is cancelled, which closes the door, and
 * the outer one is left alone until its tasks have ended, or for as long as they may take. */
#include "conn.h"
#include "options.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct server {
    struct options *o;
    rv_scope *connections;
    int signals;
    int *listeners; /* one a worker */
    unsigned count;
};

struct acceptor {
    struct server *server;
    unsigned worker;
};

static struct site
    *site; /* of the only server there is, so that a connection needs no allocation */

static int connection(void *arg)
{
    struct wire wire = {.calls = &wire_of_task, .fd = (int)(intptr_t)arg};
    conn_serve(site, &wire);
    rv_close(wire.fd);
    return 0;
}

static int accept_all(void *arg)
{
    struct acceptor *a = arg;
    struct server *s = a->server;
    int fd = 0, err = rv_migrate(a->worker);

    while (err == 0 && (fd = rv_accept(s->listeners[a->worker], NULL, RV_NEVER)) >= 0) {
        err = rv_go(s->connections, connection, (void *)(intptr_t)fd);
        if (err < 0)
            rv_close(fd);
        if (err == -ENOMEM)
            err = 0;
    }
    return err < 0 ? err : fd;
}

static int start_acceptors(struct server *s, rv_scope *scope, struct acceptor *acceptors)
{
    int err = 0;
    for (unsigned i = 0; err == 0 && i < s->count; i++) {
        acceptors[i] = (struct acceptor){s, i};
        err = rv_go(scope, accept_all, &acceptors[i]);
    }
    return err;
}

/* Wait for the signal that ends us, or for an acceptor that cannot go on. */
static int open_the_door(struct server *s)
{
    struct acceptor *acceptors = calloc(s->count, sizeof *acceptors);
    int err = acceptors ? 0 : -ENOMEM, failed = 0;

    if (err == 0) {
        RV_SCOPE(accepting, err) {
            failed = start_acceptors(s, accepting, acceptors);
            if (failed == 0)
                failed = rv_poll(s->signals, POLLIN, RV_NEVER);
            rv_scope_cancel(accepting, failed < 0 ? failed : -ECANCELED);
        }
    }
    free(acceptors);
    return failed > 0 && err == -ECANCELED ? 0 : err;
}

static void close_listeners(struct server *s)
{
    for (unsigned i = 0; i < s->count; i++)
        rv_close(s->listeners[i]);
    s->count = 0;
}

/* Nobody else connects; those that are here get their answers. */
static void drain(struct server *s)
{
    rv_time end = rv_after(s->o->drain_ns);
    while (site_drain(&s->o->site) > 0 && rv_now() < end && rv_sleep(20 * RV_MILLISECOND) == 0)
        ;
    rv_scope_cancel(s->connections, -ETIME);
}

static int serve(struct server *s)
{
    int err, served = 0;
    RV_SCOPE(connections, err, .policy = RV_COLLECT_ALL, .name = "connections") {
        s->connections = connections;
        options_say_where(s->listeners[0]);
        served = open_the_door(s);
        close_listeners(s);
        drain(s);
    }
    return served < 0 ? served : err == -ETIME ? 0 : err;
}

static int run(void *arg)
{
    struct server *s = arg;
    unsigned workers = rv_run_workers();

    s->listeners = calloc(workers, sizeof *s->listeners);
    if (!s->listeners)
        return -ENOMEM;
    int err = rv_listen_group("tcp", s->o->listen, NULL, s->listeners, workers);
    if (err == 0) {
        s->count = workers;
        err = serve(s);
    }
    free(s->listeners);
    return err;
}

int main(int argc, char **argv)
{
    struct options o;
    struct server server = {.o = &o};
    int status = options_parse(&o, argc, argv, false);

    if (status >= 0)
        return status;
    site = &o.site;
    if (options_prepare(&o) < 0)
        return 1;
    int err = server.signals = options_take_signals();
    if (err >= 0) {
        struct rv_run_opts opts = {.size = sizeof opts, .workers = o.workers};
        err = rv_run(run, &server, &opts);
    }
    if (err < 0)
        fprintf(stderr, "httpd: %s: %s\n", o.listen, strerror(-err));
    return err < 0;
}
