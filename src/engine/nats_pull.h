/* SPDX-License-Identifier: MIT */
/* nats_pull.h - requests to a consumer. */
#pragma once

#include "engine/by_nats.h"

enum { RVI_NATS_PULLS = 8 };

/* A consumer that is asked, and the requests that stand there. All zeros but the names: none. */
struct rvi_nats_lane {
    struct rvi_nats_pull {
        unsigned number, left;
        int64_t end;
    } pull[RVI_NATS_PULLS];
    unsigned count;   /* of these, the oldest first */
    int64_t again_at; /* a request was refused: none before that; 0: none was */
    bool is_known;    /* it has answered */
    bool is_full;     /* its last delivery said that there is more */
    char subject[RVI_NATS_SUBJECT], consumer[96];
};

/** Ask for what is wanted and not asked for yet, if that is enough to be worth it. */
void rvi_nats_lane_turn(struct rvi_nats *e, struct rvi_nats_lane *lane, unsigned wanted,
                        int64_t now);

/** When it has something to do. */
int64_t rvi_nats_lane_due(const struct rvi_nats_lane *lane);

/** It has delivered something. */
void rvi_nats_lane_heard(struct rvi_nats_lane *lane, const struct rvi_nats_origin *origin);

/** A request has ended, with less than it asked for. False: it is none of this lane's. */
bool rvi_nats_lane_status(struct rvi_nats_lane *lane, unsigned long number);

/** The connection is lost, and with it all requests. */
void rvi_nats_lane_lost(struct rvi_nats_lane *lane);

/* --- all lanes of a worker --- */

void rvi_nats_pull_open(struct rvi_nats *e);
void rvi_nats_pull_lost(struct rvi_nats *e);
void rvi_nats_pull_turn(struct rvi_nats *e, int64_t now);
int64_t rvi_nats_pull_due(const struct rvi_nats *e);

/** A task was delivered by that consumer. False: it is none of ours. */
bool rvi_nats_pull_heard(struct rvi_nats *e, const struct rvi_nats_origin *origin);
