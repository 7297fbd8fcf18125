/* SPDX-License-Identifier: MIT */
/* rng.c - seeding, and numbers below a bound without bias.
 *
 * rvi_rng_below is Lemire's method ("Fast random integer generation in an interval", 2019): the
 * high half of random * n is the number; the low half shows whether the product fell into the
 * 2^64 mod n values that would favour some numbers, and only then is the remainder computed. A
 * plain `% n` divides every time and is biased. */
#include "base/rng.h"

#include "base/check.h"

static uint64_t splitmix_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

void rvi_rng_seed(struct rvi_rng *rng, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        rng->state[i] = splitmix_next(&seed);
}

uint64_t rvi_rng_below(struct rvi_rng *rng, uint64_t n)
{
    RV_DCHECK(n > 0);
    unsigned __int128 product = (unsigned __int128)rvi_rng_next(rng) * n;
    if (rvi_unlikely((uint64_t)product < n)) {
        const uint64_t biased = -n % n;
        while ((uint64_t)product < biased)
            product = (unsigned __int128)rvi_rng_next(rng) * n;
    }
    return (uint64_t)(product >> 64);
}
