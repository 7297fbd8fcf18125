/* SPDX-License-Identifier: MIT */
/* nats_blob.c - what does not fit a message goes in pieces of RVI_ENGINE_WHOLE bytes, each a
 * message of its own, and is named by the message that it belongs to: with its length and the hash
 * of all. That message is published when all pieces are stored, so whoever gets it can fetch them;
 * some pieces at a time are on their way.
 *
 * What was fetched is believed when its hash is right, which is the sum of the pieces', each with
 * its place, so they may come in any order. Pieces are named anew for each store: a task that is
 * run twice has two results under way, which do not mix.
 *
 * A server that follows others may not have yet what its leader has stored, and is asked all the
 * same: what is missing is asked for again for a while. */
#include "engine/nats_blob.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

enum { MISSING_MOST = 8 };

static uint64_t piece_count(const struct rvi_nats_blob *blob)
{
    return (blob->count + RVI_ENGINE_WHOLE - 1) / RVI_ENGINE_WHOLE;
}

static size_t piece_bytes(const struct rvi_nats_blob *blob, uint64_t index)
{
    uint64_t left = blob->count - index * RVI_ENGINE_WHOLE;

    return left < RVI_ENGINE_WHOLE ? (size_t)left : RVI_ENGINE_WHOLE;
}

static uint64_t piece_hash(const struct rvi_nats_blob *blob, uint64_t index)
{
    return rvi_wire_hash(index, blob->bytes + index * RVI_ENGINE_WHOLE, piece_bytes(blob, index));
}

int rvi_nats_blob_prepare(struct rvi_nats_blob *blob, const void *bytes, size_t count)
{
    int r = rvi_engine_make_id(blob->name);

    blob->bytes = r == 0 ? rvi_alloc(count) : NULL;
    if (!blob->bytes)
        return r < 0 ? r : -ENOMEM;
    memcpy(blob->bytes, bytes, count);
    blob->count = count;
    for (uint64_t i = 0; i < piece_count(blob); i++)
        blob->hash += piece_hash(blob, i);
    return 0;
}

static void stop(struct rvi_nats *e, struct rvi_nats_blob *blob)
{
    for (int i = 0; blob->pieces && i < RVI_NATS_PIECES_AT_ONCE; i++)
        rvi_nats_unask(e, &blob->pieces[i].ask);
    rvi_free(blob->pieces);
    blob->pieces = NULL;
}

static void end(struct rvi_nats *e, struct rvi_nats_blob *blob, int error)
{
    stop(e, blob);
    blob->moved(e, blob, error);
}

static void move(struct rvi_nats *e, struct rvi_nats_piece *piece);

/* --- storing --- */

static void piece_stored(struct rvi_nats *e, struct rvi_nats_ask *ask,
                         const struct rvi_nats_answer *answer)
{
    struct rvi_nats_piece *piece = rvi_container_of(ask, struct rvi_nats_piece, ask);
    struct rvi_nats_blob *blob = piece->blob;

    if (answer->error == -EIO)
        rvi_nats_ask_later(e, ask);
    else if (answer->error < 0 && answer->error != -EEXIST) /* -EEXIST: said twice */
        end(e, blob, answer->error);
    else if (++blob->arrived == piece_count(blob))
        end(e, blob, 0);
    else
        move(e, piece);
}

static void store_piece(struct rvi_nats *e, struct rvi_nats_piece *piece)
{
    struct rvi_nats_blob *blob = piece->blob;
    struct rvi_nats_ask *ask = &piece->ask;

    snprintf(ask->subject, sizeof(ask->subject), "ravel.%s.%s.%s.%" PRIu64, e->opts.pool,
             blob->kind, blob->name, piece->index);
    ask->bytes = blob->bytes + piece->index * RVI_ENGINE_WHOLE;
    ask->count = piece_bytes(blob, piece->index);
    ask->answered = piece_stored;
    rvi_nats_ask(e, ask);
}

/* --- fetching --- */

static void piece_fetched(struct rvi_nats *e, struct rvi_nats_ask *ask,
                          const struct rvi_nats_answer *answer)
{
    struct rvi_nats_piece *piece = rvi_container_of(ask, struct rvi_nats_piece, ask);
    struct rvi_nats_blob *blob = piece->blob;
    size_t bytes = piece_bytes(blob, piece->index);

    if (answer->error == -EIO || (answer->error == -ENOENT && ++piece->missing < MISSING_MOST)) {
        rvi_nats_ask_later(e, ask);
        return;
    }
    if (answer->error < 0 || (size_t)e->api->natsMsg_GetDataLength(answer->msg) != bytes) {
        end(e, blob, answer->error < 0 ? answer->error : -EBADMSG);
        return;
    }
    memcpy(blob->bytes + piece->index * RVI_ENGINE_WHOLE, e->api->natsMsg_GetData(answer->msg),
           bytes);
    blob->sum += piece_hash(blob, piece->index);
    if (++blob->arrived == piece_count(blob)) {
        end(e, blob, blob->sum == blob->hash ? 0 : -EBADMSG);
        return;
    }
    if (blob->step)
        blob->step(e, blob);
    move(e, piece);
}

static void fetch_piece(struct rvi_nats *e, struct rvi_nats_piece *piece)
{
    struct rvi_nats_blob *blob = piece->blob;
    struct rvi_nats_ask *ask = &piece->ask;

    snprintf(ask->subject, sizeof(ask->subject), "$JS.API.DIRECT.GET.RAVEL_%s_%s", e->opts.pool,
             blob->stream);
    ask->bytes = piece->request;
    ask->count = (size_t)snprintf(piece->request, sizeof(piece->request),
                                  "{\"last_by_subj\":\"ravel.%s.%s.%s.%" PRIu64 "\"}", e->opts.pool,
                                  blob->kind, blob->name, piece->index);
    ask->answered = piece_fetched;
    rvi_nats_ask(e, ask);
}

/* --- both --- */

static void move(struct rvi_nats *e, struct rvi_nats_piece *piece)
{
    struct rvi_nats_blob *blob = piece->blob;

    if (blob->next == piece_count(blob))
        return;
    piece->index = blob->next++;
    piece->missing = 0;
    if (blob->is_stored)
        store_piece(e, piece);
    else
        fetch_piece(e, piece);
}

static int begin(struct rvi_nats *e, struct rvi_nats_blob *blob, bool is_stored)
{
    blob->pieces = rvi_calloc(RVI_NATS_PIECES_AT_ONCE, sizeof(*blob->pieces));
    if (!blob->pieces)
        return -ENOMEM;
    blob->is_stored = is_stored;
    blob->next = blob->arrived = blob->sum = 0;
    for (int i = 0; i < RVI_NATS_PIECES_AT_ONCE; i++) {
        blob->pieces[i].blob = blob;
        move(e, &blob->pieces[i]);
    }
    return 0;
}

int rvi_nats_blob_store(struct rvi_nats *e, struct rvi_nats_blob *blob)
{
    return begin(e, blob, true);
}

int rvi_nats_blob_fetch(struct rvi_nats *e, struct rvi_nats_blob *blob)
{
    blob->bytes = rvi_alloc(blob->count);
    return blob->bytes ? begin(e, blob, false) : -ENOMEM;
}

void rvi_nats_blob_fini(struct rvi_nats *e, struct rvi_nats_blob *blob)
{
    stop(e, blob);
    rvi_free(blob->bytes);
    blob->bytes = NULL;
}

/* Not asked, but said: what is left behind is removed when its time is over. */
void rvi_nats_blob_purge(struct rvi_nats *e, const struct rvi_nats_blob *blob)
{
    char subject[RVI_NATS_SUBJECT], bytes[RVI_NATS_SUBJECT];

    snprintf(subject, sizeof(subject), "$JS.API.STREAM.PURGE.RAVEL_%s_%s", e->opts.pool,
             blob->stream);
    int count = snprintf(bytes, sizeof(bytes), "{\"filter\":\"ravel.%s.%s.%s.*\"}", e->opts.pool,
                         blob->kind, blob->name);
    (void)rvi_nats_say(e, subject, NULL, NULL, bytes, (size_t)count);
}
