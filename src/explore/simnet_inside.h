/* SPDX-License-Identifier: MIT */
/* simnet_inside.h - what the files of the simulated network share: see simnet.c. */
#pragma once

#include <netinet/in.h>

#include "base/list.h"
#include "base/rng.h"
#include "explore/simnet.h"
#include "explore/way.h"

enum rvi_simsock_kind { RVI_SIM_STREAM, RVI_SIM_LOCAL, RVI_SIM_PIPE, RVI_SIM_SET };

enum rvi_simsock_state {
    RVI_SIM_FRESH,
    RVI_SIM_LISTENING,
    RVI_SIM_CONNECTING,
    RVI_SIM_CONNECTED,
    RVI_SIM_FAILED, /* to connect; `error` says how, until it is told */
};

struct rvi_simsock {
    struct rvi_link link; /* in its listener's queue */
    int fd;               /* -1: in its listener's queue */
    enum rvi_simsock_kind kind;
    enum rvi_simsock_state state;
    bool reads, writes; /* it may: a pipe's end does one; shut down: no more */
    bool shares, is_named;
    bool is_silent; /* nothing that it sends arrives any more */
    bool is_changed;
    int error; /* not told yet; 0: none */
    struct rvi_simsock *peer;
    struct rvi_way in;
    int64_t connects_at; /* RVI_SIM_CONNECTING: it will be known how it went */
    int64_t shows_at;    /* in its listener's queue: it can be accepted */
    int64_t reset_at;    /* word of it arrives */
    int family;
    struct sockaddr_storage addr, peer_addr;
    socklen_t len, peer_len;
    struct rvi_list queue; /* RVI_SIM_LISTENING */
    int queued, backlog;
    struct pollfd *members; /* of a RVI_SIM_SET */
    size_t member_count;
    struct rvi_link *waiters;
    struct rvi_simsock *next_changed;
};

struct rvi_simnet {
    struct rvi_simnet_opts opts;
    struct rvi_rng rng;
    struct rvi_simsock **table; /* of opts.most */
    unsigned count, sets;
    uint16_t port; /* that was given last */
    struct rvi_simsock *changed;
};

/* --- by chance --- */

/** Whether a fault of this frequency comes now; local sockets know none. */
bool rvi_simnet_happens(struct rvi_simnet *net, const struct rvi_simsock *s, unsigned ppm);

/** How long what it sends is on its way. */
int64_t rvi_simnet_latency(struct rvi_simnet *net, const struct rvi_simsock *s);

/** All of it, or a part: at least one. */
size_t rvi_simnet_part_of(struct rvi_simnet *net, size_t count);

/* --- one socket --- */

/** NULL: no such descriptor. */
struct rvi_simsock *rvi_simsock_find(const struct rvi_simnet *net, int fd);

/** The size of an address that says nothing. */
socklen_t rvi_simsock_len_of(int family);

/** Without a descriptor. NULL: no memory. */
struct rvi_simsock *rvi_simsock_new(enum rvi_simsock_kind kind, int family);
void rvi_simsock_free(struct rvi_simnet *net, struct rvi_simsock *s);

/** Give it the lowest free descriptor. Errors: -EMFILE. */
int rvi_simsock_give_fd(struct rvi_simnet *net, struct rvi_simsock *s);

/** Connect two, of which `b` is new. False: no memory. */
bool rvi_simsock_join(struct rvi_simnet *net, struct rvi_simsock *a, struct rvi_simsock *b);

/** Something has changed for whoever waits for it. NULL does nothing. */
void rvi_simsock_change(struct rvi_simnet *net, struct rvi_simsock *s);

/** Bring it to the present. */
void rvi_simsock_settle(struct rvi_simnet *net, struct rvi_simsock *s, int64_t now);

/** An error that nobody has been told yet, negative; 0: none. It is told now. */
int rvi_simsock_take_error(struct rvi_simsock *s);

/** Word of a reset goes to the peer. */
void rvi_simsock_tear(struct rvi_simnet *net, struct rvi_simsock *s, int64_t now);

/** Whether reading finds the end, once all that has arrived was read. */
bool rvi_simsock_has_ended(const struct rvi_simsock *s, int64_t now);

/** The one that a listener would accept now; NULL: none. */
struct rvi_simsock *rvi_simsock_first_in_queue(const struct rvi_simsock *listener, int64_t now);
