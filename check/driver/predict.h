/* SPDX-License-Identifier: MIT */
/* predict.h - what an execution says about others that would differ from it in an order that
 * matters. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check/wire.h"

/* An order that was not seen, as it is asked of RVI_STRATEGY_AIM. */
struct ck_prediction {
    struct rvi_strategy_aim aims[RVI_STRATEGY_AIMS_MOST];
    uint32_t aim_count;
    bool is_renewed;
    uint32_t rank; /* the lower the likelier a bug: enum ck_prediction_rank */
};

enum ck_prediction_rank {
    CK_CROSSED_LOCKS,  /* two threads take two locks in opposite orders */
    CK_FOREIGN_WRITE,  /* an access comes between two of another thread that need to be one */
    CK_TWO_VARIABLES,  /* two accesses to two variables, between which another thread takes both */
    CK_OTHER_ORDER,    /* two accesses in the other order */
    CK_HAND_OVER,      /* two threads answer each other, each time */
    CK_OTHER_SECTIONS, /* two critical sections in the other order */
    CK_ONE_HELD,       /* as above, but of those with the same code one alone is held */
    CK_PREDICTION_RANKS,
};

enum { CK_PREDICTIONS_MOST = 512 };

/** Of the events of an execution, in their order.
 *
 * @param to     at most CK_PREDICTIONS_MOST are written, those of lower rank first, none twice
 * @return how many; -ENOMEM */
int ck_predict(const struct ck_event *events, size_t count, struct ck_prediction *to)
    __attribute__((warn_unused_result));
