/* SPDX-License-Identifier: MIT */
/* simnet_bytes.c - what goes through the simulated network's connections, and how they end.
 *
 * Checked by: tests/unit/explore/test_simnet.c */
#include "explore/simnet.h"

#include <errno.h>

#include "base/check.h"
#include "explore/simnet_inside.h"

/* --- bytes --- */

void rvi_simsock_tear(struct rvi_simnet *net, struct rvi_simsock *s, int64_t now)
{
    struct rvi_simsock *peer = s->peer;

    if (!peer || s->is_silent)
        return;
    peer->reset_at = rvi_way_earlier(peer->reset_at, now + rvi_simnet_latency(net, s));
    rvi_simsock_change(net, peer);
}

/* 0, or why the socket does not carry bytes. */
static int carries(const struct rvi_simsock *s)
{
    return s->state == RVI_SIM_CONNECTED ? 0 : s->state == RVI_SIM_CONNECTING ? -EAGAIN : -ENOTCONN;
}

bool rvi_simsock_has_ended(const struct rvi_simsock *s, int64_t now)
{
    return s->in.end_at <= now || !s->reads;
}

ssize_t rvi_simnet_recv(struct rvi_simnet *net, int64_t now, int fd, void *buf, size_t count,
                        bool peeks)
{
    struct rvi_simsock *s = rvi_simsock_find(net, fd);

    if (!s || (s->kind == RVI_SIM_PIPE && !s->reads))
        return -EBADF;
    rvi_simsock_settle(net, s, now);
    int r = carries(s);
    if (r < 0)
        return r == -ENOTCONN && s->error ? rvi_simsock_take_error(s) : r;
    size_t there = rvi_way_arrived(&s->in, now);
    if (count == 0)
        return 0;
    if (there == 0)
        return s->error ? rvi_simsock_take_error(s) : rvi_simsock_has_ended(s, now) ? 0 : -EAGAIN;
    size_t taken = rvi_simnet_part_of(net, count < there ? count : there);
    rvi_way_get(&s->in, buf, taken);
    if (!peeks) {
        rvi_way_advance(&s->in, taken);
        rvi_simsock_change(net, s->peer);
    }
    return (ssize_t)taken;
}

/* What goes wrong with this one. */
static int fault_of_send(struct rvi_simnet *net, struct rvi_simsock *s, int64_t now)
{
    if (rvi_simnet_happens(net, s, net->opts.reset_ppm)) {
        rvi_simsock_tear(net, s, now);
        s->reset_at = now;
        rvi_simsock_settle(net, s, now);
        return rvi_simsock_take_error(s);
    }
    if (rvi_simnet_happens(net, s, net->opts.silence_ppm)) {
        s->is_silent = true;
        if (s->peer)
            s->peer->is_silent = true;
    }
    return 0;
}

static int64_t arrives(struct rvi_simnet *net, struct rvi_simsock *s, int64_t now)
{
    int64_t at = now + rvi_simnet_latency(net, s);

    if (s->is_silent)
        return RVI_WAY_NEVER;
    return rvi_simnet_happens(net, s, net->opts.lose_ppm) ? at + RVI_SIMNET_RESEND_NS : at;
}

/* To an end that is closed: the answer is a reset. */
static ssize_t send_in_vain(struct rvi_simnet *net, struct rvi_simsock *s, int64_t now,
                            size_t count)
{
    if (s->kind != RVI_SIM_STREAM)
        return -EPIPE;
    if (!s->is_silent)
        s->reset_at = rvi_way_earlier(s->reset_at, now + rvi_simnet_latency(net, s) +
                                                       rvi_simnet_latency(net, s));
    return (ssize_t)count;
}

ssize_t rvi_simnet_send(struct rvi_simnet *net, int64_t now, int fd, const void *buf, size_t count)
{
    struct rvi_simsock *s = rvi_simsock_find(net, fd);

    if (!s || (s->kind == RVI_SIM_PIPE && !s->writes))
        return -EBADF;
    rvi_simsock_settle(net, s, now);
    int r = carries(s);
    if (r < 0)
        return r == -ENOTCONN ? (s->error ? rvi_simsock_take_error(s) : -EPIPE) : r;
    if (!s->writes)
        return s->error && s->kind == RVI_SIM_STREAM ? rvi_simsock_take_error(s) : -EPIPE;
    if (count == 0)
        return 0;
    if ((r = fault_of_send(net, s, now)) < 0)
        return r;
    if (!s->peer)
        return send_in_vain(net, s, now, count);
    size_t room = rvi_way_free(&s->peer->in);
    if (room == 0)
        return -EAGAIN;
    size_t given = rvi_simnet_part_of(net, count < room ? count : room);
    rvi_way_put(&s->peer->in, buf, given);
    rvi_way_mark(&s->peer->in, arrives(net, s, now));
    rvi_simsock_change(net, s->peer);
    return (ssize_t)given;
}

/* --- ends --- */

static void end_stream(struct rvi_simnet *net, struct rvi_simsock *s, int64_t now)
{
    if (!s->peer)
        return;
    rvi_way_end(&s->peer->in, s->is_silent ? RVI_WAY_NEVER : now + rvi_simnet_latency(net, s));
    rvi_simsock_change(net, s->peer);
}

/* A local sender hears of it. */
static void stop_reading(struct rvi_simnet *net, struct rvi_simsock *s)
{
    s->reads = false;
    if (s->kind != RVI_SIM_LOCAL || !s->peer)
        return;
    s->peer->writes = false;
    rvi_simsock_change(net, s->peer);
}

int rvi_simnet_shut_down(struct rvi_simnet *net, int64_t now, int fd, int how)
{
    struct rvi_simsock *s = rvi_simsock_find(net, fd);

    if (!s)
        return -EBADF;
    rvi_simsock_settle(net, s, now);
    if (s->kind >= RVI_SIM_PIPE)
        return -ENOTSOCK;
    if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
        return -EINVAL;
    if (s->state != RVI_SIM_CONNECTED)
        return -ENOTCONN;
    if (how != SHUT_WR)
        stop_reading(net, s);
    if (how != SHUT_RD && s->writes) {
        s->writes = false;
        end_stream(net, s, now);
    }
    rvi_simsock_change(net, s);
    return 0;
}

static void leave_peer(struct rvi_simnet *net, struct rvi_simsock *s, int64_t now)
{
    bool has_unread = s->in.written != s->in.read;

    if (s->kind == RVI_SIM_STREAM && (has_unread || s->fd < 0)) {
        rvi_simsock_tear(net, s, now);
        return;
    }
    if (s->writes || s->kind == RVI_SIM_PIPE) /* behind a reset there is no end */
        end_stream(net, s, now);
    if (s->kind != RVI_SIM_LOCAL || !s->peer)
        return;
    s->peer->writes = false;
    if (has_unread || s->fd < 0)
        s->peer->error = ECONNRESET;
}

static void close_sock(struct rvi_simnet *net, struct rvi_simsock *s, int64_t now)
{
    struct rvi_link *link;

    while ((link = rvi_list_pop_front(&s->queue)))
        close_sock(net, rvi_container_of(link, struct rvi_simsock, link), now);
    leave_peer(net, s, now);
    rvi_simsock_change(net, s->peer);
    rvi_simsock_free(net, s);
}

int rvi_simnet_close_fd(struct rvi_simnet *net, int64_t now, int fd)
{
    struct rvi_simsock *s = rvi_simsock_find(net, fd);

    if (!s)
        return -EBADF;
    RV_CHECK(!s->waiters);
    rvi_simsock_settle(net, s, now);
    net->table[fd - RVI_SIMNET_FIRST] = NULL;
    net->count--;
    close_sock(net, s, now);
    return 0;
}

int rvi_simnet_error(struct rvi_simnet *net, int64_t now, int fd)
{
    struct rvi_simsock *s = rvi_simsock_find(net, fd);

    if (!s)
        return -EBADF;
    rvi_simsock_settle(net, s, now);
    return s->state == RVI_SIM_CONNECTING ? 0 : -rvi_simsock_take_error(s);
}
