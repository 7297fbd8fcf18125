/* SPDX-License-Identifier: MIT */
/* sockets.h - of scenario.h: a server and who calls it, in all the ways that there are. */
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <ravel.h>

#include "sys/sock.h"

struct meeting {
    int listener;
    char at[RV_ADDR_TEXT];
};

/* Nobody waits for ever for a peer that has failed. What a close says is nobody's failure: the
 * descriptor is gone. */
static rv_time soon(void)
{
    return rv_after(RV_MINUTE);
}

static int answer_one(void *arg)
{
    struct meeting *m = arg;
    struct rv_addr peer;
    char bytes[100];
    int fd = rv_accept(m->listener, &peer, soon());
    if (fd < 0)
        return fd;
    ssize_t n = rv_recv(fd, bytes, sizeof bytes, 0, soon());
    if (n > 0)
        n = rv_send_all(fd, bytes, (size_t)n, NULL, soon());
    rv_close_gracefully(fd, soon());
    return n < 0 ? (int)n : 0;
}

static int call(const char *network, const char *at)
{
    struct iovec iov = {(char[]){"hello"}, 5};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    char bytes[100];
    int fd = rv_dial(network, at, soon());
    if (fd < 0)
        return fd;
    ssize_t n = rv_sendmsg(fd, &msg, 0, soon());
    if (n >= 0)
        n = rv_shutdown(fd, SHUT_WR);
    while (n >= 0 && (n = rv_read(fd, bytes, sizeof bytes, soon())) > 0)
        ;
    rv_close(fd);
    return n < 0 ? (int)n : 0;
}

static int name_of_listener(struct meeting *m)
{
    struct rv_addr addr;
    int r = rv_addr_local(m->listener, &addr);
    if (r == 0)
        rv_addr_format(&addr, m->at, sizeof m->at);
    return r;
}

static int meet(const char *network, const char *address)
{
    struct meeting m = {.listener = rv_listen(network, address, NULL)};
    if (m.listener < 0)
        return m.listener;
    int r = name_of_listener(&m);
    if (r == 0) {
        int err;
        RV_SCOPE(s, err) {
            r = rv_go(s, answer_one, &m);
            if (r == 0)
                r = call(network, m.at);
            if (r < 0)
                rv_scope_cancel(s, r);
        }
        r = err < 0 ? err : r; /* what came first: the other was cancelled by it */
    }
    rv_close(m.listener);
    return r;
}

/* Until the server drains: then what it waits for is over. */
static int answer_client(struct rv_conn *conn, void *arg)
{
    char bytes[100];
    ssize_t n = rv_conn_idle(conn);
    (void)arg;
    if (n == 0)
        n = rv_recv(conn->fd, bytes, sizeof bytes, 0, soon());
    (void)!rv_conn_busy(conn);
    if (n > 0)
        n = rv_send_all(conn->fd, bytes, (size_t)n, NULL, soon());
    return n < 0 ? (int)n : 0;
}

/* A connection for which the server had not what it takes was closed. */
static int unless_closed(int r)
{
    return r == -ECONNRESET || r == -EPIPE || r == -ENOTCONN ? 0 : r;
}

/* One client is answered, another one says nothing. Where a listener breaks, the caller is
 * cancelled, and the drain says why. */
static int serve_and_drain(void)
{
    const struct rv_server_opts opts = {.size = sizeof opts, .limit = 2};
    struct meeting m = {.listener = rv_listen("tcp", "127.0.0.1:0", NULL)};
    rv_server *server;
    int silent = -1;
    if (m.listener < 0)
        return m.listener;
    int r = name_of_listener(&m);
    if (r == 0)
        r = rv_server_open(&server, &m.listener, 1, answer_client, NULL, &opts);
    if (r < 0) {
        rv_close(m.listener);
        return r;
    }
    r = unless_closed(call("tcp", m.at));
    if (r == 0)
        r = silent = rv_dial("tcp", m.at, soon());
    int drained = rv_server_drain(server, soon());
    rv_close(silent);
    return drained < 0 ? drained : r < 0 ? r : 0;
}

/* ::1 refuses, and the other one is there. */
static int race_two_addresses(void)
{
    struct meeting m = {.listener = rv_listen("tcp4", "127.0.0.1:0", NULL)};
    struct rv_addr addrs[2];
    int fd = -1;
    if (m.listener < 0)
        return m.listener;
    int r = rv_addr_local(m.listener, &addrs[1]);
    if (r == 0)
        r = rv_addr_parse(&addrs[0], "[::1]:1", NULL);
    if (r == 0)
        r = fd = rv_dial_addrs(addrs, 2, NULL, soon());
    rv_close(fd);
    rv_close(m.listener);
    return r;
}

/* A descriptor goes with a byte. */
static int use_a_pair(void)
{
    int fds[2], passed[1] = {-1};
    size_t count;
    char byte = 'x';
    int r = rv_socketpair(SOCK_STREAM, fds);
    if (r < 0)
        return r;
    ssize_t n = rv_send_fds(fds[0], &byte, 1, fds, 1, soon());
    if (n >= 0)
        n = rv_recv_fds(fds[1], &byte, 1, passed, 1, &count, soon());
    rv_close(passed[0]);
    rv_close(fds[0]);
    rv_close(fds[1]);
    return n < 0 ? (int)n : 0;
}

/* Through a pipe that is waited for. */
static int write_later(void *fd)
{
    int r = rv_sleep(500 * RV_MICROSECOND); /* longer than a worker looks around: it sleeps */
    return r < 0 ? r : rv_write_all(*(int *)fd, "x", 1, NULL, soon());
}

static int use_a_pipe(void)
{
    int fds[2], err;
    char byte;
    int r = rv_pipe(fds);
    if (r < 0)
        return r;
    RV_SCOPE(s, err) {
        r = rv_go(s, write_later, &fds[1]);
        if (r == 0)
            r = rv_poll(fds[0], POLLIN, soon());
        if (r >= 0)
            r = (int)rv_read(fds[0], &byte, 1, soon());
        if (r < 0)
            rv_scope_cancel(s, r);
    }
    rv_close(fds[0]);
    rv_close(fds[1]);
    return err < 0 ? err : r < 0 ? r : 0;
}

/* A file's bytes into a pair by sendfile, and on into a pipe by splice. */
static int move_bytes(int file, const int pair[2], const int ends[2])
{
    uint64_t done;
    int r = rv_sendfile(pair[0], file, 0, 100, &done, soon());
    rv_close(pair[0]);
    if (r == 0)
        r = rv_splice(ends[1], pair[1], 100, &done, soon());
    rv_close(pair[1]);
    return r;
}

static int pass_bytes_on(void)
{
    int pair[2], ends[2];
    int file = rv_open("/proc/self/exe", O_RDONLY, 0, RV_NEVER);
    if (file < 0)
        return file;
    int r = rv_socketpair(SOCK_STREAM, pair);
    if (r < 0) {
        rv_close(file);
        return r;
    }
    r = rv_pipe(ends);
    if (r == 0) {
        r = move_bytes(file, pair, ends);
        rv_close(ends[0]);
        rv_close(ends[1]);
    } else {
        rv_close(pair[0]);
        rv_close(pair[1]);
    }
    rv_close(file);
    return r;
}

/* An address with an interface. */
static int parse_a_scope(void)
{
    struct rv_addr addr;
    return rv_addr_parse(&addr, "[fe80::1%lo]:1", NULL);
}

/* As a race of connections waits. */
static int wait_for_any(void)
{
    int ends[2];
    int r = rv_pipe(ends);
    if (r < 0)
        return r;
    const struct pollfd fds[] = {{.fd = ends[0], .events = POLLIN},
                                 {.fd = ends[1], .events = POLLOUT}};
    int any = r = rvi_sock_any_of(fds, 2);
    if (any >= 0)
        r = rv_poll(any, POLLIN, soon());
    rv_close(any);
    rv_close(ends[0]);
    rv_close(ends[1]);
    return r;
}

static int use_sockets(void *arg)
{
    char name[32]; /* the whole machine's, so it is ours alone */
    int r;
    (void)arg;
    snprintf(name, sizeof name, "@ravel-faults-%d", (int)getpid());
    if ((r = meet("tcp", "127.0.0.1:0")) < 0 || (r = meet("unix", name)) < 0 ||
        (r = serve_and_drain()) < 0 || (r = race_two_addresses()) < 0 || (r = use_a_pair()) < 0)
        return r;
    if ((r = use_a_pipe()) < 0 || (r = pass_bytes_on()) < 0 || (r = wait_for_any()) < 0)
        return r;
    return parse_a_scope();
}

static int run_sockets_by(enum rv_backend backend)
{
    struct rv_run_opts opts = {.size = sizeof opts, .workers = 1, .backend = backend};
    return rv_run(use_sockets, NULL, &opts);
}

static int run_sockets(void)
{
    return run_sockets_by(RV_BACKEND_EPOLL);
}

static int run_sockets_on_a_ring(void)
{
    return run_sockets_by(RV_BACKEND_URING);
}

static int which_backend(void *arg)
{
    (void)arg;
    return rv_run_backend();
}

/* The kernel may refuse it, and valgrind does not see what the kernel writes. */
static bool has_ring(void)
{
    struct rv_run_opts opts = {.size = sizeof opts, .workers = 1, .backend = RV_BACKEND_URING};
    return !is_under_valgrind() && rv_run(which_backend, NULL, &opts) >= 0;
}
