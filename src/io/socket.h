/* SPDX-License-Identifier: MIT */
/* socket.h - sockets as this room makes them, and the words for networks. */
#pragma once

#include <stdbool.h>

#include <ravel/addr.h>

#include "io/addr.h"

/** A socket that is closed on exec and never blocks; rv_close it. */
int rvi_socket_open(int family, int type) __attribute__((warn_unused_result));

/** What a word such as "tcp4" means. */
struct rvi_network {
    int family; /* AF_UNSPEC: either IP */
    int type;   /* SOCK_STREAM ... */
};

/** Errors: -EINVAL no such word. */
int rvi_network_of(struct rvi_network *ret, const char *word) __attribute__((warn_unused_result));

/** The path or abstract name in an address of a Unix network. */
const char *rvi_network_path(const char *address);

/** Let another numeric host stand where one was split from an address. */
void rvi_host_replace(struct rvi_host_port *parts, const char *host);

/** The numeric address, if the network's sockets have such. Errors: -EINVAL, -ENODEV. */
int rvi_network_addr(struct rv_addr *ret, const struct rvi_network *network,
                     const struct rvi_host_port *parts) __attribute__((warn_unused_result));

static inline bool rvi_is_tcp(int family, int type)
{
    return family != AF_UNIX && type == SOCK_STREAM;
}
