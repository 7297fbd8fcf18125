/* SPDX-License-Identifier: MIT */
/* parties.h - how the parties of a stress test on the stages of stage.h behave: they wait with all
 * kinds of deadlines and lose their turn now and then.
 *
 * RAVEL_TEST_SCALE (percent, default 100) sets the number of rounds. */
#pragma once

#include "../unit/task/stage.h"

#include "base/rng.h"

static inline size_t scaled(size_t count)
{
    const char *text = getenv("RAVEL_TEST_SCALE");
    size_t percent = text == NULL ? 100 : strtoul(text, NULL, 10);
    size_t result = count * percent / 100;
    return result < 20 ? 20 : result;
}

static inline rv_time short_deadline(struct rvi_rng *rng)
{
    return rv_after((rv_time)rvi_rng_below(rng, 50) * RV_MICROSECOND);
}

static inline rv_time some_deadline(struct rvi_rng *rng)
{
    return rvi_rng_below(rng, 4) == 0 ? short_deadline(rng) : RV_NEVER;
}

static inline void pause_sometimes(struct rvi_rng *rng)
{
    if (rvi_rng_below(rng, 4) == 0)
        rv_yield();
}

/* Each party's random numbers are its own. */
static inline void seed_next(struct rvi_rng *rng)
{
    static _Atomic(uint64_t) seed;
    rvi_rng_seed(rng, rvi_fetch_add_relaxed(&seed, 1));
}
