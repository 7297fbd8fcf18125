/* SPDX-License-Identifier: MIT */
/* arena.c - two-level segregated fit (Masmano, Ripoll, Crespo, Real 2004, "TLSF: a new dynamic
 * memory allocator for real-time systems"), with its headers elsewhere.
 *
 * Invariants:
 *   A1  from `first` along `after` the pieces fill the range, in order, without gap
 *   A2  of two neighbours at least one is taken
 *   A3  a free piece is on the list of its size; a list's bit is set if and only if it is not empty
 *
 * The list of row r and column c has the pieces of [2^r * (1 + c/8), 2^r * (1 + (c+1)/8)) units. To
 * take n units, n is rounded up to where a list begins: any piece of that list, or a longer one,
 * will do, and the first one is found by two masks. So at most an eighth of n may be there and not
 * be found. A piece that is too long is cut, a piece that is given back grows by its neighbours.
 *
 * Rejected: headers within the range, as allocators have them, which whoever writes to the range
 * can forge; a bump pointer, which waits for the longest job.
 *
 * Checked by: tests/unit/shm/test_arena.c */
#include "shm/arena.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/check.h"

/* A list's place. */
struct place {
    unsigned row, column;
};

static unsigned row_of(uint32_t units)
{
    return 31U - (unsigned)__builtin_clz(units);
}

/* The list on which a piece of that size lies. */
static struct place place_of(uint32_t units)
{
    unsigned row = row_of(units);
    uint64_t eighths = ((uint64_t)units * RVI_ARENA_COLUMNS) >> row;

    return (struct place){row, (unsigned)(eighths - RVI_ARENA_COLUMNS)};
}

/* The size that the lists from there on have for sure, if it is not 0: there is no such list. */
static uint32_t rounded_up(uint32_t units)
{
    unsigned row = row_of(units);
    uint64_t step = row > 3 ? (uint64_t)1 << (row - 3) : 1;
    uint64_t rounded = (units + step - 1) / step * step;

    return rounded > UINT32_MAX ? 0 : (uint32_t)rounded;
}

static void put_on_list(struct rvi_arena *arena, struct rvi_piece *piece)
{
    struct place p = place_of(piece->units);

    rvi_list_push_front(&arena->free[p.row][p.column], &piece->link);
    arena->rows |= 1U << p.row;
    arena->columns[p.row] |= (uint8_t)(1U << p.column);
}

static void take_off_list(struct rvi_arena *arena, struct rvi_piece *piece)
{
    struct place p = place_of(piece->units);

    rvi_link_remove(&piece->link);
    if (!rvi_list_is_empty(&arena->free[p.row][p.column]))
        return;
    arena->columns[p.row] &= (uint8_t) ~(1U << p.column);
    if (arena->columns[p.row] == 0)
        arena->rows &= ~(1U << p.row);
}

/* A free piece of at least that size, a rounded one; NULL: none. */
static struct rvi_piece *find(const struct rvi_arena *arena, uint32_t units)
{
    struct place p = place_of(units);
    unsigned columns = arena->columns[p.row] & (0xffU << p.column);

    if (columns == 0) {
        uint32_t rows = p.row == 31 ? 0 : arena->rows & (UINT32_MAX << (p.row + 1));
        if (rows == 0)
            return NULL;
        p.row = (unsigned)__builtin_ctz(rows);
        columns = arena->columns[p.row];
    }
    p.column = (unsigned)__builtin_ctz(columns);
    return rvi_container_of(rvi_list_first(&arena->free[p.row][p.column]), struct rvi_piece, link);
}

/* Leave `units` to a piece that is on no list; the rest becomes a free piece behind it, whose
 * neighbour is taken. Errors: -ENOMEM, and nothing has happened. */
static int cut(struct rvi_arena *arena, struct rvi_piece *piece, uint32_t units)
{
    if (piece->units == units)
        return 0;
    struct rvi_piece *rest = rvi_alloc(sizeof(*rest));
    if (!rest)
        return -ENOMEM;
    *rest = (struct rvi_piece){
        .at = piece->at + units,
        .units = piece->units - units,
        .before = piece,
        .after = piece->after,
    };
    if (rest->after)
        rest->after->before = rest;
    piece->after = rest;
    piece->units = units;
    put_on_list(arena, rest);
    return 0;
}

/* Let a piece have what the next one has. */
static void swallow_next(struct rvi_piece *piece)
{
    struct rvi_piece *next = piece->after;

    piece->units += next->units;
    piece->after = next->after;
    if (piece->after)
        piece->after->before = piece;
    rvi_free(next);
}

static bool is_free(const struct rvi_piece *piece)
{
    return piece && rvi_link_is_linked(&piece->link);
}

int rvi_arena_init(struct rvi_arena *arena, size_t bytes)
{
    size_t units = bytes / RVI_ARENA_UNIT;

    RV_DCHECK(units > 0);
    *arena = (struct rvi_arena){.units = units < UINT32_MAX ? units : UINT32_MAX};
    for (unsigned row = 0; row < RVI_ARENA_ROWS; row++)
        for (unsigned column = 0; column < RVI_ARENA_COLUMNS; column++)
            rvi_list_init(&arena->free[row][column]);
    arena->first = rvi_calloc(1, sizeof(*arena->first));
    if (!arena->first)
        return -ENOMEM;
    arena->first->units = (uint32_t)arena->units;
    put_on_list(arena, arena->first);
    return 0;
}

void rvi_arena_fini(struct rvi_arena *arena)
{
    struct rvi_piece *piece = arena->first;

    while (piece) {
        struct rvi_piece *after = piece->after;
        rvi_free(piece);
        piece = after;
    }
    *arena = (struct rvi_arena){0};
}

int rvi_arena_take(struct rvi_arena *arena, size_t bytes, struct rvi_piece **ret)
{
    size_t units = bytes / RVI_ARENA_UNIT + (bytes % RVI_ARENA_UNIT != 0);

    RV_DCHECK(bytes > 0);
    if (units > arena->units)
        return -EMSGSIZE;
    uint32_t rounded = rounded_up((uint32_t)units);
    if (rounded == 0 || rounded > arena->units)
        rounded = (uint32_t)arena->units; /* the whole range is on the list where this begins */
    struct rvi_piece *piece = find(arena, rounded);
    if (!piece || piece->units < units)
        return -ENOSPC;
    take_off_list(arena, piece);
    int r = cut(arena, piece, (uint32_t)units);
    if (r < 0) {
        put_on_list(arena, piece);
        return r;
    }
    arena->taken += units;
    RV_DCHECK_SLOW(rvi_arena_is_valid(arena));
    *ret = piece;
    return 0;
}

void rvi_arena_give(struct rvi_arena *arena, struct rvi_piece *piece)
{
    if (!piece)
        return;
    RV_DCHECK(!is_free(piece));
    arena->taken -= piece->units;
    if (is_free(piece->after)) {
        take_off_list(arena, piece->after);
        swallow_next(piece);
    }
    if (is_free(piece->before)) {
        piece = piece->before;
        take_off_list(arena, piece);
        swallow_next(piece);
    }
    put_on_list(arena, piece);
    RV_DCHECK_SLOW(rvi_arena_is_valid(arena));
}

/* A1 and A2, and that `taken` is right; counts what is free. */
static bool range_is_valid(const struct rvi_arena *arena, size_t *free_pieces)
{
    const struct rvi_piece *before = NULL, *piece = arena->first;
    size_t at = 0, taken = 0;

    for (; piece; before = piece, piece = piece->after) {
        if (piece->before != before || piece->at != at || piece->units == 0)
            return false;
        if (is_free(before) && is_free(piece))
            return false;
        *free_pieces += is_free(piece);
        taken += is_free(piece) ? 0 : piece->units;
        at += piece->units;
    }
    return at == arena->units && taken == arena->taken;
}

/* A3 for one list; counts what is on it. */
static bool list_is_valid(const struct rvi_arena *arena, unsigned row, unsigned column,
                          size_t *free_pieces)
{
    const struct rvi_list *list = &arena->free[row][column];
    bool has_bit = arena->columns[row] >> column & 1;

    RVI_LIST_FOREACH(it, list) {
        const struct rvi_piece *piece = rvi_container_of(it, struct rvi_piece, link);
        struct place p = place_of(piece->units);
        if (p.row != row || p.column != column)
            return false;
        ++*free_pieces;
    }
    return has_bit == !rvi_list_is_empty(list) &&
           (arena->rows >> row & 1) == (arena->columns[row] != 0);
}

bool rvi_arena_is_valid(const struct rvi_arena *arena)
{
    size_t in_range = 0, on_lists = 0;

    for (unsigned row = 0; row < RVI_ARENA_ROWS; row++)
        for (unsigned column = 0; column < RVI_ARENA_COLUMNS; column++)
            if (!list_is_valid(arena, row, column, &on_lists))
                return false;
    return range_is_valid(arena, &in_range) && in_range == on_lists;
}
