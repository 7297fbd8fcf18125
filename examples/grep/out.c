/* SPDX-License-Identifier: MIT */
#include "out.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 16 << 10, CHUNKS_WAITING = 4 };

struct chunk {
    size_t count;
    char bytes[CHUNK_BYTES];
};

struct out {
    rv_chan *chunks; /* of struct chunk *; closed when there are no more */
    struct chunk *filling;
    atomic_int owners;
};

int out_new(struct out **ret)
{
    struct out *o = calloc(1, sizeof *o);
    if (!o)
        return -ENOMEM;
    int r = rv_chan_new(&o->chunks, sizeof(struct chunk *), CHUNKS_WAITING);
    if (r < 0) {
        free(o);
        return r;
    }
    atomic_init(&o->owners, 2);
    *ret = o;
    return 0;
}

void out_unref(struct out *o)
{
    struct chunk *left;

    if (!o || atomic_fetch_sub(&o->owners, 1) > 1)
        return;
    while (rv_chan_try_recv(o->chunks, &left) == 0)
        free(left);
    rv_chan_free(o->chunks);
    free(o->filling);
    free(o);
}

static int send_chunk(struct out *o)
{
    int r = o->filling ? rv_chan_send(o->chunks, &o->filling, RV_NEVER) : 0;

    if (r == 0)
        o->filling = NULL;
    return r;
}

int out_add(struct out *o, const void *bytes, size_t count)
{
    for (const char *from = bytes; count > 0;) {
        if (!o->filling && !(o->filling = calloc(1, sizeof *o->filling)))
            return -ENOMEM;
        size_t room = CHUNK_BYTES - o->filling->count, n = count < room ? count : room;
        memcpy(o->filling->bytes + o->filling->count, from, n);
        o->filling->count += n;
        from += n;
        count -= n;
        int r = o->filling->count == CHUNK_BYTES ? send_chunk(o) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

int out_finish(struct out *o)
{
    int r = send_chunk(o);

    rv_chan_close(o->chunks);
    out_unref(o);
    return r;
}

int out_print(struct out *o, struct rv_writer *to)
{
    struct chunk *chunk;
    int r;

    while ((r = rv_chan_recv(o->chunks, &chunk, RV_NEVER)) == 0) {
        r = rv_writer_write(to, chunk->bytes, chunk->count, RV_NEVER);
        free(chunk);
        if (r < 0)
            break;
    }
    out_unref(o);
    return r == -EPIPE && rv_writer_clear(to) == 0 ? 0 : r;
}
