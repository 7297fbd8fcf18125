/* SPDX-License-Identifier: MIT */
/* slab.h - one worker's task descriptors: last in first out, from chunks that grow, never
 * shared. */
#pragma once

#include <stddef.h>

struct rvi_task;

struct rvi_slab {
    struct rvi_task *free;        /* linked through run.next */
    struct rvi_task *fresh, *end; /* never used part of the newest chunk */
    struct rvi_slab_chunk *chunks;
    size_t next_count;
};

/** Memory for one descriptor, its contents undefined; NULL when there is none. */
struct rvi_task *rvi_slab_take(struct rvi_slab *slab);

void rvi_slab_give(struct rvi_slab *slab, struct rvi_task *task);

/** Free the chunks; descriptors still out die with them. */
void rvi_slab_fini(struct rvi_slab *slab);
