/* SPDX-License-Identifier: MIT */
/* main.c - httpd: a task for each connection.
 *
 * Each worker accepts from a queue of its own, and a connection stays where it was accepted. On the
 * signal that ends it the server drains: nobody else may connect, those who wait for nothing are
 * let go, and answers on their way are finished, for as long as the options say. */
#include "conn.h"
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int connection(struct rv_conn *conn, void *arg)
{
    struct options *o = arg;
    struct wire wire = {.calls = &wire_of_task, .fd = conn->fd, .conn = conn};
    conn_serve(&o->site, &wire);
    return 0;
}

/* A client that has not finished its greeting when the server drains waits for no answer. */
static int tls_connection(struct rv_conn *conn, void *arg)
{
    struct options *o = arg;
    struct wire wire = {.calls = &wire_of_tls, .fd = conn->fd, .conn = conn};
    int err = rv_conn_idle(conn);
    if (err == 0)
        err = rv_tls_server(&wire.tls, conn->fd, o->tls, NULL, rv_after(o->site.head_ns));
    if (err < 0)
        return err;
    conn_serve(&o->site, &wire);
    rv_tls_free(wire.tls);
    return 0;
}

/* The listeners are the server's, or closed. */
static int serve(struct options *o, const int *listeners, unsigned count)
{
    struct rv_signal_info signal;
    rv_server *server;
    int err =
        rv_server_open(&server, listeners, count, o->tls ? tls_connection : connection, o, NULL);

    if (err < 0) {
        for (unsigned i = 0; i < count; i++)
            rv_close(listeners[i]);
        return err;
    }
    options_say_where(o, listeners[0]);
    err = rv_signal_wait(o->ends, &signal, RV_NEVER);
    int drained = rv_server_drain(server, rv_after(o->drain_ns));
    if (drained == -ETIME)
        return 0; /* as the options wanted */
    return drained < 0 ? drained : err;
}

static int run(void *arg)
{
    struct options *o = arg;
    unsigned workers = rv_run_workers();
    int *listeners = calloc(workers, sizeof *listeners);

    if (!listeners)
        return -ENOMEM;
    int err = rv_listen_group("tcp", o->listen, NULL, listeners, workers);
    if (err == 0)
        err = serve(o, listeners, workers);
    free(listeners);
    return err;
}

int main(int argc, char **argv)
{
    struct options o;
    int status = options_parse(&o, argc, argv, false);

    if (status >= 0)
        return status;
    if (options_prepare(&o) < 0)
        return 1;
    struct rv_run_opts opts = {.size = sizeof opts, .workers = o.workers};
    int err = rv_run(run, &o, &opts);
    rv_signals_close(o.ends);
    rv_tls_config_free(o.tls);
    if (err < 0)
        fprintf(stderr, "httpd: %s: %s\n", o.listen, strerror(-err));
    return err < 0;
}
