/* SPDX-License-Identifier: MIT */
/* dial.c - connecting to the first address that answers.
 *
 *   D1  every socket made here is closed on every way out but the winner's
 *
 * The decisions of a race are race.c's; here are its sockets. Several attempts that are under way
 * are waited for as one descriptor, an epoll set, which any thread and both backends can wait for.
 *
 * The addresses of a name come in the resolver's order, which knows both families when it answers:
 * a race need not wait for a second answer (RFC 8305, 3).
 *
 * A TCP connection to a port of this machine that nobody listens at can connect to itself, when the
 * kernel happens to choose that very port for this end (simultaneous open, RFC 9293, 3.5): nobody
 * listens there, so it counts as refused.
 *
 * Checked by: tests/unit/io/test_dial.c, test_race.c, test_net_every_point.c */
#include <ravel/net.h>

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

#include <ravel/io.h>
#include <ravel/resolve.h>

#include "base/alloc.h"
#include "base/opts.h"
#include "io/call.h"
#include "io/race.h"
#include "io/socket.h"
#include "sched/wait.h"
#include "sys/sock.h"

enum { MOST_ADDRESSES = 16 }; /* of one host */

#define USUAL_DELAY (250 * RV_MILLISECOND)
#define LEAST_DELAY (10 * RV_MILLISECOND)

/* --- one connection --- */

/* A socket as the options want it, not connected. */
static int make_socket(const struct rv_addr *addr, const struct rv_dial_opts *opts)
{
    int fd = rvi_socket_open(addr->sa.sa_family, opts->type);
    int r = 0;

    if (fd < 0)
        return fd;
    if (rvi_is_tcp(addr->sa.sa_family, opts->type) && !opts->nagle)
        r = rvi_sock_set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (r == 0 && opts->local)
        r = rvi_sock_bind(fd, opts->local);
    if (r < 0)
        (void)rv_close(fd);
    return r < 0 ? r : fd;
}

static int check_it_is_another(int fd, const struct rv_addr *addr, const struct rv_dial_opts *opts)
{
    struct rv_addr local;

    if (!rvi_is_tcp(addr->sa.sa_family, opts->type))
        return 0;
    int r = rv_addr_local(fd, &local);
    return r < 0 ? r : rv_addr_equal(&local, addr) ? -ECONNREFUSED : 0;
}

static int dial_one(const struct rv_addr *addr, const struct rv_dial_opts *opts, rv_time deadline)
{
    int fd = make_socket(addr, opts);

    if (fd < 0)
        return fd;
    struct rvi_op op = rvi_op_connect(fd, &addr->sa, addr->len);
    int r = (int)rvi_io_call(&op, deadline);
    if (r == 0)
        r = check_it_is_another(fd, addr, opts);
    if (r < 0)
        (void)rv_close(fd);
    return r < 0 ? r : fd;
}

/* --- several --- */

struct attempt {
    const struct rv_addr *addr;
    int fd; /* negative: not under way */
};

struct dial {
    struct rvi_race race;
    const struct rv_dial_opts *opts;
    struct attempt attempts[];
};

static struct dial *dial_of(struct rvi_race *race)
{
    return rvi_container_of(race, struct dial, race);
}

static rv_time now(struct rvi_race *race)
{
    (void)race;
    return rv_now();
}

/* How an attempt stands: 0 connected, -EINPROGRESS, or why it has failed and is closed. */
static int look_at(struct dial *d, struct attempt *a)
{
    struct rvi_op op = rvi_op_connect(a->fd, &a->addr->sa, a->addr->len);
    int64_t r = rvi_op_try(&op);

    if (r == -EAGAIN)
        return -EINPROGRESS;
    if (r == 0)
        r = check_it_is_another(a->fd, a->addr, d->opts);
    if (r < 0) {
        (void)rv_close(a->fd);
        a->fd = -1;
    }
    return (int)r;
}

static int begin(struct rvi_race *race, size_t which)
{
    struct dial *d = dial_of(race);
    struct attempt *a = &d->attempts[which];

    a->fd = make_socket(a->addr, d->opts);
    return a->fd < 0 ? a->fd : look_at(d, a);
}

/* Waits until at least one that is under way may have ended. */
static int wait_for_any(const struct dial *d, rv_time until)
{
    struct pollfd fds[MOST_ADDRESSES];
    size_t count = 0;

    for (size_t i = 0; i < d->race.count; i++) {
        if (d->attempts[i].fd >= 0)
            fds[count++] = (struct pollfd){.fd = d->attempts[i].fd, .events = POLLOUT};
    }
    return rvi_io_poll_any(fds, count, RVI_WHY_CONNECT, until);
}

static int await(struct rvi_race *race, rv_time until, size_t *ret_which, int *ret_result)
{
    struct dial *d = dial_of(race);
    int r;

    while ((r = wait_for_any(d, until)) >= 0) {
        for (size_t i = 0; i < race->count; i++) {
            if (d->attempts[i].fd >= 0 && (r = look_at(d, &d->attempts[i])) != -EINPROGRESS) {
                *ret_which = i;
                *ret_result = r;
                return 0;
            }
        }
    }
    return r;
}

/* The next address of the family, from `i` on. */
static size_t next_of(const struct rv_addr *addrs, size_t count, size_t i, bool is_first, int first)
{
    while (i < count && (addrs[i].sa.sa_family == first) != is_first)
        i++;
    return i;
}

/* The families take turns, beginning with that of the best (RFC 8305, 4); in each the order
 * stays. */
static void take_turns(struct attempt *ret, const struct rv_addr *addrs, size_t count)
{
    int first = addrs[0].sa.sa_family;
    size_t i = 0, j = next_of(addrs, count, 0, false, first);

    for (size_t n = 0; n < count;) {
        if (i < count)
            ret[n++] = (struct attempt){&addrs[i], -1};
        if (j < count)
            ret[n++] = (struct attempt){&addrs[j], -1};
        i = i < count ? next_of(addrs, count, i + 1, true, first) : i;
        j = j < count ? next_of(addrs, count, j + 1, false, first) : j;
    }
}

static int dial_several(const struct rv_addr *addrs, size_t count, const struct rv_dial_opts *opts,
                        rv_time deadline)
{
    struct dial *d = rvi_alloc(sizeof *d + count * sizeof d->attempts[0]);
    size_t winner = count;

    if (!d)
        return -ENOMEM;
    d->race = (struct rvi_race){begin, await, now, count, opts->attempt_delay};
    d->opts = opts;
    take_turns(d->attempts, addrs, count);
    int r = rvi_race_run(&d->race, deadline, &winner);
    if (r == 0)
        r = d->attempts[winner].fd;
    for (size_t i = 0; i < count; i++) {
        if (i != winner)
            (void)rv_close(d->attempts[i].fd);
    }
    rvi_free(d);
    return r;
}

/* --- public --- */

static int read_opts(struct rv_dial_opts *ret, const struct rv_dial_opts *opts)
{
    int r = rvi_opts_copy(ret, sizeof *ret, opts, opts ? opts->size : 0);

    if (r < 0)
        return r;
    if (ret->type == 0)
        ret->type = SOCK_STREAM;
    if (ret->attempt_delay == 0)
        ret->attempt_delay = USUAL_DELAY;
    if (ret->attempt_delay < LEAST_DELAY)
        ret->attempt_delay = LEAST_DELAY;
    return ret->type == SOCK_STREAM || ret->type == SOCK_DGRAM || ret->type == SOCK_SEQPACKET
               ? 0
               : -EINVAL;
}

int rv_dial_addrs(const struct rv_addr *addrs, size_t count, const struct rv_dial_opts *opts,
                  rv_time deadline)
{
    struct rv_dial_opts known;
    int r = rvi_wait_allowed();

    if (r < 0 || (r = read_opts(&known, opts)) < 0)
        return r;
    if (count == 0)
        return -EINVAL;
    if (count == 1)
        return dial_one(addrs, &known, deadline);
    return dial_several(addrs, count < MOST_ADDRESSES ? count : MOST_ADDRESSES, &known, deadline);
}

static int look_up(struct rv_addr *ret, size_t room, const char *host, const char *service,
                   const struct rvi_network *network, int family, rv_time deadline)
{
    const struct rv_resolve_opts opts = {
        .size = sizeof opts,
        .family = family,
        .protocol = network->type == SOCK_DGRAM ? "udp" : "tcp",
    };

    return rv_resolve(host, service, ret, room, &opts, deadline);
}

/* This machine asks nobody who it is (RFC 6761, 6.3). */
static int look_up_here(struct rv_addr *ret, const char *service, const struct rvi_network *network,
                        rv_time deadline)
{
    int count = 0;

    if (network->family != AF_INET)
        count = look_up(ret, 1, "::1", service, network, AF_INET6, deadline);
    if (count < 0 || network->family == AF_INET6)
        return count;
    int r = look_up(ret + count, 1, "127.0.0.1", service, network, AF_INET, deadline);
    return r < 0 ? r : count + r;
}

static int dial_host(const struct rvi_network *network, const char *address,
                     const struct rv_dial_opts *opts, rv_time deadline)
{
    struct rv_addr addrs[MOST_ADDRESSES];
    struct rvi_host_port parts;
    int r = rvi_addr_split(&parts, address, NULL);

    if (r < 0)
        return r;
    if (parts.is_bracketed && network->family == AF_INET)
        return -EINVAL;
    if ((parts.host[0] == '\0' && !parts.is_bracketed) || strcmp(parts.host, "localhost") == 0)
        r = look_up_here(addrs, parts.service, network, deadline);
    else
        r = look_up(addrs, MOST_ADDRESSES, parts.host, parts.service, network,
                    parts.is_bracketed ? AF_INET6 : network->family, deadline);
    return r < 0 ? r : rv_dial_addrs(addrs, (size_t)r, opts, deadline);
}

static int dial_path(const char *path, const struct rv_dial_opts *opts, rv_time deadline)
{
    struct rv_addr addr;
    int r = rvi_addr_of_path(&addr, path, NULL);

    return r < 0 ? r : rv_dial_addrs(&addr, 1, opts, deadline);
}

int rv_dial(const char *network, const char *address, rv_time deadline)
{
    struct rvi_network net;
    int r = rvi_network_of(&net, network);

    if (r < 0)
        return r;
    struct rv_dial_opts opts = {.size = sizeof opts, .type = net.type};
    return net.family == AF_UNIX ? dial_path(rvi_network_path(address), &opts, deadline)
                                 : dial_host(&net, address, &opts, deadline);
}
