/* SPDX-License-Identifier: MIT */
/* threads.c - httpd_threads: the same server with a thread for each connection and plain blocking
 * calls, to compare with. Threads are small and detached. What Ravel's server does for its
 * connections at the end is done here by hand: a list of all of them, whose idle ones are shut for
 * reading, again and again until there are none. */
#include "conn.h"
#include "options.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <unistd.h>

enum { STACK_BYTES = 65536, DRAIN_INTERVAL_US = 20000 };

struct client {
    struct wire wire;
    struct client *next, **link;
    atomic_bool idle;
};

static struct site *site;
static pthread_attr_t small_and_detached;
static atomic_bool draining;
static struct client *first; /* under the lock */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- the wire -------------------------------------------------------------------------------- */

/* What a call says whose SO_RCVTIMEO or SO_SNDTIMEO has passed. These are all the deadlines that a
 * plain blocking call has; ours are not looked at, but for 0. */
static int error_of_call(void)
{
    return errno == EAGAIN ? -ETIME : -errno;
}

static ssize_t thread_read(struct wire *w, char *buf, size_t room, rv_time deadline)
{
    ssize_t n;
    do
        n = recv(w->fd, buf, room, deadline == 0 ? MSG_DONTWAIT : 0);
    while (n < 0 && errno == EINTR);
    return n < 0 ? error_of_call() : n;
}

static int thread_write(struct wire *w, const char *buf, size_t len, bool more, rv_time deadline)
{
    (void)deadline;
    while (len > 0) {
        ssize_t n = send(w->fd, buf, len, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
        if (n < 0 && errno != EINTR)
            return error_of_call();
        buf += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int thread_send_file(struct wire *w, int file, uint64_t from, uint64_t len, rv_time deadline)
{
    off_t at = (off_t)from;
    (void)deadline;
    while (len > 0) {
        ssize_t n = sendfile(w->fd, file, &at, len);
        if (n < 0 && errno != EINTR)
            return error_of_call();
        if (n == 0)
            return -EIO;
        len -= n > 0 ? (uint64_t)n : 0;
    }
    return 0;
}

static void thread_finish(struct wire *w, rv_time deadline)
{
    (void)deadline;
    shutdown(w->fd, SHUT_WR);
}

static struct client *client_of(struct wire *w)
{
    return (struct client *)((char *)w - offsetof(struct client, wire));
}

static bool thread_rest(struct wire *w)
{
    atomic_store_explicit(&client_of(w)->idle, true, memory_order_relaxed);
    return !atomic_load_explicit(&draining, memory_order_relaxed);
}

static void thread_work(struct wire *w)
{
    atomic_store_explicit(&client_of(w)->idle, false, memory_order_relaxed);
}

static bool thread_is_last(struct wire *w)
{
    (void)w;
    return atomic_load_explicit(&draining, memory_order_relaxed);
}

static const struct wire_calls wire_of_thread = {
    .read = thread_read,
    .write = thread_write,
    .send_file = thread_send_file,
    .finish = thread_finish,
    .rest = thread_rest,
    .work = thread_work,
    .is_last = thread_is_last,
};

/* ---- connections ----------------------------------------------------------------------------- */

static void enlist(struct client *c)
{
    pthread_mutex_lock(&lock);
    c->next = first;
    c->link = &first;
    if (c->next)
        c->next->link = &c->next;
    first = c;
    pthread_mutex_unlock(&lock);
}

static void withdraw(struct client *c)
{
    pthread_mutex_lock(&lock);
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    pthread_mutex_unlock(&lock);
}

static void *connection(void *arg)
{
    struct client c = {.wire = {.calls = &wire_of_thread, .fd = (int)(intptr_t)arg}};
    enlist(&c);
    conn_serve(site, &c.wire);
    withdraw(&c);
    close(c.wire.fd);
    return NULL;
}

static struct timeval timeval_of(rv_time t)
{
    return (struct timeval){.tv_sec = t / RV_SECOND, .tv_usec = t % RV_SECOND / RV_MICROSECOND};
}

static void start(int fd)
{
    struct timeval in = timeval_of(site->idle_ns), out = timeval_of(site->send_ns);
    pthread_t thread;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &in, sizeof in);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &out, sizeof out);
    if (pthread_create(&thread, &small_and_detached, connection, (void *)(intptr_t)fd) != 0)
        close(fd);
}

/* ---- the server ------------------------------------------------------------------------------ */

/* Accept until a signal comes. */
static int accept_all(int listener, int signals)
{
    struct pollfd both[] = {{.fd = listener, .events = POLLIN}, {.fd = signals, .events = POLLIN}};

    for (;;) {
        if (poll(both, 2, -1) < 0 && errno != EINTR)
            return -errno;
        if (both[1].revents)
            return 0;
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            start(fd);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            usleep(DRAIN_INTERVAL_US);
    }
}

static bool is_drained(void)
{
    pthread_mutex_lock(&lock);
    for (struct client *c = first; c; c = c->next)
        if (atomic_load_explicit(&c->idle, memory_order_relaxed))
            shutdown(c->wire.fd, SHUT_RD);
    bool drained = !first;
    pthread_mutex_unlock(&lock);
    return drained;
}

static void drain(const struct options *o)
{
    rv_time end = rv_after(o->drain_ns);
    atomic_store(&draining, true);
    while (!is_drained() && rv_now() < end)
        usleep(DRAIN_INTERVAL_US);
}

static int serve(const struct options *o)
{
    int listener = rv_listen("tcp", o->listen, NULL);
    if (listener < 0)
        return listener;
    options_say_where(o, listener);
    int err = accept_all(listener, rv_signals_fd(o->ends));
    rv_close(listener);
    drain(o);
    return err;
}

int main(int argc, char **argv)
{
    struct options o;
    int status = options_parse(&o, argc, argv, true);

    if (status >= 0)
        return status;
    site = &o.site;
    if (options_prepare(&o) < 0)
        return 1;
    signal(SIGPIPE, SIG_IGN); /* by sendfile(), when a client has gone */
    pthread_attr_init(&small_and_detached);
    pthread_attr_setstacksize(&small_and_detached, STACK_BYTES);
    pthread_attr_setdetachstate(&small_and_detached, PTHREAD_CREATE_DETACHED);
    int err = serve(&o);
    rv_signals_close(o.ends);
    if (err < 0)
        fprintf(stderr, "httpd_threads: %s: %s\n", o.listen, strerror(-err));
    return err < 0;
}
