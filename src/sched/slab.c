/* SPDX-License-Identifier: MIT */
#include "sched/slab.h"

#include "base/alloc.h"
#include "base/check.h"
#include "sched/task.h"

enum {
    FIRST_COUNT = 64,
    MOST_COUNT = 8192, /* some 1.5 MiB a chunk */
};

struct rvi_task *rvi_slab_take_slow(struct rvi_slab *slab)
{
    size_t count = slab->next_count ? slab->next_count : FIRST_COUNT;
    if (slab->stride == 0)
        slab->stride = sizeof(struct rvi_task);
    struct rvi_slab_chunk *chunk =
        rvi_alloc_aligned(RVI_CACHE_LINE, sizeof *chunk + count * slab->stride);

    if (!chunk)
        return NULL;
    chunk->next = slab->chunks;
    slab->chunks = chunk;
    slab->fresh = rvi_slab_after(slab, chunk->tasks, 1);
    slab->end = chunk->end = rvi_slab_after(slab, chunk->tasks, count);
    slab->next_count = count * 2 < MOST_COUNT ? count * 2 : MOST_COUNT;
    return chunk->tasks;
}

/* All chunks but the newest are in use as a whole. */
void rvi_slab_walk(const struct rvi_slab *slab, void (*fn)(const struct rvi_task *task, void *arg),
                   void *arg)
{
    for (const struct rvi_slab_chunk *chunk = slab->chunks; chunk; chunk = chunk->next) {
        const struct rvi_task *end = chunk == slab->chunks ? slab->fresh : chunk->end;
        for (const struct rvi_task *task = chunk->tasks; task < end;
             task = rvi_slab_after(slab, task, 1))
            fn(task, arg);
    }
}

void rvi_slab_fini(struct rvi_slab *slab)
{
    while (slab->chunks) {
        struct rvi_slab_chunk *next = slab->chunks->next;
        rvi_free(slab->chunks);
        slab->chunks = next;
    }
    *slab = (struct rvi_slab){0};
}
