/* SPDX-License-Identifier: MIT */
/* explore.h - scenes of the runtime's own objects, played under many seeds.
 *
 * A scene is a first task: it makes what it needs, lets tasks loose on it, takes it down and checks
 * what came out with RV_CHECK; a check that fails prints the seed. RAVEL_TEST_SCALE (percent) sets
 * the number of seeds, RAVEL_SEED plays one alone. After each exploration nothing may be left
 * allocated. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ravel.h>

#include "../support/crowd.h"
#include "base/alloc.h"
#include "base/check.h"

enum { SEEDS = 400 };

static inline void explore_with(rv_fn *scene, struct rv_sim_opts opts)
{
    struct rv_sim_result result = {.size = sizeof(result)};
    long before = rvi_alloc_live();

    opts.size = sizeof(opts);
    opts.seeds = scaled(SEEDS, 10);
    int r = rv_sim_explore(scene, NULL, &opts, &result);
    if (r < 0)
        fail_msg("failed with %d: RAVEL_SEED=%s", r, result.replay);
    assert_int_equal(rvi_alloc_live(), before);
}

static inline void explore(rv_fn *scene)
{
    explore_with(scene, (struct rv_sim_opts){.depth = 4});
}

/* A test of a scene's name, and its line in the table. */
#define EXPLORATION(scene)                                                                         \
    static void explore_##scene(void **state)                                                      \
    {                                                                                              \
        (void)state;                                                                               \
        explore(scene);                                                                            \
    }

#define EXPLORED(scene) cmocka_unit_test(explore_##scene)
