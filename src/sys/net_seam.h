/* SPDX-License-Identifier: MIT */
/* net_seam.h - what is asked of descriptors, in simulated runs: the network's half of base/seam.h.
 *
 * Each answers as the kernel would, with -errno, and never waits. */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/seam.h"

struct rvi_op;

struct rvi_net_seam {
    int (*open)(struct rvi_net_seam *net, int family, int type);
    int (*pair)(struct rvi_net_seam *net, int type, int ret[2]);
    int (*pipe)(struct rvi_net_seam *net, int ret[2]);
    int (*any_of)(struct rvi_net_seam *net, const struct pollfd *fds, size_t count);
    int (*bind)(struct rvi_net_seam *net, int fd, const struct sockaddr *addr, socklen_t len);
    int (*listen)(struct rvi_net_seam *net, int fd, int backlog);
    int (*shut_down)(struct rvi_net_seam *net, int fd, int how);
    int (*addr)(struct rvi_net_seam *net, int fd, bool of_peer, struct sockaddr_storage *ret,
                socklen_t *ret_len);
    int (*set)(struct rvi_net_seam *net, int fd, int level, int option);
    int (*get)(struct rvi_net_seam *net, int fd, int level, int option, void *ret, socklen_t len);
    int (*close)(struct rvi_net_seam *net, int fd);                  /* -ENOTSUP: a real one */
    int64_t (*attempt)(struct rvi_net_seam *net, struct rvi_op *op); /* rvi_op_try() */
};

/** The calling thread's, or NULL: ask the kernel. */
static inline struct rvi_net_seam *rvi_net_seam(void)
{
    return rvi_unlikely(rvi_seam != NULL) ? rvi_seam->net : NULL;
}
