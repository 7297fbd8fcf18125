/* SPDX-License-Identifier: MIT */
/* idle.c - what an idle connection costs: a server whose connections have each been answered once
 * and wait for the next request. Resident memory of this process for one of them, its task, its
 * stack and what the library keeps of it; what the kernel keeps of its socket is not part of it.
 *
 * The clients are in another process, so that they are not counted. */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ravel.h>

enum { PER_ADDRESS = 20000 }; /* clients that have their ports on one address of loopback */

static long wanted;
static long answered;

/* The first request, and then the wait. */
static int serve(struct rv_conn *conn, void *arg)
{
    char byte;
    (void)arg;
    for (;;) {
        int r = rv_conn_idle(conn);
        if (r < 0)
            return r;
        ssize_t n = rv_recv(conn->fd, &byte, 1, 0, RV_NEVER);
        rv_conn_busy(conn);
        if (n <= 0)
            return (int)n;
        r = rv_send_all(conn->fd, &byte, 1, NULL, RV_NEVER);
        if (r < 0)
            return r;
        answered++;
    }
}

/* --- the clients --- */

static int dial_from(const struct rv_addr *to, long number)
{
    char text[RV_ADDR_TEXT] = "127.0.0.1:0";
    struct rv_addr from;
    struct rv_dial_opts opts = {.size = sizeof opts, .local = &from};
    text[8] = (char)('1' + number / PER_ADDRESS);
    bench_must(rv_addr_parse(&from, text, NULL), "rv_addr_parse");
    return rv_dial_addrs(to, 1, &opts, RV_NEVER);
}

/* Connects, asks once, says when all are there, and holds them until it is told to end. */
static void be_the_clients(const struct rv_addr *to, int control)
{
    char byte = 'x';
    for (long i = 0; i < wanted; i++) {
        int fd = dial_from(to, i);
        bench_must(fd, "rv_dial_addrs");
        bench_must(rv_send_all(fd, &byte, 1, NULL, RV_NEVER), "rv_send_all");
        bench_require(rv_recv(fd, &byte, 1, 0, RV_NEVER) == 1, "no answer");
    }
    bench_must(rv_send_all(control, &byte, 1, NULL, RV_NEVER), "rv_send_all");
    (void)!rv_recv(control, &byte, 1, 0, RV_NEVER);
    _exit(0);
}

/* --- the server --- */

struct places {
    int listener, control;
};

static void report(const struct bench_memory *before)
{
    struct bench_memory after = bench_memory_now();
    bench_require(answered == wanted, "not all were served");
    bench_result("resident",
                 (double)(after.resident_bytes - before->resident_bytes) / (double)wanted, "bytes");
    bench_result("page tables",
                 (double)(after.page_table_bytes - before->page_table_bytes) / (double)wanted,
                 "bytes");
}

static int measure(void *arg)
{
    struct places *p = arg;
    rv_server *server;
    char byte;
    struct bench_memory before = bench_memory_now();
    bench_must(rv_server_open(&server, &p->listener, 1, serve, NULL, NULL), "rv_server_open");
    bench_require(rv_recv(p->control, &byte, 1, 0, RV_NEVER) == 1, "the clients are gone");
    report(&before);
    bench_must(rv_server_drain(server, RV_NEVER), "rv_server_drain");
    return rv_close(p->control);
}

/* A descriptor each, and some. */
static void raise_limit(void)
{
    struct rlimit limit;
    rlim_t needed = (rlim_t)wanted + 100;
    bench_require(getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit");
    if (limit.rlim_cur >= needed)
        return;
    limit.rlim_cur = needed;
    if (limit.rlim_max < needed)
        limit.rlim_max = needed;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        bench_not_here();
}

int main(int argc, char **argv)
{
    struct rv_addr at;
    struct places places;
    int control[2];
    bench_begin("idle", "ravel", argc, argv);
    wanted = bench_param_upto("connections", 10000, 9 * PER_ADDRESS);
    raise_limit();
    places.listener = rv_listen("tcp", "127.0.0.1:0", NULL);
    bench_must(places.listener, "rv_listen");
    bench_must(rv_addr_local(places.listener, &at), "rv_addr_local");
    bench_must(rv_socketpair(SOCK_STREAM, control), "rv_socketpair");
    places.control = control[0];
    pid_t clients = fork();
    bench_require(clients >= 0, "fork");
    if (clients == 0) {
        rv_close(control[0]);
        be_the_clients(&at, control[1]);
    }
    rv_close(control[1]);
    struct rv_run_opts opts = {.size = sizeof opts, .workers = 1};
    bench_must(rv_run(measure, &places, &opts), "rv_run");
    bench_require(waitpid(clients, NULL, 0) == clients, "waitpid");
}
