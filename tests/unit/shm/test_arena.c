/* SPDX-License-Identifier: MIT */
/* test_arena.c - pieces never overlap, none is lost, and what is free can be had. */
#include "shm/arena.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/rng.h"

static struct rvi_arena arena;

static void make(size_t units)
{
    assert_int_equal(rvi_arena_init(&arena, units * RVI_ARENA_UNIT), 0);
    assert_true(rvi_arena_is_valid(&arena));
}

static struct rvi_piece *take(size_t units)
{
    struct rvi_piece *piece = NULL;
    int r = rvi_arena_take(&arena, units * RVI_ARENA_UNIT, &piece);
    assert_true(rvi_arena_is_valid(&arena));
    assert_true(r == 0 || r == -ENOSPC);
    return piece;
}

static void give(struct rvi_piece *piece)
{
    rvi_arena_give(&arena, piece);
    assert_true(rvi_arena_is_valid(&arena));
}

static void all_of_it_can_be_had_as_one(void **state)
{
    (void)state;
    for (size_t units = 1; units < 300; units += 1 + units / 9) {
        make(units);
        struct rvi_piece *piece = take(units);
        assert_non_null(piece);
        assert_int_equal(rvi_piece_at(piece), 0);
        assert_null(take(1));
        give(piece);
        assert_non_null(take(units));
        rvi_arena_fini(&arena);
    }
}

static void pieces_are_whole_lines(void **state)
{
    (void)state;
    struct rvi_piece *a, *b;
    make(100);
    assert_int_equal(rvi_arena_take(&arena, 1, &a), 0);
    assert_int_equal(rvi_arena_take(&arena, RVI_ARENA_UNIT + 1, &b), 0);
    assert_int_equal(rvi_piece_at(a) % RVI_ARENA_UNIT, 0);
    assert_int_equal(rvi_piece_at(b) % RVI_ARENA_UNIT, 0);
    assert_int_equal(arena.taken, 3);
    rvi_arena_fini(&arena);
}

static void neighbours_grow_together_in_any_order(void **state)
{
    (void)state;
    const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (size_t i = 0; i < 6; i++) {
        struct rvi_piece *pieces[3];
        make(30);
        for (size_t k = 0; k < 3; k++)
            assert_non_null(pieces[k] = take(10));
        for (size_t k = 0; k < 3; k++)
            give(pieces[orders[i][k]]);
        assert_int_equal(arena.taken, 0);
        assert_ptr_equal(arena.first->after, NULL);
        rvi_arena_fini(&arena);
    }
}

static void what_cannot_be_is_told_from_what_cannot_be_now(void **state)
{
    (void)state;
    struct rvi_piece *piece = NULL;
    make(10);
    assert_int_equal(rvi_arena_take(&arena, 10 * RVI_ARENA_UNIT + 1, &piece), -EMSGSIZE);
    assert_int_equal(rvi_arena_take(&arena, SIZE_MAX, &piece), -EMSGSIZE);
    assert_non_null(take(1));
    assert_int_equal(rvi_arena_take(&arena, 10 * RVI_ARENA_UNIT, &piece), -ENOSPC);
    assert_null(piece);
    rvi_arena_give(&arena, NULL);
    rvi_arena_fini(&arena);
}

static void ranges_of_any_size_can_be_described(void **state)
{
    (void)state;
    struct rvi_piece *piece;
    assert_int_equal(rvi_arena_init(&arena, SIZE_MAX), 0);
    assert_int_equal(arena.units, UINT32_MAX);
    assert_int_equal(rvi_arena_take(&arena, (size_t)UINT32_MAX * RVI_ARENA_UNIT, &piece), 0);
    give(piece);
    assert_int_equal(rvi_arena_take(&arena, (size_t)1 << 37, &piece), 0);
    assert_true(rvi_arena_is_valid(&arena));
    rvi_arena_fini(&arena);
}

static void without_memory_nothing_changes(void **state)
{
    (void)state;
    struct rvi_piece *piece = NULL;
    long before = rvi_alloc_live();
    rvi_alloc_fail_after(1);
    assert_int_equal(rvi_arena_init(&arena, 1000), -ENOMEM);
    make(10);
    rvi_alloc_fail_after(1);
    assert_int_equal(rvi_arena_take(&arena, 1, &piece), -ENOMEM);
    rvi_alloc_fail_after(-1);
    assert_true(rvi_arena_is_valid(&arena));
    assert_non_null(take(10));
    rvi_arena_fini(&arena);
    assert_int_equal(rvi_alloc_live(), before);
}

/* --- against a model: who has which unit --- */

enum { UNITS = 500, MOST = 60 };

struct play {
    struct rvi_rng rng;
    struct rvi_piece *pieces[MOST]; /* NULL: not taken */
    bool has[UNITS];
};

static void mark(struct play *p, const struct rvi_piece *piece, bool is_taken)
{
    assert_true(piece->at + piece->units <= UNITS);
    for (size_t i = piece->at; i < piece->at + piece->units; i++) {
        assert_int_equal(p->has[i], !is_taken);
        p->has[i] = is_taken;
    }
}

static size_t longest_gap(const struct play *p)
{
    size_t longest = 0, length = 0;
    for (size_t i = 0; i < UNITS; i++) {
        length = p->has[i] ? 0 : length + 1;
        longest = length > longest ? length : longest;
    }
    return longest;
}

/* Some are long, most are short. What is refused would not fit, or only just. */
static void play_take(struct play *p, struct rvi_piece **place)
{
    size_t units = 1 + rvi_rng_below(&p->rng, rvi_rng_below(&p->rng, 8) ? 12 : UNITS / 2);
    *place = take(units);
    if (*place) {
        assert_int_equal((*place)->units, units);
        mark(p, *place, true);
    } else {
        assert_true(longest_gap(p) < units + units / 8 + 1);
    }
}

static void play(uint64_t seed)
{
    static struct play p;
    memset(&p, 0, sizeof(p));
    rvi_rng_seed(&p.rng, seed);
    make(UNITS);
    for (int step = 0; step < 300; step++) {
        struct rvi_piece **place = &p.pieces[rvi_rng_below(&p.rng, MOST)];
        if (*place) {
            mark(&p, *place, false);
            give(*place);
            *place = NULL;
        } else {
            play_take(&p, place);
        }
    }
    rvi_arena_fini(&arena);
}

static void any_order_of_takes_and_gives_is_as_in_the_model(void **state)
{
    (void)state;
    long before = rvi_alloc_live();
    for (uint64_t seed = 1; seed <= 20; seed++)
        play(seed);
    assert_int_equal(rvi_alloc_live(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_it_can_be_had_as_one),
        cmocka_unit_test(pieces_are_whole_lines),
        cmocka_unit_test(neighbours_grow_together_in_any_order),
        cmocka_unit_test(what_cannot_be_is_told_from_what_cannot_be_now),
        cmocka_unit_test(ranges_of_any_size_can_be_described),
        cmocka_unit_test(without_memory_nothing_changes),
        cmocka_unit_test(any_order_of_takes_and_gives_is_as_in_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
