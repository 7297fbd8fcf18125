/* SPDX-License-Identifier: MIT */
/* main.c - echo: the smallest whole server. It listens in several places, has a task for each
 * connection, leaves nobody waiting for ever, and ends in good order.
 *
 * A connection that waits holds one page of stack: the buffer is there only while bytes are on
 * their way back. Between idle and busy a server that drains may end it. */
#include "options.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { BUFFER_BYTES = 16 << 10, MOST_LISTENERS = 256 };

/* --- one connection --- */

/* The client gets what is on its way back, then the end; what it has sent besides is dropped. */
static int say_goodbye(struct rv_conn *conn, const struct options *o)
{
    int fd = conn->fd;
    conn->fd = -1;
    return rv_close_gracefully(fd, rv_after(o->send_ns));
}

/* Wait for bytes: 1, or the end of a read. */
static int wait_for_bytes(struct rv_conn *conn, const struct options *o)
{
    if (rv_conn_idle(conn) < 0)
        return say_goodbye(conn, o);
    int events = rv_poll(conn->fd, POLLIN, rv_after(o->idle_ns));
    if (rv_conn_busy(conn) == -ESHUTDOWN)
        return say_goodbye(conn, o);
    return events < 0 ? events : 1;
}

/* Send back all that is there now: 1 and there may be more, 0 at the end. */
static int send_back(int fd, char *buf, const struct options *o)
{
    rv_time deadline = rv_after(o->send_ns);
    ssize_t n;
    do {
        n = rv_recv(fd, buf, BUFFER_BYTES, 0, deadline);
        int r = n > 0 ? rv_send_all(fd, buf, (size_t)n, NULL, deadline) : 0;
        if (n <= 0 || r < 0)
            return r < 0 ? r : (int)n;
    } while (n == BUFFER_BYTES);
    return 1;
}

static int serve(struct rv_conn *conn, void *options)
{
    const struct options *o = options;
    int r;
    while ((r = wait_for_bytes(conn, o)) == 1) {
        char *buf = malloc(BUFFER_BYTES);
        r = buf ? send_back(conn->fd, buf, o) : -ENOMEM;
        free(buf);
        if (r != 1)
            break;
    }
    return r;
}

/* --- the places --- */

struct listeners {
    int fds[MOST_LISTENERS];
    size_t count;
};

static bool is_path(const char *place)
{
    return strncmp(place, "unix:", 5) == 0;
}

static int say_where(int fd)
{
    char text[RV_ADDR_TEXT];
    struct rv_addr addr;
    int r = rv_addr_local(fd, &addr);
    if (r < 0)
        return r;
    rv_addr_format(&addr, text, sizeof text);
    printf("echo: %s\n", text);
    return 0;
}

/* Each worker accepts by itself; a path has one queue for all. */
static int open_place(struct listeners *l, const char *place)
{
    size_t wanted = is_path(place) ? 1 : rv_run_workers();
    struct rv_listen_opts opts = {.size = sizeof opts, .replace = 1};
    int *fds = &l->fds[l->count], r;

    if (wanted > MOST_LISTENERS - l->count)
        wanted = MOST_LISTENERS - l->count;
    if (is_path(place))
        r = fds[0] = rv_listen("unix", place, &opts);
    else
        r = rv_listen_group("tcp", place, &opts, fds, wanted);
    if (r < 0) {
        fprintf(stderr, "echo: %s: %s\n", place, strerror(-r));
        return r;
    }
    l->count += wanted;
    return say_where(fds[0]);
}

static void remove_paths(const struct options *o)
{
    for (size_t i = 0; i < o->place_count; i++) {
        if (is_path(o->places[i]) && o->places[i][5] != '@')
            unlink(o->places[i] + 5);
    }
}

/* --- the whole --- */

static int take_signals(void)
{
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    if (sigprocmask(SIG_BLOCK, &ends, NULL) < 0)
        return -errno;
    int fd = signalfd(-1, &ends, SFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

struct echo {
    struct options options;
    int signals;
    struct listeners listeners;
};

static int serve_until_a_signal(struct echo *e)
{
    struct rv_server_opts opts = {.size = sizeof opts, .limit = e->options.limit};
    rv_server *server;
    int r =
        rv_server_open(&server, e->listeners.fds, e->listeners.count, serve, &e->options, &opts);
    if (r < 0)
        return r;
    e->listeners.count = 0; /* the server's now */
    fflush(stdout);
    r = rv_poll(e->signals, POLLIN, RV_NEVER);
    int drained = rv_server_drain(server, rv_after(e->options.drain_ns));
    if (drained < 0 && drained != -ETIME)
        return drained;
    return r < 0 ? r : 0;
}

static int run(void *arg)
{
    struct echo *e = arg;
    int r = 0;
    for (size_t i = 0; r == 0 && i < e->options.place_count; i++)
        r = open_place(&e->listeners, e->options.places[i]);
    if (r == 0) {
        r = serve_until_a_signal(e);
        remove_paths(&e->options);
        if (r < 0)
            fprintf(stderr, "echo: %s\n", strerror(-r));
    }
    while (e->listeners.count > 0)
        rv_close(e->listeners.fds[--e->listeners.count]);
    return r;
}

int main(int argc, char **argv)
{
    static struct echo echo;
    int r = options_parse(&echo.options, argc, argv);
    if (r >= 0)
        return r;
    r = echo.signals = take_signals();
    if (r < 0) {
        fprintf(stderr, "echo: signals: %s\n", strerror(-r));
        return 1;
    }
    struct rv_run_opts opts = {.size = sizeof opts, .workers = echo.options.workers};
    return rv_run(run, &echo, &opts) < 0;
}
