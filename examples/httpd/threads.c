/* SPDX-License-Identifier: MIT */
/* threads.c - httpd_threads: the same server with a thread for each connection and plain blocking
 * calls, to compare with. Threads are small and detached; the last to leave ends the process. */
#include "conn.h"
#include "options.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum { STACK_BYTES = 65536 };

static struct site *site;
static pthread_attr_t small_and_detached;

static void *connection(void *arg)
{
    struct wire wire = {.calls = &wire_of_thread, .fd = (int)(intptr_t)arg};
    conn_serve(site, &wire);
    close(wire.fd);
    return NULL;
}

static struct timeval timeval_of(rv_time t)
{
    return (struct timeval){.tv_sec = t / RV_SECOND, .tv_usec = t % RV_SECOND / RV_MICROSECOND};
}

/* The deadlines of this server are those of each call. */
static void start(int fd)
{
    struct timeval in = timeval_of(site->idle_ns), out = timeval_of(site->send_ns);
    pthread_t thread;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &in, sizeof in);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &out, sizeof out);
    if (pthread_create(&thread, &small_and_detached, connection, (void *)(intptr_t)fd) != 0)
        close(fd);
}

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
            usleep(10000);
    }
}

static void drain(const struct options *o)
{
    rv_time end = rv_after(o->drain_ns);
    while (site_drain(site) > 0 && rv_now() < end)
        usleep(20000);
}

static int serve(const struct options *o)
{
    int listener = rv_listen("tcp", o->listen, NULL), signals = options_take_signals();
    int err = listener < 0 ? listener : signals;

    if (err >= 0) {
        options_say_where(listener);
        err = accept_all(listener, signals);
    }
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
    pthread_attr_init(&small_and_detached);
    pthread_attr_setstacksize(&small_and_detached, STACK_BYTES);
    pthread_attr_setdetachstate(&small_and_detached, PTHREAD_CREATE_DETACHED);
    int err = serve(&o);
    if (err < 0)
        fprintf(stderr, "httpd_threads: %s: %s\n", o.listen, strerror(-err));
    return err < 0;
}
