/* SPDX-License-Identifier: MIT */
/* cluster_plays.h - the plays of the tier cluster as tests, here or in a task; each file brings its
 * perform_here(), which has the engine that it is about. */
#pragma once

#include "tiers.h"

#define HERE(play)                                                                                 \
    {                                                                                              \
#play, perform_here, NULL, NULL, &(struct setting)                                         \
        {                                                                                          \
            "cluster", 0, play, 0                                                                  \
        }                                                                                          \
    }
#define IN_A_TASK(play)                                                                            \
    {                                                                                              \
#play "_for_a_task", perform_here, NULL, NULL, &(struct setting)                           \
        {                                                                                          \
            "cluster", 1, play, 0                                                                  \
        }                                                                                          \
    }
#define BOTH(play) HERE(play), IN_A_TASK(play)
