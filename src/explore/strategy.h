/* SPDX-License-Identifier: MIT */
/* strategy.h - these may run: who does?
 *
 * A strategy is asked once a step. It is told by a number who is who, and which of them wait for
 * others by spinning. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"

enum rvi_strategy_kind {
    RVI_STRATEGY_WALK, /* each as likely as the others, at each step */
    RVI_STRATEGY_PCT,  /* the highest of random priorities, with `depth` - 1 changes */
};

enum { RVI_STRATEGY_DEPTH_MOST = 16 };

struct rvi_strategy_opts {
    enum rvi_strategy_kind kind;
    uint64_t seed;
    unsigned depth;  /* PCT: how many orderings the bug needs; 1 to RVI_STRATEGY_DEPTH_MOST */
    uint64_t length; /* PCT: how many steps a run takes, about; at least 1 */
};

/* One who may run. Who asks without knowing what comes next leaves the later fields 0. */
struct rvi_candidate {
    uint64_t who;      /* the same number at each step; not 0 */
    uint64_t spun;     /* 0, or when (any rising count) it said that it gets no further by itself */
    uint64_t location; /* where in the program its next step is; the same number in every process */
    uint64_t object;   /* what that step touches; 0: conflicts with nothing */
    bool is_write;     /* it conflicts with any on its object, otherwise with writes alone */
};

struct rvi_strategy {
    enum rvi_strategy_kind kind;
    struct rvi_rng rng;
    uint64_t key;  /* of the priorities */
    uint64_t step; /* questions answered */
    uint64_t last; /* who ran last */
    unsigned changes;
    uint64_t change_at[RVI_STRATEGY_DEPTH_MOST - 1]; /* after these steps */
    uint64_t demoted[RVI_STRATEGY_DEPTH_MOST - 1];   /* who came to priority i + 1; 0: nobody */
};

/** Start a run. */
void rvi_strategy_init(struct rvi_strategy *strategy, const struct rvi_strategy_opts *opts);

/** Which of `count` candidates, at least one, takes the next step.
 *
 * @return its index */
size_t rvi_strategy_choose(struct rvi_strategy *strategy, const struct rvi_candidate *candidates,
                           size_t count);
