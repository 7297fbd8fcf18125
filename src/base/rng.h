/* SPDX-License-Identifier: MIT */
/* rng.h - small, fast, seeded pseudo-random numbers: victims to steal from, jitter, schedules.
 *
 * xoshiro256** (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2021): 256
 * bits of state, about a nanosecond a number, equal seeds give equal sequences on every machine.
 * Not for secrets. One owner each; there is no shared generator, so that a run can be replayed.
 *
 * The state is spread from the seed by splitmix64 (Steele, Lea and Flood 2014): similar seeds give
 * unrelated states, and the all-zero state, from which xoshiro never moves, cannot arise. */
#pragma once

#include <stdint.h>

struct rvi_rng {
    uint64_t state[4];
};

/** Start the sequence that belongs to `seed`; any seed is good. */
void rvi_rng_seed(struct rvi_rng *rng, uint64_t seed);

static inline uint64_t rvi_rng_rotate(uint64_t value, int bits)
{
    return value << bits | value >> (64 - bits);
}

/** The next 64 uniformly distributed bits. */
static inline uint64_t rvi_rng_next(struct rvi_rng *rng)
{
    uint64_t *s = rng->state;
    uint64_t result = rvi_rng_rotate(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rvi_rng_rotate(s[3], 45);
    return result;
}

/** A number in [0, n), each equally likely; n > 0. */
uint64_t rvi_rng_below(struct rvi_rng *rng, uint64_t n);
