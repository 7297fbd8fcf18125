/* SPDX-License-Identifier: MIT */
/* nats_behind.h - deleting what is done and stored all the same. Used by the engine's thread. */
#pragma once

#include "engine/by_nats.h"

struct rvi_nats_behind {
    struct rvi_nats_ask ask;
    char stream[RVI_NATS_SUBJECT / 2];
    char subject[RVI_NATS_SUBJECT / 2]; /* of what is looked at */
    uint64_t at, floor;                 /* where it is looked next; and up to where */
    void (*over)(struct rvi_nats *e, struct rvi_nats_behind *behind); /* or NULL */
    char request[RVI_NATS_SUBJECT];
};

/** Delete what is stored up to there. Stream, subject and `over` are set; begun anew it forgets
 * what it was about. */
void rvi_nats_behind_look(struct rvi_nats *e, struct rvi_nats_behind *behind, uint64_t floor);
