/* SPDX-License-Identifier: MIT */
/* net_test.h - sockets to test with: on loopback, at ports that the kernel chooses.
 *
 * What runs in tasks checks by RV_CHECK: cmocka's assertions jump to the frame of the test, which
 * no task may do. */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ravel.h>

#include "../../support/crowd.h"
#include "../sched/sched_test.h"

/* A listening socket and the text of its address. */
struct listener {
    int fd;
    char at[RV_ADDR_TEXT];
};

static inline void write_address_of(int fd, char *text)
{
    struct rv_addr addr;
    RV_CHECK(rv_addr_local(fd, &addr) == 0);
    rv_addr_format(&addr, text, RV_ADDR_TEXT);
}

static inline struct listener listen_with(const char *network, const char *address,
                                          const struct rv_listen_opts *opts)
{
    struct listener l = {.fd = rv_listen(network, address, opts)};
    if (l.fd >= 0)
        write_address_of(l.fd, l.at);
    return l;
}

/* For what has to succeed: says which error it was, where it does not. */
static inline int made(const char *what, int r)
{
    if (r < 0)
        rvi_panic("%s: %s", what, strerrordesc_np(-r));
    return r;
}

static inline struct listener listen_on(const char *network, const char *address)
{
    struct listener l = listen_with(network, address, NULL);
    made(address, l.fd);
    return l;
}

/* A name that no file bears is the whole machine's: one that other processes do not use. */
struct name {
    char text[40];
};

static inline struct name name_of_no_file(void)
{
    struct name name;
    snprintf(name.text, sizeof name.text, "@ravel-test-%d", (int)getpid());
    return name;
}

/* A machine may lack IPv6. */
static inline bool has_v6(void)
{
    int fd = rv_listen("tcp6", "[::1]:0", NULL);
    if (fd >= 0)
        rv_close(fd);
    return fd >= 0;
}

/* A TCP port that is taken, so that no other process comes to listen there, and that nobody listens
 * at. */
struct nobody {
    int fd; /* < 0: somebody has it */
    struct rv_addr addr;
};

/* At 127.0.0.1; 0 is any port. */
static inline struct nobody nobody_at(uint16_t port)
{
    struct nobody n = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct sockaddr_in at = {AF_INET, htons(port), {htonl(INADDR_LOOPBACK)}, {0}};
    RV_CHECK(n.fd >= 0);
    if (bind(n.fd, (struct sockaddr *)&at, sizeof at) == 0) {
        RV_CHECK(rv_addr_local(n.fd, &n.addr) == 0);
        return n;
    }
    RV_CHECK(errno == EADDRINUSE && rv_close(n.fd) == 0);
    return (struct nobody){.fd = -1};
}

/* Two ends of a TCP connection over loopback: [0] was dialled, [1] accepted. */
static inline void connect_pair(int ret[2])
{
    struct listener l = listen_on("tcp", "127.0.0.1:0");
    ret[0] = made("dial", rv_dial("tcp", l.at, rv_after(RV_MINUTE)));
    ret[1] = made("accept", rv_accept(l.fd, NULL, rv_after(RV_MINUTE)));
    RV_CHECK(rv_close(l.fd) == 0);
}

static inline void close_pair(int fds[2])
{
    RV_CHECK(rv_close(fds[0]) == 0);
    RV_CHECK(rv_close(fds[1]) == 0);
}

/* The peer of this one meets a reset, not an end. */
static inline void close_with_reset(int fd)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    RV_CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    RV_CHECK(rv_close(fd) == 0);
}

/* A folder for Unix sockets, and a path in it. */
struct folder {
    char name[32];
    char path[64];
};

static inline struct folder make_folder(void)
{
    struct folder f = {"/tmp/ravel-net-XXXXXX", ""};
    RV_CHECK(mkdtemp(f.name) != NULL);
    snprintf(f.path, sizeof f.path, "%s/socket", f.name);
    return f;
}

static inline void remove_folder(const struct folder *f)
{
    unlink(f->path);
    RV_CHECK(rmdir(f->name) == 0);
}

/* Play a scene on a plain thread, and as a task with one worker and with two; of none anything may
 * be left, besides the stacks that the C library keeps of threads. */
static inline void play_everywhere(rv_fn *scene, void *arg)
{
    assert_int_equal(run_on(2, do_nothing, NULL), 0);
    struct holdings before = holdings_now();
    assert_int_equal(scene(arg), 0);
    assert_no_more_is_held(&before);
    assert_int_equal(run_on(1, scene, arg), 0);
    assert_int_equal(run_on(2, scene, arg), 0);
    assert_no_more_is_held(&before);
}
