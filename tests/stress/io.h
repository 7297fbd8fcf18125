/* SPDX-License-Identifier: MIT */
/* io.h - what the stress tests of input and output share: a server to talk to, and a look at what
 * is left open. */
#pragma once

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../support/held.h"
#include "base/alloc.h"
#include "stress.h"

enum { SPARE_DESCRIPTORS = 100 };

/* As many descriptors as there may be besides those of the process: `most` or fewer; 0 where the
 * limit leaves none to speak of. Root may have more than it began with. */
static inline size_t descriptors_to_have(size_t most)
{
    struct rlimit limit, wanted;
    RV_CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    wanted = limit;
    wanted.rlim_cur = most + SPARE_DESCRIPTORS;
    if (wanted.rlim_cur > wanted.rlim_max)
        wanted.rlim_max = wanted.rlim_cur;
    if (limit.rlim_cur >= wanted.rlim_cur || setrlimit(RLIMIT_NOFILE, &wanted) == 0)
        return most;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur < 2 * SPARE_DESCRIPTORS ? 0 : (size_t)limit.rlim_cur - SPARE_DESCRIPTORS;
}

/* A peer that has reset, or that the network or a deadline has cut off, is not our fault. */
static inline bool is_of_the_peer(ssize_t r)
{
    return r == -ECONNRESET || r == -EPIPE || r == -ETIME || r == -ENOTCONN;
}

struct server {
    const char *network;
    int listener;
    char at[RV_ADDR_TEXT];
    rv_scope *sessions;
};

static inline void open_server(struct server *s, const char *network, const char *address)
{
    struct rv_addr addr;
    s->network = network;
    s->listener = rv_listen(network, address, NULL);
    RV_CHECK(s->listener >= 0);
    RV_CHECK(rv_addr_local(s->listener, &addr) == 0);
    rv_addr_format(&addr, s->at, sizeof s->at);
}

/* What comes goes back. */
static inline int echo(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char bytes[512];
    ssize_t n, r = 0;
    while (r >= 0 && (n = rv_recv(fd, bytes, sizeof bytes, 0, RV_NEVER)) > 0)
        r = rv_send_all(fd, bytes, (size_t)n, NULL, RV_NEVER);
    r = r < 0 ? r : n;
    RV_CHECK(r >= 0 || r == -ECANCELED || is_of_the_peer(r));
    RV_CHECK(rv_close(fd) == 0);
    return 0;
}

/* Until cancelled. */
static inline int serve(void *arg)
{
    struct server *s = arg;
    int fd;
    while ((fd = rv_accept(s->listener, NULL, RV_NEVER)) >= 0) {
        if (rv_go(s->sessions, echo, (void *)(intptr_t)fd) < 0)
            RV_CHECK(rv_close(fd) == 0);
    }
    RV_CHECK(fd == -ECANCELED);
    return 0;
}

/* Run clients beside a server; it ends when they have. */
static inline int with_server(struct server *s, rv_fn *clients, void *arg)
{
    int err, r = 0;
    RV_SCOPE(scope, err) {
        s->sessions = scope;
        RV_CHECK(rv_go(scope, serve, s) == 0);
        r = clients(arg);
        rv_scope_cancel(scope, -ECANCELED);
    }
    RV_CHECK(err == -ECANCELED);
    RV_CHECK(rv_close(s->listener) == 0);
    return r;
}

/* Play a scene; of it nothing may be left. The first play opens what the process keeps. */
static inline void leave_nothing(unsigned workers, rv_fn *scene, void *arg, rv_fn *first)
{
    run_on(workers, first, NULL);
    size_t descriptors = open_descriptors();
    long allocations = rvi_alloc_live();
    run_on(workers, scene, arg);
    assert_int_equal(open_descriptors(), descriptors);
    assert_int_equal(rvi_alloc_live(), allocations);
}
