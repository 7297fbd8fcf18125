/* SPDX-License-Identifier: MIT */
/* nats_client.h - what a client has, between nats_client.c and nats_results.c. */
#pragma once

#include "engine/by_nats.h"
#include "engine/nats_blob.h"

/* A task that has not ended. */
struct rvi_nats_sent {
    struct rvi_nats_entry entry;
    struct rvi_nats_note note;
    struct rvi_nats_ask ask; /* its storing, later its deletion */
    enum rvi_engine_lane lane;
    char *message; /* until it is stored */
    size_t bytes;
    struct rvi_nats_blob blob;          /* its input, later its value */
    natsMsg *result;                    /* whose value is being fetched */
    uint64_t sequence;                  /* in the stream, with is_stored */
    struct rvi_link stored;             /* of stored or doubted; with is_stored */
    bool is_known, is_stored, has_left; /* read; stored; out of the table */
    bool is_noted, is_unwanted;         /* (in.lock) */
    int why;                            /* (in.lock), until is_unwanted */
    struct rvi_link unwanted;           /* of asking or claimed */
    bool is_asked;                      /* who has it; nobody has answered yet */
    unsigned missing;
    int64_t due;
    char request[64];
};

/* A look whether a task is there still. */
struct rvi_nats_doubt {
    struct rvi_nats_ask ask;
    struct rvi_nats_sent *sent; /* NULL: none is made */
    char request[RVI_NATS_SUBJECT];
};

enum { RVI_NATS_DOUBTS = 8 }; /* at one time */

struct rvi_nats_client {
    struct rvi_nats_table table;     /* (in.lock) */
    struct rvi_list asking, claimed; /* unwanted tasks, by when they are due */

    /* nats_doubt.c */
    struct rvi_list stored;  /* tasks, the oldest first, but those that are looked for */
    struct rvi_list doubted; /* those that are to be looked for */
    struct rvi_nats_doubt doubt[RVI_NATS_DOUBTS];
    int64_t doubt_at;
    bool has_lost; /* a task or a result, as a look has found */
    bool was_ready;

    /* The consumer of results. */
    struct rvi_nats_ask ask;
    char config[768], consumer[64];
    unsigned generation, deleted; /* its number, from 1; so many are deleted again */
    struct rvi_nats_ask deletion;
    bool is_reading;
    uint64_t sequence, consumed; /* the last that was read: in the stream, of this consumer */
    uint64_t begun_at;           /* behind that one this consumer was to begin */
    int64_t heard;               /* from it; or when it was made */
};

/* --- nats_client.c --- */

/** It is stored nowhere any more, nor is a result: it ends, as lost if it was wanted. */
void rvi_nats_client_forgotten(struct rvi_nats *e, struct rvi_nats_sent *sent);

/* --- nats_results.c --- */

/** Read results once more from behind that one. */
void rvi_nats_results_again(struct rvi_nats *e, uint64_t sequence);

/* --- nats_doubt.c: whether what was stored is there still --- */

void rvi_nats_doubt_open(struct rvi_nats *e);

/** There is a connection; was_away: not the first. */
void rvi_nats_doubt_ready(struct rvi_nats *e, bool was_away);

/** A task is stored; it has left the table. */
void rvi_nats_doubt_stored(struct rvi_nats *e, struct rvi_nats_sent *sent);
void rvi_nats_doubt_left(struct rvi_nats *e, struct rvi_nats_sent *sent);
void rvi_nats_doubt_turn(struct rvi_nats *e, int64_t now);
int64_t rvi_nats_doubt_due(const struct rvi_nats *e);
