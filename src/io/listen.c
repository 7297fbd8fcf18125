/* SPDX-License-Identifier: MIT */
/* listen.c - sockets that wait for others, and accepting.
 *
 * Without descriptors. A connection that cannot be accepted for want of a descriptor or of memory
 * stays in its queue, and the queue stays ready: whoever asked again at once would turn for ever.
 * So rv_accept() sleeps between two attempts, longer each time. The lack is the whole process's, or
 * the system's, and no event says when it ends. A deadline tells which of the two it was.
 *
 * Rejected: a descriptor in reserve, closed so that the connection can be accepted and thrown away.
 * Whoever connects would see it break where a moment's patience would have served him, and between
 * threads another may take the place of the reserve. Rejected: handing -EMFILE to every caller; a
 * loop around accept that ends there is a server that a burst of clients has stopped for good.
 *
 * A Unix path outlives its socket. It is taken over when asked for, and only where it is a socket
 * that refuses connections: nobody has it open then.
 * Checked by: tests/unit/io/test_listen.c, test_net_every_point.c, tests/stress/stress_io_net.c */
#include <ravel/net.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>

#include <ravel/io.h>

#include "base/opts.h"
#include "io/call.h"
#include "io/socket.h"
#include "sys/sock.h"

#define FIRST_PAUSE (1 * RV_MILLISECOND)
#define LONGEST_PAUSE (100 * RV_MILLISECOND)

/* --- listening --- */

/* No host: any address. "localhost": the one that every client can reach. */
static void fill_in_host(struct rvi_host_port *parts, int family)
{
    if (parts->host[0] == '\0' && !parts->is_bracketed)
        rvi_host_replace(parts, family == AF_INET ? "0.0.0.0" : "::");
    else if (strcmp(parts->host, "localhost") == 0)
        rvi_host_replace(parts, family == AF_INET6 ? "::1" : "127.0.0.1");
}

static int read_address(struct rv_addr *ret, const struct rvi_network *network, const char *address)
{
    struct rvi_host_port parts;

    if (network->family == AF_UNIX)
        return rvi_addr_of_path(ret, rvi_network_path(address), NULL);
    int r = rvi_addr_split(&parts, address, NULL);
    if (r < 0)
        return r;
    fill_in_host(&parts, network->family);
    return rvi_network_addr(ret, network, &parts);
}

static int set_up(int fd, const struct rvi_network *network, int family,
                  const struct rv_listen_opts *opts)
{
    bool is_tcp = rvi_is_tcp(family, network->type);
    int r = 0;

    if (is_tcp)
        r = rvi_sock_set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (r == 0 && is_tcp && !opts->nagle) /* accepted sockets have it from their listener */
        r = rvi_sock_set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (r == 0 && opts->reuse_port)
        r = rvi_sock_set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (r == 0 && family == AF_INET6)
        r = rvi_sock_set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY,
                             opts->v6_only || network->family == AF_INET6);
    return r;
}

/* Whatever else has that name refuses connections as well. */
static bool is_socket(const char *path)
{
    struct statx about;
    struct rvi_op op = rvi_op_stat(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &about);

    return rvi_op_perform(&op) == 0 && S_ISSOCK(about.stx_mode);
}

/* Whether a path is a socket that nobody has open. */
static bool is_left_behind(const struct rv_addr *addr, int type)
{
    int fd = is_socket(addr->un.sun_path) ? rvi_socket_open(AF_UNIX, type) : -1;

    if (fd < 0)
        return false;
    struct rvi_op op = rvi_op_connect(fd, &addr->sa, addr->len);
    int64_t r = rvi_op_try(&op);
    (void)rv_close(fd);
    return r == -ECONNREFUSED;
}

static int bind_to(int fd, const struct rv_addr *addr, int type, bool replaces)
{
    int r = rvi_sock_bind(fd, addr);

    if (r != -EADDRINUSE || !replaces || addr->sa.sa_family != AF_UNIX ||
        addr->un.sun_path[0] == '\0' || !is_left_behind(addr, type))
        return r;
    struct rvi_op op = rvi_op_unlink(AT_FDCWD, addr->un.sun_path, 0);
    r = (int)rvi_op_perform(&op);
    return r < 0 ? r : rvi_sock_bind(fd, addr);
}

static int listen_at(const struct rv_addr *addr, const struct rvi_network *network,
                     const struct rv_listen_opts *opts)
{
    int fd = rvi_socket_open(addr->sa.sa_family, network->type);

    if (fd < 0)
        return fd;
    int r = set_up(fd, network, addr->sa.sa_family, opts);
    if (r == 0)
        r = bind_to(fd, addr, network->type, opts->replace);
    if (r == 0 && network->type != SOCK_DGRAM)
        r = rvi_sock_listen(fd, opts->backlog > 0 ? opts->backlog : INT_MAX);
    if (r < 0)
        (void)rv_close(fd);
    return r < 0 ? r : fd;
}

/* A machine without IPv6 still has an address that means any. */
static bool is_any_v6(const struct rv_addr *addr)
{
    return addr->sa.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&addr->in6.sin6_addr);
}

static int listen_somewhere(struct rv_addr *addr, const struct rvi_network *network,
                            const struct rv_listen_opts *opts)
{
    int fd = listen_at(addr, network, opts);

    if (fd != -EAFNOSUPPORT || network->family != AF_UNSPEC || !is_any_v6(addr))
        return fd;
    *addr = (struct rv_addr){
        .len = sizeof addr->in,
        .in = {.sin_family = AF_INET, .sin_port = addr->in6.sin6_port},
    };
    return listen_at(addr, network, opts);
}

static int read_opts(struct rv_listen_opts *ret, const struct rv_listen_opts *opts)
{
    return rvi_opts_copy(ret, sizeof *ret, opts, opts ? opts->size : 0);
}

int rv_listen(const char *network, const char *address, const struct rv_listen_opts *opts)
{
    struct rv_listen_opts known;
    struct rvi_network net;
    struct rv_addr addr;
    int r = read_opts(&known, opts);

    if (r < 0 || (r = rvi_network_of(&net, network)) < 0 ||
        (r = read_address(&addr, &net, address)) < 0)
        return r;
    return listen_somewhere(&addr, &net, &known);
}

/* All but the first listen where the first does. */
static int listen_beside(const struct rvi_network *network, const struct rv_listen_opts *opts,
                         int *fds, size_t count)
{
    struct rv_addr addr;
    size_t open = 1;
    int r = rv_addr_local(fds[0], &addr);

    while (r >= 0 && open < count) {
        r = listen_at(&addr, network, opts);
        if (r >= 0)
            fds[open++] = r;
    }
    if (r >= 0)
        return 0;
    while (open > 0)
        (void)rv_close(fds[--open]);
    return r;
}

int rv_listen_group(const char *network, const char *address, const struct rv_listen_opts *opts,
                    int *ret, size_t count)
{
    struct rv_listen_opts known;
    struct rvi_network net;
    struct rv_addr addr;
    int r = read_opts(&known, opts);

    known.reuse_port = 1;
    if (r < 0 || (r = rvi_network_of(&net, network)) < 0)
        return r;
    if (count == 0 || net.family == AF_UNIX)
        return -EINVAL;
    if ((r = read_address(&addr, &net, address)) < 0)
        return r;
    r = listen_somewhere(&addr, &net, &known);
    if (r < 0)
        return r;
    ret[0] = r;
    return listen_beside(&net, &known, ret, count);
}

/* --- accepting --- */

/* Of a connection that was queued and has failed since: accept(2), "Error handling". */
static bool is_of_one_connection(int64_t err)
{
    switch (err) {
    case -ECONNABORTED:
    case -ENETDOWN:
    case -EPROTO:
    case -ENOPROTOOPT:
    case -EHOSTDOWN:
    case -ENONET:
    case -EHOSTUNREACH:
    case -ENETUNREACH:
        return true;
    default:
        return false;
    }
}

/* -ENOSPC: of epoll's watches. */
static bool is_for_want_of_room(int64_t err)
{
    return err == -EMFILE || err == -ENFILE || err == -ENOBUFS || err == -ENOMEM || err == -ENOSPC;
}

static int accept_next(int fd, struct rv_addr *ret_peer, rv_time deadline)
{
    struct rv_addr peer = {0};
    int64_t r;

    do {
        peer.len = sizeof peer.storage;
        struct rvi_op op = rvi_op_accept(fd, ret_peer ? &peer.sa : NULL,
                                         ret_peer ? &peer.len : NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        r = rvi_io_call(&op, deadline);
    } while (is_of_one_connection(r));
    if (r >= 0 && ret_peer)
        *ret_peer = peer;
    return (int)r;
}

int rv_accept(int fd, struct rv_addr *ret_peer, rv_time deadline)
{
    rv_time pause = FIRST_PAUSE;
    int r;

    while (is_for_want_of_room(r = accept_next(fd, ret_peer, deadline))) {
        rv_time next = rv_after(pause);
        if (next >= deadline)
            return r;
        int slept = rv_sleep_until(next);
        if (slept < 0)
            return slept;
        pause = 2 * pause < LONGEST_PAUSE ? 2 * pause : LONGEST_PAUSE;
    }
    return r;
}
