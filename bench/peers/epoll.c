/* SPDX-License-Identifier: MIT */
/* epoll.c - what somebody writes by hand who knows his epoll: one thread, edge triggered, a read
 * and a write a request and nothing else. */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../echo.h"

enum { EVENTS = 512 };

static void accept_some(int poller, int listener)
{
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.fd = fd};
        bench_require(epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
    }
}

/* Returns whether the connection is over. What fits into one read has been read by it. */
static int answer(int fd, char *text, long bytes)
{
    ssize_t n = read(fd, text, (size_t)bytes * 2);

    if (n > 0)
        bench_require(write(fd, text, (size_t)n) == n, "write");
    if (n == 0)
        close(fd);
    return n == 0;
}

static void bench_io_echo(void)
{
    (void)bench_param_text("by", "epoll"); /* which is Ravel's */
    int listener, poller = epoll_create1(EPOLL_CLOEXEC);
    long conns, bytes;
    struct bench_echo *echo = bench_echo_start(&listener, &conns, &bytes);
    struct epoll_event events[EVENTS], event = {.events = EPOLLIN, .data.fd = listener};
    char *text = malloc((size_t)bytes * 2);

    bench_require(epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event) == 0, "epoll_ctl");
    while (conns > 0) {
        int n = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener)
                accept_some(poller, listener);
            else
                conns -= answer(events[i].data.fd, text, bytes);
        }
    }
    bench_echo_end(echo);
    free(text);
    close(listener);
    close(poller);
}

int main(int argc, char **argv)
{
    static const struct bench_choice benches[] = {{"io-echo", bench_io_echo}, {NULL, NULL}};
    bench_choose(benches, "epoll", argc, argv);
}
