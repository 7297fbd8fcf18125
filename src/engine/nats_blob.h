/* SPDX-License-Identifier: MIT */
/* nats_blob.h - bytes in pieces, to and from the engine. Used by the engine's thread. */
#pragma once

#include "engine/by_nats.h"

enum { RVI_NATS_PIECES_AT_ONCE = 8 };

struct rvi_nats_blob;

/* A piece on its way. */
struct rvi_nats_piece {
    struct rvi_nats_ask ask;
    struct rvi_nats_blob *blob;
    uint64_t index;
    unsigned missing;
    char request[RVI_NATS_SUBJECT + 32];
};

/* All zeros: none. */
struct rvi_nats_blob {
    const char *kind;   /* "blob", of inputs; "piece", of results */
    const char *stream; /* where these are */
    char name[RVI_ENGINE_ID_BYTES];
    char *bytes;
    uint64_t count, hash;
    bool is_stored;                /* or fetched */
    uint64_t next, arrived, sum;   /* pieces begun, pieces done, the hash of these */
    struct rvi_nats_piece *pieces; /* NULL: it does not move */
    void (*step)(struct rvi_nats *e, struct rvi_nats_blob *blob); /* a piece was moved; or NULL */
    void (*moved)(struct rvi_nats *e, struct rvi_nats_blob *blob, int error);
};

/** Copy what is to be stored, and give it a name. Any thread. Errors: -ENOMEM; those of
 * rvi_engine_make_id() */
int rvi_nats_blob_prepare(struct rvi_nats_blob *blob, const void *bytes, size_t count);

/** Store what was prepared; `moved` tells. Errors: -ENOMEM */
int rvi_nats_blob_store(struct rvi_nats *e, struct rvi_nats_blob *blob);

/** Fetch what is described by name, count and hash into `bytes`; `moved` tells: -ENOENT it is gone,
 * -EBADMSG it is not what it was. Errors: -ENOMEM */
int rvi_nats_blob_fetch(struct rvi_nats *e, struct rvi_nats_blob *blob);

/** Stop whatever moves, and free `bytes`. */
void rvi_nats_blob_fini(struct rvi_nats *e, struct rvi_nats_blob *blob);

/** Nobody needs it any more: it is removed, soon, or when its time is over. */
void rvi_nats_blob_purge(struct rvi_nats *e, const struct rvi_nats_blob *blob);
