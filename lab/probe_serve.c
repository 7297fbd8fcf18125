/* SPDX-License-Identifier: MIT */
/* probe_serve.c - the same small server twice: a task a client, and a thread a client.
 *
 * The server is a process of its own, so its processor time and memory can be had from outside. The
 * clients are one loop on epoll, by hand, in this process: each has one request under way, always.
 * On a machine with few processors clients and server share them, so answers a second say what the
 * whole does; processor time says what the server takes. Where other programs compute meanwhile the
 * kernel shares the processors out by the thread: a hundred threads have a hundred shares then, and
 * a server of tasks, as one loop on epoll would, has as many as it has workers. Answers a second
 * then compare shares, and processor time alone compares servers.
 *
 *   1. all clients are connected, each has been answered once
 *   2. memory is looked at
 *   3. clock and processor time are read, requests go round for a while and all are answered, both
 *      are read again
 *
 * Clients leave by a reset: ten thousand addresses would stay occupied for a minute otherwise.
 *
 * Checked by: tests/cli/test_lab.py */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <ravel.h>

#include "lab/bench.h"

enum { MESSAGE_BYTES = 32, SPARE_FDS = 64, EVENTS = 256, MOST_SAMPLES = 7 };

/* --- the server, by tasks --- */

static int serve_task(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char text[MESSAGE_BYTES];
    ssize_t n;

    while ((n = rv_read(fd, text, sizeof text, RV_NEVER)) > 0) {
        if (rv_write_all(fd, text, (size_t)n, NULL, RV_NEVER) < 0)
            break;
    }
    return rv_close(fd);
}

static int accept_tasks(void *arg)
{
    int listener = *(int *)arg, err;

    RV_SCOPE(s, err, .policy = RV_COLLECT_ALL) {
        for (;;) {
            int fd = rv_accept(listener, NULL, RV_NEVER);
            if (fd < 0)
                return fd;
            int r = rv_go(s, serve_task, (void *)(intptr_t)fd);
            if (r < 0)
                return r;
        }
    }
    return err;
}

static int serve_by_tasks(void *listener)
{
    return rv_run(accept_tasks, listener, NULL);
}

/* --- the server, by threads --- */

static void *serve_thread(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char text[MESSAGE_BYTES];
    ssize_t n;

    while ((n = read(fd, text, sizeof text)) > 0) {
        if (write(fd, text, (size_t)n) != n)
            break;
    }
    close(fd);
    return NULL;
}

static int serve_by_threads(void *arg)
{
    int listener = *(int *)arg, err = 0;
    pthread_attr_t attr;
    pthread_t thread;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 64 << 10);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    while (err == 0) {
        int fd = accept(listener, NULL, NULL);
        err = fd < 0 ? errno : pthread_create(&thread, &attr, serve_thread, (void *)(intptr_t)fd);
    }
    return -err;
}

/* --- the clients --- */

struct clients {
    int *fds;
    long count, connected;
    int epoll;
    struct sockaddr_in at;
};

static bool send_one(int fd)
{
    static const char text[MESSAGE_BYTES] = "there, and back again, it goes";

    return send(fd, text, sizeof text, MSG_NOSIGNAL) == sizeof text;
}

/* Whole: so few bytes of a peer that writes them at once are never torn on loopback. */
static bool take_one(int fd)
{
    char text[MESSAGE_BYTES];

    return recv(fd, text, sizeof text, MSG_WAITALL) == sizeof text;
}

static int connect_one(struct clients *c)
{
    struct linger reset = {.l_onoff = 1};
    struct timeval patience = {.tv_sec = 20};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0)
        return -errno;
    c->fds[c->connected++] = fd;
    if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ||
        connect(fd, (struct sockaddr *)&c->at, sizeof c->at) < 0)
        return -errno;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        return -errno;
    return send_one(fd) && take_one(fd) ? 0 : -EPIPE;
}

static int connect_up_to(struct clients *c, long count)
{
    int r = 0;

    while (c->connected < count && r == 0)
        r = connect_one(c);
    return r;
}

/* New requests until the time is over; then those still under way are waited for.
 *
 * @return answers, at least one for each client; -errno */
static long go_round(struct clients *c, int64_t until)
{
    struct epoll_event events[EVENTS];
    long answers = 0, under_way = c->count;

    for (long i = 0; i < c->count; i++) {
        if (!send_one(c->fds[i]))
            return -EPIPE;
    }
    while (under_way > 0) {
        int ready = epoll_wait(c->epoll, events, EVENTS, 10000);
        if (ready <= 0)
            return ready < 0 ? -errno : -ETIMEDOUT;
        bool is_over = lab_now() >= until;
        for (int i = 0; i < ready; i++) {
            if (!take_one(events[i].data.fd) || (!is_over && !send_one(events[i].data.fd)))
                return -EPIPE;
            under_way -= is_over;
            answers++;
        }
    }
    return answers;
}

static void disconnect(struct clients *c)
{
    for (long i = 0; i < c->connected; i++)
        close(c->fds[i]);
    close(c->epoll);
    free(c->fds);
}

/* --- one server, so many clients --- */

struct served {
    double rates[MOST_SAMPLES], cpu[MOST_SAMPLES], memory;
};

static double cpu_of(pid_t pid)
{
    clockid_t clock;
    struct timespec t = {0};

    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        return 0;
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int measure(struct lab_bench *b, struct clients *c, pid_t server, struct served *ret)
{
    long rounds = lab_pick(b, 3, MOST_SAMPLES), ms = lab_pick(b, 30, 600);
    int r = connect_up_to(c, 1); /* by then the server has all that it has without clients */
    double before = lab_memory_of(server);

    r = r < 0 ? r : connect_up_to(c, c->count);
    if (r < 0)
        return r;
    ret->memory = (lab_memory_of(server) - before) / (double)(c->count - 1);
    for (long i = 0; i < rounds; i++) {
        double cpu = cpu_of(server);
        int64_t begin = lab_now();
        long answers = go_round(c, begin + ms * 1000000);
        if (answers < 0)
            return (int)answers;
        ret->rates[i] = (double)answers * 1e9 / (double)(lab_now() - begin);
        ret->cpu[i] = (cpu_of(server) - cpu) / (double)answers;
    }
    return 0;
}

static int open_listener(struct sockaddr_in *at)
{
    socklen_t bytes = sizeof *at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0)
        return -errno;
    if (bind(fd, (struct sockaddr *)at, sizeof *at) < 0 || listen(fd, 4096) < 0 ||
        getsockname(fd, (struct sockaddr *)at, &bytes) < 0)
        return -errno;
    return fd;
}

static int serve_clients(struct lab_bench *b, int (*serve)(void *), long count, struct served *ret)
{
    struct clients c = {.count = count, .fds = calloc((size_t)count, sizeof(int))};
    int listener = open_listener(&c.at);

    if (listener < 0 || !c.fds)
        return listener < 0 ? listener : -ENOMEM;
    int pid = lab_fork(serve, &listener);
    close(listener);
    if (pid < 0)
        return pid;
    c.epoll = epoll_create1(EPOLL_CLOEXEC);
    int r = c.epoll < 0 ? -errno : measure(b, &c, pid, ret);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    disconnect(&c);
    return r;
}

static int tell_served(struct lab_bench *b, const char *name, long clients, struct served *s)
{
    size_t rounds = (size_t)lab_pick(b, 3, MOST_SAMPLES);
    double at = (double)clients;
    int r = lab_tell(b, name, at, "1/s", s->rates, rounds);

    r = r < 0 ? r : lab_tell(b, name, at, "ns", s->cpu, rounds);
    return r < 0 ? r : lab_tell(b, name, at, "bytes", &s->memory, 1);
}

static long descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_max > 1000000 ? 1000000 : (long)limit.rlim_max;
}

int lab_serve(struct lab_bench *b)
{
    static const struct {
        const char *name;
        int (*serve)(void *);
    } servers[] = {{"a task for each client", serve_by_tasks},
                   {"a thread for each client", serve_by_threads}};
    long most = lab_pick(b, 100, 10000), room = descriptors() - SPARE_FDS;
    struct served s;
    int r = 0;

    for (long clients = 10; clients <= most && r == 0; clients *= 10) {
        if (clients > room)
            return lab_missing(b, "no more than %ld clients: RLIMIT_NOFILE", room);
        for (size_t i = 0; i < 2 && r == 0; i++) {
            int failed = serve_clients(b, servers[i].serve, clients, &s);
            r = failed < 0 ? lab_missing(b, "%s, %ld clients: %s", servers[i].name, clients,
                                         strerror(-failed))
                           : tell_served(b, servers[i].name, clients, &s);
        }
    }
    return r;
}
