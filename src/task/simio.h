/* SPDX-License-Identifier: MIT */
/* simio.h - the descriptors of simulated runs: a network inside the program. */
#pragma once

#include "explore/simnet.h"
#include "sched/why.h"
#include "sys/net_seam.h"
#include "sys/op.h"

#include <ravel/time.h>

struct rvi_simio {
    struct rvi_net_seam seam;
    struct rvi_simnet *net;
};

/** For one run; its rvi_sim_opts.net is &io->seam. Errors: -ENOMEM. */
int rvi_simio_open(struct rvi_simio *io, const struct rvi_simnet_opts *opts)
    __attribute__((warn_unused_result));

/** Nobody waits any more. Returns how many descriptors were left open. */
unsigned rvi_simio_close(struct rvi_simio *io);

/** What rvi_io_call() does in a simulated run. */
int64_t rvi_simio_call(struct rvi_op *op, enum rvi_why why, rv_time deadline)
    __attribute__((warn_unused_result));
