/* SPDX-License-Identifier: MIT */
/* arena.h - pieces of a range of memory, accounted for outside of it.
 *
 * The range is part of a segment that a worker can write; all that is known of its pieces lies in
 * the parent's own memory. So nothing that a worker writes can mislead the parent, no lock is
 * shared, and the pieces of a worker that has died are dropped all at once, with the arena. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

enum {
    RVI_ARENA_UNIT = 64, /* pieces begin at its multiples, so no two share a line of the cache */
    RVI_ARENA_ROWS = 32,
    RVI_ARENA_COLUMNS = 8,
};

/* A piece, taken or free. Positions and sizes are in units. */
struct rvi_piece {
    uint32_t at, units;
    struct rvi_piece *before, *after; /* in the range; NULL: its ends */
    struct rvi_link link;             /* on the free list of its size; unlinked: it is taken */
};

/* One thread at a time. */
struct rvi_arena {
    struct rvi_piece *first;
    size_t units, taken;
    /* Free pieces by size: rows are powers of two, each cut into columns. A bit says that there is
     * one. */
    uint32_t rows;
    uint8_t columns[RVI_ARENA_ROWS];
    struct rvi_list free[RVI_ARENA_ROWS][RVI_ARENA_COLUMNS];
};

/** Have a range of so many bytes, all free; the memory itself is never looked at.
 *
 * @param bytes  at least one unit; what does not fill the last unit is left out, and what is beyond
 *               2^32 units
 * @return 0
 * Errors:  -ENOMEM
 * Lifetime: until rvi_arena_fini */
int rvi_arena_init(struct rvi_arena *arena, size_t bytes) __attribute__((warn_unused_result));

/** Forget it, with all pieces. */
void rvi_arena_fini(struct rvi_arena *arena);

/** Take a piece.
 *
 * @param bytes  more than 0
 * @param ret    the caller's until rvi_arena_give or rvi_arena_fini
 * @return 0
 * Errors:  -ENOSPC not now; -EMSGSIZE it is larger than could ever be got; -ENOMEM
 * Blocks:  no; takes the same time whatever the number of pieces */
int rvi_arena_take(struct rvi_arena *arena, size_t bytes, struct rvi_piece **ret)
    __attribute__((warn_unused_result));

/** Give a piece back; NULL is nothing. Also in constant time. */
void rvi_arena_give(struct rvi_arena *arena, struct rvi_piece *piece);

/** Where a piece begins, in bytes from the start of the range. */
static inline size_t rvi_piece_at(const struct rvi_piece *piece)
{
    return (size_t)piece->at * RVI_ARENA_UNIT;
}

/** Whether pieces fill the range without gap, no two free ones lie side by side, and each free one
 * is on the list where it is looked for. */
bool rvi_arena_is_valid(const struct rvi_arena *arena);
