/* SPDX-License-Identifier: MIT */
/* simnet.c - sockets and pipes as a data structure.
 *
 * A connection is two sockets that know each other; each has the way into it (way.h). What is sent
 * arrives in order, each piece after a latency of its own. How much of a call is done, the seed
 * decides: a part of what is there, or of what there is room for, since programs that take a part
 * for the whole are what one looks for here. Names, listening and connecting are in simnet_names.c,
 * bytes and ends in simnet_bytes.c.
 *
 *   N1  a socket is in the table from the call that gave its descriptor to the one that closed it;
 *       one that nobody has accepted yet is in its listener's queue instead
 *   N2  a->peer == b  <=>  b->peer == a; NULL when the other end is closed
 *   N3  what changes for a member of a set changes for the set
 *
 * Torn connections. Closing with bytes unread resets a connection, as sending to a closed end does
 * (RFC 1122, 4.2.2.13; RFC 9293, 3.5.2), after the time that the answer takes. A reset throws away
 * what has not arrived, is reported once, and from then on reading finds the end and writing
 * -EPIPE. Local pairs and pipes know the other end's state at once and have no faults.
 *
 * Simpler than in life: room is known at once to the sender; an accept queue that is full costs the
 * client RVI_SIMNET_RESEND_NS; a name of a local socket is free again when it is closed.
 *
 * Rejected: packets, with windows and acknowledgements, which programs above TCP never see.
 * Checked by: tests/unit/explore/test_simnet.c, tests/explore/explore_net.c */
#include "explore/simnet.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "explore/simnet_inside.h"

/* --- chance --- */

bool rvi_simnet_happens(struct rvi_simnet *net, const struct rvi_simsock *s, unsigned ppm)
{
    return s->kind == RVI_SIM_STREAM && ppm > 0 && rvi_rng_below(&net->rng, 1000000) < ppm;
}

int64_t rvi_simnet_latency(struct rvi_simnet *net, const struct rvi_simsock *s)
{
    if (s->kind != RVI_SIM_STREAM || net->opts.latency_ns <= 0)
        return 0;
    return net->opts.latency_ns +
           (int64_t)rvi_rng_below(&net->rng, (uint64_t)net->opts.latency_ns + 1);
}

size_t rvi_simnet_part_of(struct rvi_simnet *net, size_t count)
{
    if (count < 2 || rvi_rng_below(&net->rng, 2) == 0)
        return count;
    return 1 + (size_t)rvi_rng_below(&net->rng, count);
}

/* --- sockets --- */

struct rvi_simsock *rvi_simsock_find(const struct rvi_simnet *net, int fd)
{
    unsigned at = (unsigned)fd - RVI_SIMNET_FIRST;

    return fd >= RVI_SIMNET_FIRST && at < net->opts.most ? net->table[at] : NULL;
}

static void put_on_changed(struct rvi_simnet *net, struct rvi_simsock *s)
{
    if (s->is_changed)
        return;
    s->is_changed = true;
    s->next_changed = net->changed;
    net->changed = s;
}

static bool is_member(const struct rvi_simsock *set, int fd)
{
    for (size_t i = 0; i < set->member_count; i++) {
        if (set->members[i].fd == fd)
            return true;
    }
    return false;
}

void rvi_simsock_change(struct rvi_simnet *net, struct rvi_simsock *s)
{
    if (!s)
        return;
    put_on_changed(net, s);
    for (unsigned i = 0; net->sets > 0 && i < net->opts.most; i++) {
        if (net->table[i] && is_member(net->table[i], s->fd))
            put_on_changed(net, net->table[i]);
    }
}

static void forget_change(struct rvi_simnet *net, struct rvi_simsock *s)
{
    struct rvi_simsock **at = &net->changed;

    if (!s->is_changed)
        return;
    while (*at != s)
        at = &(*at)->next_changed;
    *at = s->next_changed;
}

socklen_t rvi_simsock_len_of(int family)
{
    return family == AF_INET    ? sizeof(struct sockaddr_in)
           : family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                : sizeof(sa_family_t);
}

struct rvi_simsock *rvi_simsock_new(enum rvi_simsock_kind kind, int family)
{
    struct rvi_simsock *s = rvi_calloc(1, sizeof *s);

    if (!s)
        return NULL;
    *s = (struct rvi_simsock){.fd = -1,
                              .kind = kind,
                              .family = family,
                              .reads = true,
                              .writes = true,
                              .connects_at = RVI_WAY_NEVER,
                              .reset_at = RVI_WAY_NEVER,
                              .in.end_at = RVI_WAY_NEVER};
    rvi_list_init(&s->queue);
    s->addr.ss_family = s->peer_addr.ss_family = (sa_family_t)family;
    s->len = s->peer_len = rvi_simsock_len_of(family);
    return s;
}

void rvi_simsock_free(struct rvi_simnet *net, struct rvi_simsock *s)
{
    if (!s)
        return;
    forget_change(net, s);
    if (s->peer)
        s->peer->peer = NULL;
    net->sets -= s->kind == RVI_SIM_SET;
    rvi_free(s->members);
    rvi_way_close(&s->in);
    rvi_free(s);
}

int rvi_simsock_give_fd(struct rvi_simnet *net, struct rvi_simsock *s)
{
    for (unsigned i = 0; i < net->opts.most; i++) {
        if (net->table[i])
            continue;
        net->table[i] = s;
        net->count++;
        return s->fd = RVI_SIMNET_FIRST + (int)i;
    }
    return -EMFILE;
}

void rvi_simsock_settle(struct rvi_simnet *net, struct rvi_simsock *s, int64_t now)
{
    if (s->state == RVI_SIM_CONNECTING && s->connects_at <= now)
        s->state = s->error ? RVI_SIM_FAILED : RVI_SIM_CONNECTED;
    if (s->state == RVI_SIM_CONNECTED && s->reset_at <= now) {
        s->reset_at = RVI_WAY_NEVER;
        s->error = ECONNRESET;
        s->writes = false;
        rvi_way_cut(&s->in, now);
        rvi_simsock_change(net, s);
    }
}

int rvi_simsock_take_error(struct rvi_simsock *s)
{
    int error = s->error;

    s->error = 0;
    return -error;
}

int rvi_simnet_socket(struct rvi_simnet *net, int family, int type)
{
    if (family != AF_INET && family != AF_INET6 && family != AF_UNIX)
        return -EAFNOSUPPORT;
    if ((type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) != SOCK_STREAM)
        return -EPROTONOSUPPORT;
    struct rvi_simsock *s =
        rvi_simsock_new(family == AF_UNIX ? RVI_SIM_LOCAL : RVI_SIM_STREAM, family);
    int fd = s ? rvi_simsock_give_fd(net, s) : -ENOMEM;
    if (fd < 0)
        rvi_simsock_free(net, s);
    return fd;
}

bool rvi_simsock_join(struct rvi_simnet *net, struct rvi_simsock *a, struct rvi_simsock *b)
{
    if (!rvi_way_open(&a->in, net->opts.buffer_bytes) ||
        !rvi_way_open(&b->in, net->opts.buffer_bytes))
        return false;
    a->peer = b;
    b->peer = a;
    b->state = RVI_SIM_CONNECTED;
    return true;
}

static int open_pair(struct rvi_simnet *net, enum rvi_simsock_kind kind, struct rvi_simsock *ret[2])
{
    struct rvi_simsock *a = rvi_simsock_new(kind, AF_UNIX), *b = rvi_simsock_new(kind, AF_UNIX);
    int r = a && b && rvi_simsock_join(net, a, b) ? 0 : -ENOMEM;

    if (r == 0)
        r = rvi_simsock_give_fd(net, a);
    if (r >= 0 && (r = rvi_simsock_give_fd(net, b)) < 0) {
        net->table[a->fd - RVI_SIMNET_FIRST] = NULL;
        net->count--;
    }
    if (r < 0) {
        rvi_simsock_free(net, a);
        rvi_simsock_free(net, b);
        return r;
    }
    a->state = RVI_SIM_CONNECTED;
    ret[0] = a;
    ret[1] = b;
    return 0;
}

int rvi_simnet_pair(struct rvi_simnet *net, int type, int ret[2])
{
    struct rvi_simsock *ends[2];

    if ((type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) != SOCK_STREAM)
        return -EPROTONOSUPPORT;
    int r = open_pair(net, RVI_SIM_LOCAL, ends);
    if (r == 0)
        ret[0] = ends[0]->fd, ret[1] = ends[1]->fd;
    return r;
}

int rvi_simnet_pipe(struct rvi_simnet *net, int ret[2])
{
    struct rvi_simsock *ends[2];
    int r = open_pair(net, RVI_SIM_PIPE, ends);

    if (r < 0)
        return r;
    ends[0]->writes = false;
    ends[1]->reads = false;
    ret[0] = ends[0]->fd, ret[1] = ends[1]->fd;
    return 0;
}

int rvi_simnet_any_of(struct rvi_simnet *net, const struct pollfd *fds, size_t count)
{
    struct rvi_simsock *s = rvi_simsock_new(RVI_SIM_SET, AF_UNSPEC);

    if (!s)
        return -ENOMEM;
    net->sets++;
    s->members = rvi_calloc(count, sizeof *fds);
    int fd = s->members ? rvi_simsock_give_fd(net, s) : -ENOMEM;
    if (fd < 0) {
        rvi_simsock_free(net, s);
        return fd;
    }
    memcpy(s->members, fds, count * sizeof *fds);
    s->member_count = count;
    return fd;
}

/* --- waiting --- */

static int events_of_connected(const struct rvi_simsock *s, int64_t now)
{
    int in = rvi_way_arrived(&s->in, now) > 0 ? POLLIN : 0;
    int out = !s->peer || rvi_way_free(&s->peer->in) > 0 ? POLLOUT : 0;

    if (s->kind == RVI_SIM_PIPE)
        return s->reads ? in | (s->peer ? 0 : POLLHUP) : out | (s->peer ? 0 : POLLERR);
    if (!rvi_simsock_has_ended(s, now))
        return in | out;
    return POLLIN | out | POLLRDHUP | (s->writes ? 0 : POLLHUP);
}

static int events_of_set(struct rvi_simnet *net, const struct rvi_simsock *set, int64_t now)
{
    for (size_t i = 0; i < set->member_count; i++) {
        const struct pollfd *member = &set->members[i];
        if (rvi_simsock_find(net, member->fd) &&
            rvi_simnet_poll(net, now, member->fd, member->events))
            return POLLIN;
    }
    return 0;
}

static int events_of(struct rvi_simnet *net, const struct rvi_simsock *s, int64_t now)
{
    int error = s->error ? POLLERR : 0;

    switch (s->state) {
    case RVI_SIM_FRESH:
        return s->kind == RVI_SIM_SET ? events_of_set(net, s, now) : POLLOUT | POLLHUP;
    case RVI_SIM_LISTENING:
        return rvi_simsock_first_in_queue(s, now) ? POLLIN : 0;
    case RVI_SIM_CONNECTING:
        return 0;
    case RVI_SIM_FAILED:
        return POLLIN | POLLOUT | POLLHUP | error;
    case RVI_SIM_CONNECTED:
        break;
    }
    return events_of_connected(s, now) | error;
}

short rvi_simnet_poll(struct rvi_simnet *net, int64_t now, int fd, short events)
{
    struct rvi_simsock *s = rvi_simsock_find(net, fd);

    if (!s)
        return POLLNVAL;
    rvi_simsock_settle(net, s, now);
    return (short)(events_of(net, s, now) & (events | POLLERR | POLLHUP | POLLNVAL));
}

int64_t rvi_simnet_next(const struct rvi_simnet *net, int64_t now, int fd)
{
    const struct rvi_simsock *s = rvi_simsock_find(net, fd);
    int64_t next = RVI_WAY_NEVER;

    if (!s)
        return next;
    if (s->state == RVI_SIM_CONNECTING)
        return s->connects_at;
    for (size_t i = 0; i < s->member_count; i++)
        next = rvi_way_earlier(next, rvi_simnet_next(net, now, s->members[i].fd));
    RVI_LIST_FOREACH(link, &s->queue) {
        const struct rvi_simsock *queued = rvi_container_of(link, struct rvi_simsock, link);
        if (queued->shows_at > now)
            next = rvi_way_earlier(next, queued->shows_at);
    }
    next = rvi_way_earlier(next, rvi_way_next(&s->in, now));
    return s->reset_at > now ? rvi_way_earlier(next, s->reset_at) : next;
}

struct rvi_link **rvi_simnet_waiters(const struct rvi_simnet *net, int fd)
{
    struct rvi_simsock *s = rvi_simsock_find(net, fd);

    return s ? &s->waiters : NULL;
}

struct rvi_link **rvi_simnet_pop_changed(struct rvi_simnet *net)
{
    struct rvi_simsock *s = net->changed;

    if (!s)
        return NULL;
    net->changed = s->next_changed;
    s->is_changed = false;
    return &s->waiters;
}

/* --- life --- */

unsigned rvi_simnet_count(const struct rvi_simnet *net)
{
    return net->count;
}

bool rvi_simnet_has(const struct rvi_simnet *net, int fd)
{
    return rvi_simsock_find(net, fd) != NULL;
}

int rvi_simnet_open(struct rvi_simnet **ret, const struct rvi_simnet_opts *opts)
{
    struct rvi_simnet *net = rvi_calloc(1, sizeof *net);

    if (!net)
        return -ENOMEM;
    net->opts = *opts;
    net->table = rvi_calloc(opts->most, sizeof net->table[0]);
    if (!net->table) {
        rvi_free(net);
        return -ENOMEM;
    }
    rvi_rng_seed(&net->rng, opts->seed);
    *ret = net;
    return 0;
}

void rvi_simnet_close(struct rvi_simnet *net)
{
    if (!net)
        return;
    for (unsigned i = 0; i < net->opts.most; i++) {
        if (net->table[i])
            (void)rvi_simnet_close_fd(net, 0, RVI_SIMNET_FIRST + (int)i);
    }
    rvi_free(net->table);
    rvi_free(net);
}
