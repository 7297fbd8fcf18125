/* SPDX-License-Identifier: MIT */
#include "echo.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

enum { EVENTS = 256 };

struct bench_echo {
    pthread_t thread;
    struct sockaddr_in at;
    int listener;
    long conns, bytes, ops;
    int64_t began;
};

struct conn {
    int fd;
    long left; /* of the message that is on its way */
};

void bench_bind_to_core(int core)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(core, &set);
    sched_setaffinity(0, sizeof set, &set); /* no second core: both share one */
}

int64_t bench_cpu_of_thread(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void send_one(struct conn *conn, const char *text, long bytes)
{
    conn->left = bytes;
    bench_require(send(conn->fd, text, (size_t)bytes, MSG_NOSIGNAL) == bytes, "send");
}

static void connect_all(struct bench_echo *echo, struct conn *conns, int poller)
{
    const int on = 1;

    for (long i = 0; i < echo->conns; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &conns[i]};
        conns[i].fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bench_require(conns[i].fd >= 0, "socket");
        bench_require(connect(conns[i].fd, (struct sockaddr *)&echo->at, sizeof echo->at) == 0,
                      "connect");
        setsockopt(conns[i].fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        bench_require(epoll_ctl(poller, EPOLL_CTL_ADD, conns[i].fd, &event) == 0, "epoll_ctl");
    }
}

static void *be_client(void *arg)
{
    struct bench_echo *echo = arg;
    struct conn *conns = calloc((size_t)echo->conns, sizeof *conns);
    char *text = calloc(1, (size_t)echo->bytes);
    int poller = epoll_create1(EPOLL_CLOEXEC);
    long sent = 0, done = 0;
    struct epoll_event events[EVENTS];

    bench_bind_to_core(1);
    connect_all(echo, conns, poller);
    for (long i = 0; i < echo->conns && sent < echo->ops; i++, sent++)
        send_one(&conns[i], text, echo->bytes);
    while (done < echo->ops) {
        int n = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            struct conn *conn = events[i].data.ptr;
            ssize_t got = read(conn->fd, text, (size_t)conn->left);
            bench_require(got > 0, "read");
            conn->left -= got;
            if (conn->left > 0)
                continue;
            done++;
            if (sent < echo->ops)
                sent++, send_one(conn, text, echo->bytes);
        }
    }
    for (long i = 0; i < echo->conns; i++)
        close(conns[i].fd);
    close(poller);
    free(text);
    free(conns);
    return NULL;
}

struct bench_echo *bench_echo_start(int *ret_listener, long *ret_conns, long *ret_bytes)
{
    struct bench_echo *echo = calloc(1, sizeof *echo);
    socklen_t size = sizeof echo->at;

    echo->conns = *ret_conns = bench_param("conns", 64);
    echo->bytes = *ret_bytes = bench_param("bytes", 64);
    echo->ops = bench_param("ops", 200000);
    echo->at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    *ret_listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bench_require(*ret_listener >= 0, "socket");
    bench_require(bind(*ret_listener, (struct sockaddr *)&echo->at, size) == 0, "bind");
    bench_require(listen(*ret_listener, 4096) == 0, "listen");
    bench_require(getsockname(*ret_listener, (struct sockaddr *)&echo->at, &size) == 0, "name");
    bench_bind_to_core(0);
    bench_require(pthread_create(&echo->thread, NULL, be_client, echo) == 0, "pthread_create");
    echo->began = bench_cpu_of_thread();
    return echo;
}

void bench_echo_end(struct bench_echo *echo)
{
    int64_t cpu = bench_cpu_of_thread() - echo->began;

    pthread_join(echo->thread, NULL);
    bench_result(NULL, (double)cpu / (double)echo->ops, "ns");
    free(echo);
}
