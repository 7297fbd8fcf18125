/* SPDX-License-Identifier: MIT */
/* strategy.h - these may run: who does?
 *
 * A strategy is asked once a step. It is told by a number who is who, what each would do next, and
 * which of them wait for others by spinning, or for time to pass. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"

/* Part of the checker's wire and of its replay files: append only. */
enum rvi_strategy_kind {
    RVI_STRATEGY_WALK,     /* each as likely as the others, at each step */
    RVI_STRATEGY_PCT,      /* the highest of random priorities, with `depth` - 1 changes */
    RVI_STRATEGY_POS,      /* a random priority an event, drawn again after a conflict */
    RVI_STRATEGY_SURW,     /* by how much each has still to do, at the selected locations */
    RVI_STRATEGY_LOCATION, /* a random priority a location */
    RVI_STRATEGY_AIM,      /* the orders of locations that are asked for */
    RVI_STRATEGY_KINDS,
};

enum { RVI_STRATEGY_DEPTH_MOST = 16, RVI_STRATEGY_AIMS_MOST = 4 };

/* Whoever comes to `hold` waits there until somebody else has taken a step at `until`. */
struct rvi_strategy_aim {
    uint64_t hold, until; /* locations */
    uint64_t who;         /* this one alone is held; 0: whoever comes */
};

struct rvi_strategy_opts {
    enum rvi_strategy_kind kind;
    uint64_t seed;
    unsigned depth;    /* PCT: how many orderings the bug needs; 1 to RVI_STRATEGY_DEPTH_MOST. Aims:
                        * above 1 they are not all that disturbs, if there are none */
    uint64_t length;   /* PCT: how many steps a run takes, about; at least 1 */
    uint64_t patience; /* steps after which priorities are drawn anew; 0: never */
    bool is_reversed;  /* PCT, POS, location: the reverse of what this seed's order would be */
    bool is_own;       /* location: a priority for each thread and location */
    unsigned share;    /* SURW: one location in 2^share is selected, by the seed's choice */
    unsigned hurry;    /* one step in so many ends a wait by its time-out; 0: only if it must */
    bool is_renewed;   /* aims: whoever has passed `hold` waits there again the next time */
    unsigned aim_count;
    struct rvi_strategy_aim aims[RVI_STRATEGY_AIMS_MOST];
};

/* One who may run. Who asks without knowing what comes next leaves the later fields 0. */
struct rvi_candidate {
    uint64_t who;      /* the same number at each step; not 0 */
    uint64_t spun;     /* 0, or when (any rising count) it said that it gets no further by itself */
    uint64_t location; /* where in the program its next step is; the same number in every process */
    uint64_t object;   /* what that step touches; 0: conflicts with nothing */
    bool is_write;     /* it conflicts with any on its object, otherwise with writes alone */
    bool is_late;      /* it waits, and goes on only by its time-out */
};

/* What a strategy remembers of somebody. */
struct rvi_strategy_slot {
    uint32_t left;  /* SURW: steps to its end, about */
    uint32_t epoch; /* POS: priorities drawn */
    bool is_seen;
};

struct rvi_strategy {
    struct rvi_strategy_opts opts;
    struct rvi_rng rng;
    uint64_t key;  /* of the priorities */
    uint64_t step; /* questions answered */
    struct rvi_candidate last;
    unsigned changes;
    uint64_t change_at[RVI_STRATEGY_DEPTH_MOST - 1]; /* after these steps */
    uint64_t demoted[RVI_STRATEGY_DEPTH_MOST - 1];   /* who came to priority i + 1; 0: nobody */
    uint64_t intended;                               /* SURW: who takes the next selected step */
    uint64_t unborn;                                 /* SURW: steps of those not yet seen */
    struct {
        uint64_t first; /* who was at `until`; 0: nobody */
        bool is_many;   /* and so was somebody else */
    } met[RVI_STRATEGY_AIMS_MOST];
    struct rvi_strategy_slot *slots;
    size_t slot_count;
    struct rvi_strategy_slot spare;
};

/** Start a run. */
void rvi_strategy_init(struct rvi_strategy *strategy, const struct rvi_strategy_opts *opts);

/** Memory for POS and SURW, which without it take all for one; after init.
 *
 * @param slots   zeroes, the caller's for the whole run; slots[i] is for `who` i + 1, the rest
 *        share one
 * @param counts  how many steps `who` i + 1 takes in a run, about, for `count` of them; the one
 *        whose number is 1 is taken to start the others
 * @param count   at most slot_count */
void rvi_strategy_give(struct rvi_strategy *strategy, struct rvi_strategy_slot *slots,
                       size_t slot_count, const uint32_t *counts, size_t count);

/** Which of `count` candidates, at least one, takes the next step.
 *
 * @return its index */
size_t rvi_strategy_choose(struct rvi_strategy *strategy, const struct rvi_candidate *candidates,
                           size_t count);
