/* SPDX-License-Identifier: MIT */
/* sock.h - what is asked of sockets at once: making, naming, setting. What waits is in op.h.
 *
 * All give -errno. Sockets made here are closed on exec and never block. */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct rv_addr;

int rvi_sock_open(int family, int type, int protocol) __attribute__((warn_unused_result));
int rvi_sock_pair(int type, int ret[2]) __attribute__((warn_unused_result));
int rvi_sock_bind(int fd, const struct rv_addr *addr) __attribute__((warn_unused_result));
int rvi_sock_listen(int fd, int backlog) __attribute__((warn_unused_result));

/** SHUT_RD, SHUT_WR or SHUT_RDWR. */
int rvi_sock_shut_down(int fd, int how);

/** The socket's own address, or its peer's. */
int rvi_sock_addr(int fd, bool of_peer, struct rv_addr *ret) __attribute__((warn_unused_result));

int rvi_sock_set(int fd, int level, int option, const void *value, socklen_t len)
    __attribute__((warn_unused_result));
int rvi_sock_set_int(int fd, int level, int option, int value) __attribute__((warn_unused_result));
int rvi_sock_get(int fd, int level, int option, void *ret, socklen_t len)
    __attribute__((warn_unused_result));

/** The number of the interface of that name; 0: there is none. */
unsigned rvi_sock_interface(const char *name);

/** A descriptor (of epoll) that is readable while any of these is ready for its events. Whoever
 * gets it closes it, before or after the others. */
int rvi_sock_any_of(const struct pollfd *fds, size_t count) __attribute__((warn_unused_result));
