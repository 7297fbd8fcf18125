/* SPDX-License-Identifier: MIT */
/* simnet.c - sockets and pipes as a data structure.
 *
 * A connection is two sockets that know each other; each has the way into it: a ring of bytes, and
 * marks that say up to which byte has arrived when. What is sent arrives in order, each piece after
 * a latency of its own. Both ends decide by the seed how much of a call is done: a part of what is
 * there, or of what there is room for, since programs that take a part for the whole are what one
 * looks for here.
 *
 *   N1  a socket is in the table from the call that gave its descriptor to the one that closed it;
 *       one that nobody has accepted yet is in its listener's queue instead
 *   N2  a->peer == b  <=>  b->peer == a; NULL when the other end is closed
 *   N3  marks rise in both their numbers; the last one's `upto` is what was written so far
 *   N4  nothing is sent behind the end of a stream
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
#include <netinet/in.h>
#include <poll.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/list.h"
#include "base/rng.h"

enum {
    MOST_MARKS = 16, /* beyond it the last two pieces arrive together */
    FIRST_PORT = 49152,
    LAST_PORT = 65535,
};

#define NEVER INT64_MAX

enum kind { STREAM, LOCAL, PIPE };

enum state {
    FRESH,
    LISTENING,
    CONNECTING,
    CONNECTED,
    FAILED, /* to connect; `error` says how, until it is told */
};

struct mark {
    uint64_t upto;
    int64_t at;
};

/* The way into a socket. */
struct way {
    char *room;             /* NULL: it has none */
    uint64_t written, read; /* so far */
    struct mark marks[MOST_MARKS];
    unsigned count;
    int64_t end_at; /* the end of the stream arrives */
};

struct sock {
    struct rvi_link link; /* in its listener's queue */
    int fd;               /* -1: in its listener's queue */
    enum kind kind;
    enum state state;
    bool reads, writes; /* it may: a pipe's end does one; shut down: no more */
    bool shares, is_named;
    bool is_silent; /* nothing that it sends arrives any more */
    bool is_changed;
    int error; /* not told yet; 0: none */
    struct sock *peer;
    struct way in;
    int64_t connects_at; /* CONNECTING: it will be known how it went */
    int64_t shows_at;    /* in its listener's queue: it can be accepted */
    int64_t reset_at;    /* word of it arrives */
    int family;
    struct sockaddr_storage addr, peer_addr;
    socklen_t len, peer_len;
    struct rvi_list queue; /* LISTENING */
    int queued, backlog;
    struct rvi_link *waiters;
    struct sock *next_changed;
};

struct rvi_simnet {
    struct rvi_simnet_opts opts;
    struct rvi_rng rng;
    struct sock **table; /* of opts.most */
    unsigned count;
    uint16_t port; /* that was given last */
    struct sock *changed;
};

/* --- chance --- */

static bool happens(struct rvi_simnet *net, const struct sock *s, unsigned ppm)
{
    return s->kind == STREAM && ppm > 0 && rvi_rng_below(&net->rng, 1000000) < ppm;
}

static int64_t latency(struct rvi_simnet *net, const struct sock *s)
{
    if (s->kind != STREAM || net->opts.latency_ns <= 0)
        return 0;
    return net->opts.latency_ns +
           (int64_t)rvi_rng_below(&net->rng, (uint64_t)net->opts.latency_ns + 1);
}

/* All of it, or a part: at least one. */
static size_t part_of(struct rvi_simnet *net, size_t count)
{
    if (count < 2 || rvi_rng_below(&net->rng, 2) == 0)
        return count;
    return 1 + (size_t)rvi_rng_below(&net->rng, count);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* --- a way --- */

static bool way_open(struct rvi_simnet *net, struct way *way)
{
    *way = (struct way){.room = rvi_alloc(net->opts.buffer_bytes), .end_at = NEVER};
    return way->room != NULL;
}

/* What is written arrives at `at`, or later when something before it does. */
static void way_mark(struct way *way, int64_t at)
{
    struct mark *last = way->count > 0 ? &way->marks[way->count - 1] : NULL;

    at = last ? later(at, last->at) : at;
    if (way->count == MOST_MARKS || (last && last->at == at))
        *last = (struct mark){way->written, at};
    else
        way->marks[way->count++] = (struct mark){way->written, at};
}

static size_t way_free(const struct rvi_simnet *net, const struct way *way)
{
    return net->opts.buffer_bytes - (size_t)(way->written - way->read);
}

static size_t way_arrived(const struct way *way, int64_t now)
{
    uint64_t upto = way->read;

    for (unsigned i = 0; i < way->count && way->marks[i].at <= now; i++)
        upto = way->marks[i].upto;
    return (size_t)(upto - way->read);
}

static void way_put(const struct rvi_simnet *net, struct way *way, const char *from, size_t count)
{
    size_t size = net->opts.buffer_bytes, at = (size_t)(way->written % size);
    size_t first = count < size - at ? count : size - at;

    memcpy(way->room + at, from, first);
    memcpy(way->room, from + first, count - first);
    way->written += count;
}

static void way_get(const struct rvi_simnet *net, const struct way *way, char *to, size_t count)
{
    size_t size = net->opts.buffer_bytes, at = (size_t)(way->read % size);
    size_t first = count < size - at ? count : size - at;

    memcpy(to, way->room + at, first);
    memcpy(to + first, way->room, count - first);
}

/* So much has been read. */
static void way_advance(struct way *way, size_t count)
{
    unsigned done = 0;

    way->read += count;
    while (done < way->count && way->marks[done].upto <= way->read)
        done++;
    way->count -= done;
    memmove(way->marks, way->marks + done, way->count * sizeof way->marks[0]);
}

static void way_end(struct way *way, int64_t at)
{
    if (way->end_at == NEVER)
        way->end_at = way->count > 0 ? later(at, way->marks[way->count - 1].at) : at;
}

/* What has not arrived yet never does. */
static void way_cut(struct way *way, int64_t now)
{
    while (way->count > 0 && way->marks[way->count - 1].at > now)
        way->count--;
    way->written = way->count > 0 ? way->marks[way->count - 1].upto : way->read;
    way->end_at = now;
}

static int64_t way_next(const struct way *way, int64_t now)
{
    int64_t next = way->end_at > now ? way->end_at : NEVER;

    for (unsigned i = 0; i < way->count; i++) {
        if (way->marks[i].at > now)
            return earlier(next, way->marks[i].at);
    }
    return next;
}

/* --- sockets --- */

static struct sock *find(const struct rvi_simnet *net, int fd)
{
    unsigned at = (unsigned)fd - RVI_SIMNET_FIRST;

    return fd >= RVI_SIMNET_FIRST && at < net->opts.most ? net->table[at] : NULL;
}

static void change(struct rvi_simnet *net, struct sock *s)
{
    if (!s || s->is_changed)
        return;
    s->is_changed = true;
    s->next_changed = net->changed;
    net->changed = s;
}

static void forget_change(struct rvi_simnet *net, struct sock *s)
{
    struct sock **at = &net->changed;

    if (!s->is_changed)
        return;
    while (*at != s)
        at = &(*at)->next_changed;
    *at = s->next_changed;
}

/* Of an address that says nothing. */
static socklen_t len_of(int family)
{
    return family == AF_INET    ? sizeof(struct sockaddr_in)
           : family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                : sizeof(sa_family_t);
}

static struct sock *sock_new(enum kind kind, int family)
{
    struct sock *s = rvi_calloc(1, sizeof *s);

    if (!s)
        return NULL;
    *s = (struct sock){.fd = -1,
                       .kind = kind,
                       .family = family,
                       .reads = true,
                       .writes = true,
                       .connects_at = NEVER,
                       .reset_at = NEVER,
                       .in.end_at = NEVER};
    rvi_list_init(&s->queue);
    s->addr.ss_family = s->peer_addr.ss_family = (sa_family_t)family;
    s->len = s->peer_len = len_of(family);
    return s;
}

static void sock_free(struct rvi_simnet *net, struct sock *s)
{
    if (!s)
        return;
    forget_change(net, s);
    if (s->peer)
        s->peer->peer = NULL;
    rvi_free(s->in.room);
    rvi_free(s);
}

/* Give it the lowest free descriptor. */
static int give_fd(struct rvi_simnet *net, struct sock *s)
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

/* Bring a socket to the present. */
static void settle(struct rvi_simnet *net, struct sock *s, int64_t now)
{
    if (s->state == CONNECTING && s->connects_at <= now)
        s->state = s->error ? FAILED : CONNECTED;
    if (s->state == CONNECTED && s->reset_at <= now) {
        s->reset_at = NEVER;
        s->error = ECONNRESET;
        s->writes = false;
        way_cut(&s->in, now);
        change(net, s);
    }
}

static int take_error(struct sock *s)
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
    struct sock *s = sock_new(family == AF_UNIX ? LOCAL : STREAM, family);
    int fd = s ? give_fd(net, s) : -ENOMEM;
    if (fd < 0)
        sock_free(net, s);
    return fd;
}

/* Two that are connected; `a` is in the table already, or not. */
static bool join(struct rvi_simnet *net, struct sock *a, struct sock *b)
{
    if (!way_open(net, &a->in) || !way_open(net, &b->in))
        return false;
    a->peer = b;
    b->peer = a;
    b->state = CONNECTED;
    return true;
}

static int open_pair(struct rvi_simnet *net, enum kind kind, struct sock *ret[2])
{
    struct sock *a = sock_new(kind, AF_UNIX), *b = sock_new(kind, AF_UNIX);
    int r = a && b && join(net, a, b) ? 0 : -ENOMEM;

    if (r == 0)
        r = give_fd(net, a);
    if (r >= 0 && (r = give_fd(net, b)) < 0) {
        net->table[a->fd - RVI_SIMNET_FIRST] = NULL;
        net->count--;
    }
    if (r < 0) {
        sock_free(net, a);
        sock_free(net, b);
        return r;
    }
    a->state = CONNECTED;
    ret[0] = a;
    ret[1] = b;
    return 0;
}

int rvi_simnet_pair(struct rvi_simnet *net, int type, int ret[2])
{
    struct sock *ends[2];

    if ((type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) != SOCK_STREAM)
        return -EPROTONOSUPPORT;
    int r = open_pair(net, LOCAL, ends);
    if (r == 0)
        ret[0] = ends[0]->fd, ret[1] = ends[1]->fd;
    return r;
}

int rvi_simnet_pipe(struct rvi_simnet *net, int ret[2])
{
    struct sock *ends[2];
    int r = open_pair(net, PIPE, ends);

    if (r < 0)
        return r;
    ends[0]->writes = false;
    ends[1]->reads = false;
    ret[0] = ends[0]->fd, ret[1] = ends[1]->fd;
    return 0;
}

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
static bool meets(const struct sock *s, struct sockaddr_storage *addr, socklen_t len)
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
    if (len < len_of(family) + (family == AF_UNIX) || len > sizeof *ret)
        return -EINVAL;
    memset(ret, 0, sizeof *ret);
    memcpy(ret, addr, len);
    return ret->ss_family == family ? 0 : -EAFNOSUPPORT;
}

static bool is_taken(const struct rvi_simnet *net, const struct sock *by, bool may_share,
                     struct sockaddr_storage *addr, socklen_t len)
{
    for (unsigned i = 0; i < net->opts.most; i++) {
        const struct sock *s = net->table[i];
        if (s && s != by && s->state != CONNECTED && meets(s, addr, len) &&
            !(may_share && s->shares))
            return true;
    }
    return false;
}

/* A port that nobody has. */
static int give_port(struct rvi_simnet *net, struct sock *s, struct sockaddr_storage *addr,
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

static int name(struct rvi_simnet *net, struct sock *s, const struct sockaddr *wanted,
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
    struct sock *s = find(net, fd);

    if (!s)
        return -EBADF;
    s->shares = true;
    return 0;
}

int rvi_simnet_bind(struct rvi_simnet *net, int fd, const struct sockaddr *addr, socklen_t len)
{
    struct sock *s = find(net, fd);

    if (!s)
        return -EBADF;
    if (s->kind == PIPE)
        return -ENOTSOCK;
    return s->state == FRESH && !s->is_named ? name(net, s, addr, len) : -EINVAL;
}

/* On any address, on a port of its own. */
static int name_by_itself(struct rvi_simnet *net, struct sock *s)
{
    struct sockaddr_storage any = {.ss_family = (sa_family_t)s->family};

    if (s->family == AF_UNIX)
        return -EINVAL;
    return name(net, s, (struct sockaddr *)&any, len_of(s->family));
}

int rvi_simnet_listen(struct rvi_simnet *net, int fd, int backlog)
{
    struct sock *s = find(net, fd);
    int r = 0;

    if (!s)
        return -EBADF;
    if (s->kind == PIPE)
        return -ENOTSOCK;
    if (s->state != FRESH && s->state != LISTENING)
        return -EINVAL;
    if (!s->is_named)
        r = name_by_itself(net, s);
    if (r < 0)
        return r;
    s->state = LISTENING;
    s->backlog = backlog > 0 ? backlog : 1;
    return 0;
}

int rvi_simnet_addr(const struct rvi_simnet *net, int fd, bool of_peer,
                    struct sockaddr_storage *ret, socklen_t *ret_len)
{
    const struct sock *s = find(net, fd);

    if (!s)
        return -EBADF;
    if (s->kind == PIPE)
        return -ENOTSOCK;
    if (of_peer && s->state != CONNECTED)
        return -ENOTCONN;
    *ret = of_peer ? s->peer_addr : s->addr;
    *ret_len = of_peer ? s->peer_len : s->len;
    return 0;
}

/* --- connecting --- */

/* Of those that share the address, one by chance. */
static struct sock *find_listener(struct rvi_simnet *net, struct sockaddr_storage *addr,
                                  socklen_t len)
{
    struct sock *found = NULL;
    uint64_t seen = 0;

    for (unsigned i = 0; i < net->opts.most; i++) {
        struct sock *s = net->table[i];
        if (s && s->state == LISTENING && meets(s, addr, len) &&
            (++seen == 1 || rvi_rng_below(&net->rng, seen) == 0))
            found = s;
    }
    return found;
}

static int refuse(struct rvi_simnet *net, struct sock *s, int64_t now, int error)
{
    s->state = CONNECTING;
    s->error = error;
    s->connects_at = now + latency(net, s) + latency(net, s);
    return s->connects_at > now ? -EAGAIN : (settle(net, s, now), take_error(s));
}

/* The server's end, in the queue of its listener. */
static int enqueue(struct rvi_simnet *net, struct sock *s, struct sock *listener, int64_t now)
{
    struct sock *end = sock_new(s->kind, s->family);

    if (!end || !join(net, s, end)) {
        sock_free(net, end);
        rvi_free(s->in.room);
        s->in = (struct way){.end_at = NEVER};
        return -ENOMEM;
    }
    end->addr = s->peer_addr;
    end->len = s->peer_len;
    end->is_named = true;
    end->peer_addr = s->addr;
    end->peer_len = s->len;
    end->shows_at = now + latency(net, s);
    if (listener->queued >= listener->backlog && s->kind == STREAM)
        end->shows_at += RVI_SIMNET_RESEND_NS;
    rvi_list_push_back(&listener->queue, &end->link);
    listener->queued++;
    change(net, listener);
    s->state = CONNECTING;
    s->connects_at = end->shows_at + latency(net, s);
    return 0;
}

static int begin_to_connect(struct rvi_simnet *net, struct sock *s, int64_t now,
                            const struct sockaddr *addr, socklen_t len)
{
    int r = copy_addr(&s->peer_addr, s->family, addr, len);

    if (r < 0)
        return r;
    s->peer_len = len;
    struct sock *listener = find_listener(net, &s->peer_addr, len);
    if (!listener || happens(net, s, net->opts.refuse_ppm))
        return refuse(net, s, now, s->kind == LOCAL && !listener ? ENOENT : ECONNREFUSED);
    if (s->kind == LOCAL && listener->queued >= listener->backlog)
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
    struct sock *s = find(net, fd);
    int r = 0;

    if (!s)
        return -EBADF;
    if (s->kind == PIPE)
        return -ENOTSOCK;
    if (s->state == LISTENING)
        return -EISCONN;
    if (s->state == FRESH || (s->state == FAILED && !s->error))
        r = begin_to_connect(net, s, now, addr, len);
    if (r < 0)
        return r;
    settle(net, s, now);
    return s->state == CONNECTING ? -EAGAIN : s->state == FAILED ? take_error(s) : 0;
}

static struct sock *first_in_queue(const struct sock *listener, int64_t now)
{
    RVI_LIST_FOREACH(link, &listener->queue) {
        struct sock *s = rvi_container_of(link, struct sock, link);
        if (s->shows_at <= now)
            return s;
    }
    return NULL;
}

static void give_addr(const struct sock *s, struct sockaddr *addr, socklen_t *len)
{
    if (!addr)
        return;
    memcpy(addr, &s->peer_addr, *len < s->peer_len ? *len : s->peer_len);
    *len = s->peer_len;
}

static void tear(struct rvi_simnet *net, struct sock *s, int64_t now);

int rvi_simnet_accept(struct rvi_simnet *net, int64_t now, int fd, struct sockaddr *addr,
                      socklen_t *len)
{
    struct sock *listener = find(net, fd);

    if (!listener)
        return -EBADF;
    if (listener->state != LISTENING)
        return listener->kind == PIPE ? -ENOTSOCK : -EINVAL;
    struct sock *s = first_in_queue(listener, now);
    if (!s)
        return -EAGAIN;
    bool is_torn = happens(net, s, net->opts.reset_ppm);
    int r = is_torn ? -ECONNABORTED : give_fd(net, s);
    if (r < 0 && !is_torn)
        return r;
    rvi_link_remove(&s->link);
    listener->queued--;
    change(net, listener);
    if (is_torn) {
        tear(net, s, now);
        sock_free(net, s);
    } else {
        give_addr(s, addr, len);
    }
    return r;
}

/* --- bytes --- */

/* Word of a reset goes to the peer. */
static void tear(struct rvi_simnet *net, struct sock *s, int64_t now)
{
    struct sock *peer = s->peer;

    if (!peer || s->is_silent)
        return;
    peer->reset_at = earlier(peer->reset_at, now + latency(net, s));
    change(net, peer);
}

/* 0, or why the socket does not carry bytes. */
static int carries(const struct sock *s)
{
    return s->state == CONNECTED ? 0 : s->state == CONNECTING ? -EAGAIN : -ENOTCONN;
}

static bool has_ended(const struct sock *s, int64_t now)
{
    return s->in.end_at <= now || !s->reads;
}

ssize_t rvi_simnet_recv(struct rvi_simnet *net, int64_t now, int fd, void *buf, size_t count,
                        bool peeks)
{
    struct sock *s = find(net, fd);

    if (!s || (s->kind == PIPE && !s->reads))
        return -EBADF;
    settle(net, s, now);
    int r = carries(s);
    if (r < 0)
        return r == -ENOTCONN && s->error ? take_error(s) : r;
    size_t there = way_arrived(&s->in, now);
    if (count == 0)
        return 0;
    if (there == 0)
        return s->error ? take_error(s) : has_ended(s, now) ? 0 : -EAGAIN;
    size_t taken = part_of(net, count < there ? count : there);
    way_get(net, &s->in, buf, taken);
    if (!peeks) {
        way_advance(&s->in, taken);
        change(net, s->peer);
    }
    return (ssize_t)taken;
}

/* What goes wrong with this one. */
static int fault_of_send(struct rvi_simnet *net, struct sock *s, int64_t now)
{
    if (happens(net, s, net->opts.reset_ppm)) {
        tear(net, s, now);
        s->reset_at = now;
        settle(net, s, now);
        return take_error(s);
    }
    if (happens(net, s, net->opts.silence_ppm)) {
        s->is_silent = true;
        if (s->peer)
            s->peer->is_silent = true;
    }
    return 0;
}

static int64_t arrives(struct rvi_simnet *net, struct sock *s, int64_t now)
{
    int64_t at = now + latency(net, s);

    if (s->is_silent)
        return NEVER;
    return happens(net, s, net->opts.lose_ppm) ? at + RVI_SIMNET_RESEND_NS : at;
}

/* To an end that is closed: the answer is a reset. */
static ssize_t send_in_vain(struct rvi_simnet *net, struct sock *s, int64_t now, size_t count)
{
    if (s->kind != STREAM)
        return -EPIPE;
    if (!s->is_silent)
        s->reset_at = earlier(s->reset_at, now + latency(net, s) + latency(net, s));
    return (ssize_t)count;
}

ssize_t rvi_simnet_send(struct rvi_simnet *net, int64_t now, int fd, const void *buf, size_t count)
{
    struct sock *s = find(net, fd);

    if (!s || (s->kind == PIPE && !s->writes))
        return -EBADF;
    settle(net, s, now);
    int r = carries(s);
    if (r < 0)
        return r == -ENOTCONN ? (s->error ? take_error(s) : -EPIPE) : r;
    if (!s->writes)
        return s->error && s->kind == STREAM ? take_error(s) : -EPIPE;
    if (count == 0)
        return 0;
    if ((r = fault_of_send(net, s, now)) < 0)
        return r;
    if (!s->peer)
        return send_in_vain(net, s, now, count);
    size_t room = way_free(net, &s->peer->in);
    if (room == 0)
        return -EAGAIN;
    size_t given = part_of(net, count < room ? count : room);
    way_put(net, &s->peer->in, buf, given);
    way_mark(&s->peer->in, arrives(net, s, now));
    change(net, s->peer);
    return (ssize_t)given;
}

/* --- ends --- */

static void end_stream(struct rvi_simnet *net, struct sock *s, int64_t now)
{
    if (!s->peer)
        return;
    way_end(&s->peer->in, s->is_silent ? NEVER : now + latency(net, s));
    change(net, s->peer);
}

/* A local sender hears of it. */
static void stop_reading(struct rvi_simnet *net, struct sock *s)
{
    s->reads = false;
    if (s->kind != LOCAL || !s->peer)
        return;
    s->peer->writes = false;
    change(net, s->peer);
}

int rvi_simnet_shut_down(struct rvi_simnet *net, int64_t now, int fd, int how)
{
    struct sock *s = find(net, fd);

    if (!s)
        return -EBADF;
    settle(net, s, now);
    if (s->kind == PIPE)
        return -ENOTSOCK;
    if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
        return -EINVAL;
    if (s->state != CONNECTED)
        return -ENOTCONN;
    if (how != SHUT_WR)
        stop_reading(net, s);
    if (how != SHUT_RD && s->writes) {
        s->writes = false;
        end_stream(net, s, now);
    }
    change(net, s);
    return 0;
}

static void leave_peer(struct rvi_simnet *net, struct sock *s, int64_t now)
{
    bool has_unread = s->in.written != s->in.read;

    if (s->kind == STREAM && (has_unread || s->fd < 0)) {
        tear(net, s, now);
        return;
    }
    end_stream(net, s, now);
    if (s->kind != LOCAL || !s->peer)
        return;
    s->peer->writes = false;
    if (has_unread || s->fd < 0)
        s->peer->error = ECONNRESET;
}

static void close_sock(struct rvi_simnet *net, struct sock *s, int64_t now)
{
    struct rvi_link *link;

    while ((link = rvi_list_pop_front(&s->queue)))
        close_sock(net, rvi_container_of(link, struct sock, link), now);
    leave_peer(net, s, now);
    change(net, s->peer);
    sock_free(net, s);
}

int rvi_simnet_close_fd(struct rvi_simnet *net, int64_t now, int fd)
{
    struct sock *s = find(net, fd);

    if (!s)
        return -EBADF;
    RV_CHECK(!s->waiters);
    settle(net, s, now);
    net->table[fd - RVI_SIMNET_FIRST] = NULL;
    net->count--;
    close_sock(net, s, now);
    return 0;
}

int rvi_simnet_error(struct rvi_simnet *net, int64_t now, int fd)
{
    struct sock *s = find(net, fd);

    if (!s)
        return -EBADF;
    settle(net, s, now);
    return s->state == CONNECTING ? 0 : -take_error(s);
}

/* --- waiting --- */

static int events_of_connected(const struct rvi_simnet *net, const struct sock *s, int64_t now)
{
    int in = way_arrived(&s->in, now) > 0 ? POLLIN : 0;
    int out = !s->peer || way_free(net, &s->peer->in) > 0 ? POLLOUT : 0;

    if (s->kind == PIPE)
        return s->reads ? in | (s->peer ? 0 : POLLHUP) : out | (s->peer ? 0 : POLLERR);
    if (!has_ended(s, now))
        return in | out;
    return POLLIN | out | POLLRDHUP | (s->writes ? 0 : POLLHUP);
}

static int events_of(const struct rvi_simnet *net, const struct sock *s, int64_t now)
{
    int error = s->error ? POLLERR : 0;

    switch (s->state) {
    case FRESH:
        return POLLOUT | POLLHUP;
    case LISTENING:
        return first_in_queue(s, now) ? POLLIN : 0;
    case CONNECTING:
        return 0;
    case FAILED:
        return POLLIN | POLLOUT | POLLHUP | error;
    case CONNECTED:
        break;
    }
    return events_of_connected(net, s, now) | error;
}

short rvi_simnet_poll(struct rvi_simnet *net, int64_t now, int fd, short events)
{
    struct sock *s = find(net, fd);

    if (!s)
        return POLLNVAL;
    settle(net, s, now);
    return (short)(events_of(net, s, now) & (events | POLLERR | POLLHUP | POLLNVAL));
}

int64_t rvi_simnet_next(const struct rvi_simnet *net, int64_t now, int fd)
{
    const struct sock *s = find(net, fd);
    int64_t next = NEVER;

    if (!s)
        return next;
    if (s->state == CONNECTING)
        return s->connects_at;
    RVI_LIST_FOREACH(link, &s->queue) {
        const struct sock *queued = rvi_container_of(link, struct sock, link);
        if (queued->shows_at > now)
            next = earlier(next, queued->shows_at);
    }
    next = earlier(next, way_next(&s->in, now));
    return s->reset_at > now ? earlier(next, s->reset_at) : next;
}

struct rvi_link **rvi_simnet_waiters(const struct rvi_simnet *net, int fd)
{
    struct sock *s = find(net, fd);

    return s ? &s->waiters : NULL;
}

struct rvi_link **rvi_simnet_pop_changed(struct rvi_simnet *net)
{
    struct sock *s = net->changed;

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
    return find(net, fd) != NULL;
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
