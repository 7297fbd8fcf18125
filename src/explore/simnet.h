/* SPDX-License-Identifier: MIT */
/* simnet.h - a network inside one program: streams that take time, bounded buffers, and faults that
 * a seed decides.
 *
 * Nothing waits here. Each call is told the time and does what a non-blocking system call would do
 * then; -EAGAIN has a "not before" in rvi_simnet_next(). Whoever waits for a descriptor links
 * itself to rvi_simnet_waiters(); rvi_simnet_pop_changed() says whom to wake after each call.
 *
 * Errors are -errno, those of the system call of the same name. Descriptors are numbers from
 * RVI_SIMNET_FIRST on, the lowest free one each time. */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

struct rvi_link;
struct rvi_simnet;

/** Far above what the kernel gives to a process, so that a simulated descriptor in a real call is
 * a bad one. */
#define RVI_SIMNET_FIRST (1 << 30)

struct rvi_simnet_opts {
    uint64_t seed;
    int64_t latency_ns;   /* a byte travels for as long as this, or up to twice */
    size_t buffer_bytes;  /* on its way and not yet read, in each direction; at least 1 */
    unsigned most;        /* descriptors at a time; beyond it -EMFILE */
    unsigned lose_ppm;    /* of a million sends, those that take RVI_SIMNET_RESEND_NS longer */
    unsigned reset_ppm;   /* of a million sends and accepts, those that find it torn down */
    unsigned silence_ppm; /* of a million sends, those since which nothing arrives any more */
    unsigned refuse_ppm;  /* of a million connects, those that are refused */
};

/** What a lost packet costs. */
#define RVI_SIMNET_RESEND_NS INT64_C(200000000)

/** Errors: -ENOMEM. */
int rvi_simnet_open(struct rvi_simnet **ret, const struct rvi_simnet_opts *opts)
    __attribute__((warn_unused_result));

/** Ends all that is still open. NULL does nothing. */
void rvi_simnet_close(struct rvi_simnet *net);

/** How many descriptors are open. */
unsigned rvi_simnet_count(const struct rvi_simnet *net);

/** Whether the number is an open descriptor of this network. */
bool rvi_simnet_has(const struct rvi_simnet *net, int fd);

/** AF_INET, AF_INET6 or AF_UNIX; SOCK_STREAM alone. */
int rvi_simnet_socket(struct rvi_simnet *net, int family, int type);
int rvi_simnet_pair(struct rvi_simnet *net, int type, int ret[2]);
int rvi_simnet_pipe(struct rvi_simnet *net, int ret[2]);

/** One that is readable while any of these is ready for its events; a closed one never is. */
int rvi_simnet_any_of(struct rvi_simnet *net, const struct pollfd *fds, size_t count);

/** Let others bind the same address, if they say so too. */
int rvi_simnet_share(struct rvi_simnet *net, int fd);
int rvi_simnet_bind(struct rvi_simnet *net, int fd, const struct sockaddr *addr, socklen_t len);
int rvi_simnet_listen(struct rvi_simnet *net, int fd, int backlog);

/** The first call begins to connect; later ones say what became of it: -EAGAIN nothing yet. */
int rvi_simnet_connect(struct rvi_simnet *net, int64_t now, int fd, const struct sockaddr *addr,
                       socklen_t len);

/** `addr` may be NULL; otherwise *len is the room there, and then what the address takes. */
int rvi_simnet_accept(struct rvi_simnet *net, int64_t now, int fd, struct sockaddr *addr,
                      socklen_t *len);

ssize_t rvi_simnet_recv(struct rvi_simnet *net, int64_t now, int fd, void *buf, size_t count,
                        bool peeks);
ssize_t rvi_simnet_send(struct rvi_simnet *net, int64_t now, int fd, const void *buf, size_t count);

/** The events that are there, as poll(2): 0 for none. */
short rvi_simnet_poll(struct rvi_simnet *net, int64_t now, int fd, short events);

/** SHUT_RD, SHUT_WR or SHUT_RDWR. */
int rvi_simnet_shut_down(struct rvi_simnet *net, int64_t now, int fd, int how);

/** Its own address, or its peer's. */
int rvi_simnet_addr(const struct rvi_simnet *net, int fd, bool of_peer,
                    struct sockaddr_storage *ret, socklen_t *ret_len);

/** What SO_ERROR says: an error that nobody has been told yet, or 0. */
int rvi_simnet_error(struct rvi_simnet *net, int64_t now, int fd);

/** Whoever waits for it has been taken off its waiters before. */
int rvi_simnet_close_fd(struct rvi_simnet *net, int64_t now, int fd);

/** When time alone may change what a call says: after `now`; INT64_MAX: never. */
int64_t rvi_simnet_next(const struct rvi_simnet *net, int64_t now, int fd);

/** Where whoever waits for a descriptor is linked, as the caller likes; NULL when it is not open.
 * Starts out as NULL, stays where it is until the descriptor is closed. */
struct rvi_link **rvi_simnet_waiters(const struct rvi_simnet *net, int fd);

/** One descriptor's waiters for whom something has changed since they looked; NULL: no more. */
struct rvi_link **rvi_simnet_pop_changed(struct rvi_simnet *net);
