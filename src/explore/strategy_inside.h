/* SPDX-License-Identifier: MIT */
/* strategy_inside.h - what a strategy is to strategy.c. */
#pragma once

#include "explore/strategy.h"

struct rvi_strategy_ops {
    /* The options are read, once a run. NULL: nothing to prepare. */
    void (*begin)(struct rvi_strategy *s);
    /* What the last step, s->last, changed. Before each step but the first. NULL: nothing. */
    void (*look)(struct rvi_strategy *s, const struct rvi_candidate *c, size_t count);
    /* One of those that are busy; there is one. */
    size_t (*pick)(struct rvi_strategy *s, const struct rvi_candidate *c, size_t count);
};

extern const struct rvi_strategy_ops rvi_strategy_pct, rvi_strategy_pos, rvi_strategy_location,
    rvi_strategy_surw, rvi_strategy_aim;

/* It can go on by itself. */
static inline bool rvi_candidate_is_busy(const struct rvi_candidate *c)
{
    return c->spun == 0 && !c->is_late;
}

/* The finalizer of splitmix64 (Steele, Lea and Flood 2014). */
static inline uint64_t rvi_strategy_mix(uint64_t z)
{
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* A random number that belongs to `what` for as long as the key is the same. */
static inline uint64_t rvi_strategy_hash(const struct rvi_strategy *s, uint64_t what)
{
    return rvi_strategy_mix(rvi_strategy_mix(what * UINT64_C(0x9e3779b97f4a7c15)) ^ s->key);
}

static inline struct rvi_strategy_slot *rvi_strategy_slot(struct rvi_strategy *s, uint64_t who)
{
    return who - 1 < s->slot_count ? &s->slots[who - 1] : &s->spare;
}
