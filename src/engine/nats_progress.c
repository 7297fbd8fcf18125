/* SPDX-License-Identifier: MIT */
/* nats_progress.c - how far a task is, from its worker to its submitter. Nothing is kept and
 * nothing asked again: the next note says more. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/nats_worker.h"

struct progress {
    struct rvi_nats_note note;
    char client[RVI_ENGINE_ID_BYTES], id[RVI_ENGINE_ID_BYTES];
    size_t count;
    char bytes[];
};

static void say(struct rvi_nats *e, struct rvi_nats_note *note)
{
    struct progress *p = rvi_container_of(note, struct progress, note);
    char subject[RVI_NATS_SUBJECT];

    snprintf(subject, sizeof(subject), "ravel.%s.to.%s.n.%s", e->opts.pool, p->client, p->id);
    (void)rvi_nats_say(e, subject, NULL, NULL, p->bytes, p->count);
    rvi_free(p);
}

void rvi_nats_progress(struct rvi_engine_lease *lease, const void *bytes, size_t count)
{
    struct rvi_nats_lease *its = rvi_container_of(lease, struct rvi_nats_lease, base);
    struct progress *p = count <= RVI_ENGINE_PROGRESS ? rvi_alloc(sizeof(*p) + count) : NULL;

    if (!p)
        return;
    p->note.read = say;
    memcpy(p->client, its->wire.client, sizeof(p->client));
    memcpy(p->id, its->entry.id, sizeof(p->id));
    p->count = count;
    memcpy(p->bytes, bytes, count);
    rvi_nats_note(rvi_nats_of(lease->engine), &p->note);
}
