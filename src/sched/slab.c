/* SPDX-License-Identifier: MIT */
#include "sched/slab.h"

#include "base/alloc.h"
#include "base/check.h"
#include "sched/task.h"

enum {
    FIRST_COUNT = 64,
    MOST_COUNT = 8192, /* some 1.5 MiB a chunk */
};

struct rvi_slab_chunk {
    struct rvi_slab_chunk *next;
    struct rvi_task *end;
    struct rvi_task tasks[];
};

static struct rvi_task *after(const struct rvi_slab *slab, const struct rvi_task *task,
                              size_t count)
{
    return (struct rvi_task *)((uintptr_t)task + count * slab->stride); /* NOLINT: an address */
}

static struct rvi_task *grow(struct rvi_slab *slab)
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
    slab->fresh = after(slab, chunk->tasks, 1);
    slab->end = chunk->end = after(slab, chunk->tasks, count);
    slab->next_count = count * 2 < MOST_COUNT ? count * 2 : MOST_COUNT;
    return chunk->tasks;
}

struct rvi_task *rvi_slab_take_slow(struct rvi_slab *slab)
{
    struct rvi_task *task = slab->fresh;

    if (task == slab->end)
        return grow(slab);
    slab->fresh = after(slab, task, 1);
    return task;
}

/* All chunks but the newest are in use as a whole. */
void rvi_slab_walk(const struct rvi_slab *slab, void (*fn)(const struct rvi_task *task, void *arg),
                   void *arg)
{
    for (const struct rvi_slab_chunk *chunk = slab->chunks; chunk; chunk = chunk->next) {
        const struct rvi_task *end = chunk == slab->chunks ? slab->fresh : chunk->end;
        for (const struct rvi_task *task = chunk->tasks; task < end; task = after(slab, task, 1))
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
