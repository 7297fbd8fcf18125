/* SPDX-License-Identifier: MIT */
/* io_echo.c - a server of many small requests, a task for each connection, on one worker. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ravel.h>

#include "echo.h"

static long room; /* for more than a message, as servers have it */

static int serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char *text = malloc((size_t)room);
    ssize_t n;

    while ((n = rv_read(fd, text, (size_t)room, RV_NEVER)) > 0)
        bench_must(rv_write_all(fd, text, (size_t)n, NULL, RV_NEVER), "rv_write_all");
    free(text);
    return rv_close(fd);
}

static int measure(void *arg)
{
    int listener, err;
    long conns, bytes;
    struct bench_echo *echo = bench_echo_start(&listener, &conns, &bytes);

    (void)arg;
    room = 2 * bytes;
    RV_SCOPE(s, err) {
        for (long i = 0; i < conns; i++) {
            int fd = rv_accept(listener, NULL, RV_NEVER);
            bench_must(fd, "rv_accept");
            bench_must(rv_go(s, serve, (void *)(intptr_t)fd), "rv_go");
        }
    }
    bench_must(err, "serving");
    bench_echo_end(echo);
    return rv_close(listener);
}

int main(int argc, char **argv)
{
    bench_begin("io-echo", "ravel", argc, argv);
    const char *by = bench_param_text("by", "auto");
    struct rv_run_opts opts = {
        .size = sizeof opts,
        .workers = 1,
        .backend = strcmp(by, "uring") == 0   ? RV_BACKEND_URING
                   : strcmp(by, "epoll") == 0 ? RV_BACKEND_EPOLL
                                              : RV_BACKEND_AUTO,
    };
    bench_must(rv_run(measure, NULL, &opts), "rv_run");
}
