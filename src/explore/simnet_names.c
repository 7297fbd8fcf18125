/* SPDX-License-Identifier: MIT */
/* simnet_names.c - who is called what in the simulated network, and how they get together.
 *
 * Checked by: tests/unit/explore/test_simnet.c */
#include "explore/simnet.h"

#include <errno.h>
#include <string.h>

#include "explore/simnet_inside.h"

enum { FIRST_PORT = 49152, LAST_PORT = 65535 }; /* of those that are given (RFC 6335, 6) */

/* --- names --- */

static uint16_t *port_of(struct sockaddr_storage *addr)
{
    if (addr->ss_family == AF_INET)
        return &((struct sockaddr_in *)addr)->sin_port;
    return addr->ss_family == AF_INET6 ? &((struct sockaddr_in6 *)addr)->sin6_port : NULL;
}

static bool is_any(const struct sockaddr_storage *addr)
{
    static const struct in6_addr any6;

    if (addr->ss_family == AF_INET)
        return ((const struct sockaddr_in *)addr)->sin_addr.s_addr == INADDR_ANY;
    return memcmp(&((const struct sockaddr_in6 *)addr)->sin6_addr, &any6, sizeof any6) == 0;
}

static bool same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    if (a->ss_family == AF_INET)
        return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)b)->sin_addr.s_addr;
    return memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
                  &((const struct sockaddr_in6 *)b)->sin6_addr, sizeof(struct in6_addr)) == 0;
}

/* Whether who goes to one gets to the other. */
static bool meets(const struct rvi_simsock *s, struct sockaddr_storage *addr, socklen_t len)
{
    struct sockaddr_storage own = s->addr;

    if (own.ss_family != addr->ss_family || !s->is_named)
        return false;
    if (own.ss_family == AF_UNIX)
        return s->len == len && memcmp(&own, addr, len) == 0;
    return *port_of(&own) == *port_of(addr) &&
           (is_any(&own) || is_any(addr) || same_host(&own, addr));
}

static int copy_addr(struct sockaddr_storage *ret, int family, const struct sockaddr *addr,
                     socklen_t len)
{
    if (len < rvi_simsock_len_of(family) + (family == AF_UNIX) || len > sizeof *ret)
        return -EINVAL;
    memset(ret, 0, sizeof *ret);
    memcpy(ret, addr, len);
    return ret->ss_family == family ? 0 : -EAFNOSUPPORT;
}

static bool is_taken(const struct rvi_simnet *net, const struct rvi_simsock *by, bool may_share,
                     struct sockaddr_storage *addr, socklen_t len)
{
    for (unsigned i = 0; i < net->opts.most; i++) {
        const struct rvi_simsock *s = net->table[i];
        if (s && s != by && s->state != RVI_SIM_CONNECTED && meets(s, addr, len) &&
            !(may_share && s->shares))
            return true;
    }
    return false;
}

/* A port that nobody has. */
static int give_port(struct rvi_simnet *net, struct rvi_simsock *s, struct sockaddr_storage *addr,
                     socklen_t len)
{
    for (int i = FIRST_PORT; i <= LAST_PORT; i++) {
        net->port = net->port < FIRST_PORT || net->port == LAST_PORT ? FIRST_PORT : net->port + 1;
        *port_of(addr) = htons(net->port);
        if (!is_taken(net, s, false, addr, len))
            return 0;
    }
    return -EADDRINUSE;
}

static int name(struct rvi_simnet *net, struct rvi_simsock *s, const struct sockaddr *wanted,
                socklen_t len)
{
    struct sockaddr_storage addr;
    int r = copy_addr(&addr, s->family, wanted, len);
    uint16_t *port = r == 0 ? port_of(&addr) : NULL;

    if (r == 0 && port && *port == 0)
        r = give_port(net, s, &addr, len);
    else if (r == 0 && is_taken(net, s, s->shares, &addr, len))
        r = -EADDRINUSE;
    if (r < 0)
        return r;
    s->addr = addr;
    s->len = len;
    s->is_named = true;
    return 0;
}

int rvi_simnet_share(struct rvi_simnet *net, int fd)
{
    struct rvi_simsock *s = rvi_simsock_find(net, fd);

    if (!s)
        return -EBADF;
    s->shares = true;
    return 0;
}

int rvi_simnet_bind(struct rvi_simnet *net, int fd, const struct sockaddr *addr, socklen_t len)
{
    struct rvi_simsock *s = rvi_simsock_find(net, fd);

    if (!s)
        return -EBADF;
    if (s->kind >= RVI_SIM_PIPE)
        return -ENOTSOCK;
    return s->state == RVI_SIM_FRESH && !s->is_named ? name(net, s, addr, len) : -EINVAL;
}

/* On any address, on a port of its own. */
static int name_by_itself(struct rvi_simnet *net, struct rvi_simsock *s)
{
    struct sockaddr_storage any = {.ss_family = (sa_family_t)s->family};

    if (s->family == AF_UNIX)
        return -EINVAL;
    return name(net, s, (struct sockaddr *)&any, rvi_simsock_len_of(s->family));
}

int rvi_simnet_listen(struct rvi_simnet *net, int fd, int backlog)
{
    struct rvi_simsock *s = rvi_simsock_find(net, fd);
    int r = 0;

    if (!s)
        return -EBADF;
    if (s->kind >= RVI_SIM_PIPE)
        return -ENOTSOCK;
    if (s->state != RVI_SIM_FRESH && s->state != RVI_SIM_LISTENING)
        return -EINVAL;
    if (!s->is_named)
        r = name_by_itself(net, s);
    if (r < 0)
        return r;
    s->state = RVI_SIM_LISTENING;
    s->backlog = backlog > 0 ? backlog : 1;
    return 0;
}

int rvi_simnet_addr(const struct rvi_simnet *net, int fd, bool of_peer,
                    struct sockaddr_storage *ret, socklen_t *ret_len)
{
    const struct rvi_simsock *s = rvi_simsock_find(net, fd);

    if (!s)
        return -EBADF;
    if (s->kind >= RVI_SIM_PIPE)
        return -ENOTSOCK;
    if (of_peer && s->state != RVI_SIM_CONNECTED)
        return -ENOTCONN;
    *ret = of_peer ? s->peer_addr : s->addr;
    *ret_len = of_peer ? s->peer_len : s->len;
    return 0;
}

/* --- connecting --- */

/* Of those that share the address, one by chance. */
static struct rvi_simsock *find_listener(struct rvi_simnet *net, struct sockaddr_storage *addr,
                                         socklen_t len)
{
    struct rvi_simsock *found = NULL;
    uint64_t seen = 0;

    for (unsigned i = 0; i < net->opts.most; i++) {
        struct rvi_simsock *s = net->table[i];
        if (s && s->state == RVI_SIM_LISTENING && meets(s, addr, len) &&
            (++seen == 1 || rvi_rng_below(&net->rng, seen) == 0))
            found = s;
    }
    return found;
}

static int refuse(struct rvi_simnet *net, struct rvi_simsock *s, int64_t now, int error)
{
    s->state = RVI_SIM_CONNECTING;
    s->error = error;
    s->connects_at = now + rvi_simnet_latency(net, s) + rvi_simnet_latency(net, s);
    return s->connects_at > now ? -EAGAIN
                                : (rvi_simsock_settle(net, s, now), rvi_simsock_take_error(s));
}

/* The server's end, in the queue of its listener. */
static int enqueue(struct rvi_simnet *net, struct rvi_simsock *s, struct rvi_simsock *listener,
                   int64_t now)
{
    struct rvi_simsock *end = rvi_simsock_new(s->kind, s->family);

    if (!end || !rvi_simsock_join(net, s, end)) {
        rvi_simsock_free(net, end);
        rvi_way_close(&s->in);
        return -ENOMEM;
    }
    end->addr = s->peer_addr;
    end->len = s->peer_len;
    end->is_named = true;
    end->peer_addr = s->addr;
    end->peer_len = s->len;
    end->shows_at = now + rvi_simnet_latency(net, s);
    if (listener->queued >= listener->backlog && s->kind == RVI_SIM_STREAM)
        end->shows_at += RVI_SIMNET_RESEND_NS;
    rvi_list_push_back(&listener->queue, &end->link);
    listener->queued++;
    rvi_simsock_change(net, listener);
    s->state = RVI_SIM_CONNECTING;
    s->connects_at = end->shows_at + rvi_simnet_latency(net, s);
    return 0;
}

static int begin_to_connect(struct rvi_simnet *net, struct rvi_simsock *s, int64_t now,
                            const struct sockaddr *addr, socklen_t len)
{
    int r = copy_addr(&s->peer_addr, s->family, addr, len);

    if (r < 0)
        return r;
    s->peer_len = len;
    struct rvi_simsock *listener = find_listener(net, &s->peer_addr, len);
    if (!listener || rvi_simnet_happens(net, s, net->opts.refuse_ppm))
        return refuse(net, s, now, s->kind == RVI_SIM_LOCAL && !listener ? ENOENT : ECONNREFUSED);
    if (s->kind == RVI_SIM_LOCAL && listener->queued >= listener->backlog)
        return -EAGAIN;
    if (s->family != AF_UNIX && !s->is_named) {
        struct sockaddr_storage own = s->peer_addr;
        *port_of(&own) = 0;
        if ((r = name(net, s, (struct sockaddr *)&own, len)) < 0)
            return r;
    }
    return enqueue(net, s, listener, now);
}

int rvi_simnet_connect(struct rvi_simnet *net, int64_t now, int fd, const struct sockaddr *addr,
                       socklen_t len)
{
    struct rvi_simsock *s = rvi_simsock_find(net, fd);
    int r = 0;

    if (!s)
        return -EBADF;
    if (s->kind >= RVI_SIM_PIPE)
        return -ENOTSOCK;
    if (s->state == RVI_SIM_LISTENING)
        return -EISCONN;
    if (s->state == RVI_SIM_FRESH || (s->state == RVI_SIM_FAILED && !s->error))
        r = begin_to_connect(net, s, now, addr, len);
    if (r < 0)
        return r;
    rvi_simsock_settle(net, s, now);
    return s->state == RVI_SIM_CONNECTING ? -EAGAIN
           : s->state == RVI_SIM_FAILED   ? rvi_simsock_take_error(s)
                                          : 0;
}

struct rvi_simsock *rvi_simsock_first_in_queue(const struct rvi_simsock *listener, int64_t now)
{
    RVI_LIST_FOREACH(link, &listener->queue) {
        struct rvi_simsock *s = rvi_container_of(link, struct rvi_simsock, link);
        if (s->shows_at <= now)
            return s;
    }
    return NULL;
}

static void give_addr(const struct rvi_simsock *s, struct sockaddr *addr, socklen_t *len)
{
    if (!addr)
        return;
    memcpy(addr, &s->peer_addr, *len < s->peer_len ? *len : s->peer_len);
    *len = s->peer_len;
}

int rvi_simnet_accept(struct rvi_simnet *net, int64_t now, int fd, struct sockaddr *addr,
                      socklen_t *len)
{
    struct rvi_simsock *listener = rvi_simsock_find(net, fd);

    if (!listener)
        return -EBADF;
    if (listener->state != RVI_SIM_LISTENING)
        return listener->kind >= RVI_SIM_PIPE ? -ENOTSOCK : -EINVAL;
    struct rvi_simsock *s = rvi_simsock_first_in_queue(listener, now);
    if (!s)
        return -EAGAIN;
    bool is_torn = rvi_simnet_happens(net, s, net->opts.reset_ppm);
    int r = is_torn ? -ECONNABORTED : rvi_simsock_give_fd(net, s);
    if (r < 0 && !is_torn)
        return r;
    rvi_link_remove(&s->link);
    listener->queued--;
    rvi_simsock_change(net, listener);
    if (is_torn) {
        rvi_simsock_tear(net, s, now);
        rvi_simsock_free(net, s);
    } else {
        give_addr(s, addr, len);
    }
    return r;
}
