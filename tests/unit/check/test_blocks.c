/* SPDX-License-Identifier: MIT */
/* test_blocks.c - check/runtime/blocks.c: blocks of all sizes, found, freed, written beside. */
#include "check/runtime/blocks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/rng.h"
#include "check/runtime/heap.h"

static struct ck_block *make(size_t bytes)
{
    bool is_zero;
    struct ck_block *block = ck_block_new(bytes, 1, &is_zero);

    assert_non_null(block);
    return block;
}

/* Sanitizers and valgrind may have other plans for these addresses. */
static bool is_mapped;

static void need_addresses(void)
{
    if (!is_mapped)
        skip();
}

static void every_byte_of_a_block_finds_it(void **state)
{
    need_addresses();
    static const size_t sizes[] = {0, 1, 8, 100, 4000, 4096, 5000, 70000, 1 << 20};
    struct ck_block *blocks[sizeof sizes / sizeof sizes[0]];

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        blocks[i] = make(sizes[i]);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uintptr_t memory = (uintptr_t)ck_block_memory(blocks[i]);
        assert_ptr_equal(ck_block_at((void *)memory), blocks[i]);
        assert_null(ck_block_at((void *)(memory + 16)));
        assert_null(ck_block_at((void *)(memory + 1)));
        for (size_t at = 0; at<sizes[i]; at += sizes[i]> 9999 ? 777 : 1) {
            if (ck_block_around(memory + at) != blocks[i])
                fail_msg("byte %zu of %zu", at, sizes[i]);
        }
    }
    assert_null(ck_block_around(CK_AT_HEAP + CK_HEAP_BYTES - 1));
}

static void blocks_are_aligned(void **state)
{
    need_addresses();
    bool is_zero;

    (void)state;
    for (size_t alignment = 1; alignment <= 1 << 16; alignment *= 2) {
        struct ck_block *block = ck_block_new(24, alignment, &is_zero);
        uintptr_t memory = (uintptr_t)ck_block_memory(block);
        assert_int_equal(memory % alignment, 0);
        assert_int_equal(memory % 16, 0);
        assert_ptr_equal(ck_block_around(memory + 23), block);
    }
    assert_null(ck_block_new(SIZE_MAX, 1, &is_zero));
    assert_null(ck_block_new(1, (size_t)1 << 40, &is_zero));
}

static void a_byte_behind_a_block_is_noticed(void **state)
{
    need_addresses();
    (void)state;
    for (size_t bytes = 0; bytes < 600; bytes++) {
        struct ck_block *block = make(bytes);
        char *memory = ck_block_memory(block);
        memset(memory, 1, bytes);
        assert_true(ck_block_is_whole(block));
        memory[bytes] = 1;
        assert_false(ck_block_is_whole(block));
    }
}

static void a_header_that_was_written_over_is_no_block(void **state)
{
    need_addresses();
    struct ck_block *block = make(8);

    (void)state;
    memset(block, 0, sizeof *block);
    assert_null(ck_block_at(ck_block_memory(block)));
}

static void quarantine_ends_and_the_memory_is_used_again(void **state)
{
    need_addresses();
    struct ck_block *first = make(1000), *again;
    unsigned freed = 1, fresh = 0;
    bool is_zero;

    (void)state;
    ck_block_retire(first);
    assert_int_equal(*(unsigned char *)ck_block_memory(first), 0xdd);
    for (;; freed++) {
        again = ck_block_new(1000, 1, &is_zero);
        if (again == first)
            break;
        fresh += is_zero;
        ck_block_retire(again);
        assert_null(ck_block_release());
        assert_true(freed < 1000);
    }
    assert_false(is_zero);
    assert_int_equal(fresh, freed - 1);
    assert_true(freed > 400);
    assert_int_equal(first->state, CK_BLOCK_IN_USE);
}

static void a_write_to_freed_memory_is_noticed(void **state)
{
    need_addresses();
    struct ck_block *block = make(64), *found = NULL;

    (void)state;
    ck_block_retire(block);
    assert_null(ck_block_spoilt());
    ((char *)ck_block_memory(block))[63] = 0;
    assert_ptr_equal(ck_block_spoilt(), block);
    for (unsigned i = 0; i < 1000 && !found; i++) {
        ck_block_retire(make(2000));
        found = ck_block_release();
    }
    assert_ptr_equal(found, block);
    assert_null(ck_block_spoilt());
}

static void shrinking_keeps_its_place_and_growing_does_not(void **state)
{
    need_addresses();
    struct ck_block *block = make(60);

    (void)state;
    assert_true(ck_block_resize(block, 57));
    assert_true(ck_block_is_whole(block));
    assert_int_equal(block->bytes, 57);
    assert_false(ck_block_resize(block, 58));
    assert_false(ck_block_resize(block, 1));
}

static void blocks_do_not_overlap(void **state)
{
    need_addresses();
    enum { LIVE = 200 };
    struct ck_block *live[LIVE] = {0};
    struct rvi_rng rng;

    (void)state;
    rvi_rng_seed(&rng, 7);
    for (unsigned i = 0; i < 20000; i++) {
        unsigned at = (unsigned)(rvi_rng_next(&rng) % LIVE);
        if (live[at]) {
            const unsigned char *memory = ck_block_memory(live[at]);
            for (size_t b = 0; b < live[at]->bytes; b++)
                assert_int_equal(memory[b], at);
            assert_true(ck_block_is_whole(live[at]));
            ck_block_retire(live[at]);
            assert_null(ck_block_release());
        }
        live[at] = make(rvi_rng_next(&rng) % (i % 50 ? 200 : 9000));
        memset(ck_block_memory(live[at]), (int)at, live[at]->bytes);
    }
}

static int map(void **state)
{
    (void)state;
    is_mapped = !RVI_TSAN && ck_blocks_map();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_of_a_block_finds_it),
        cmocka_unit_test(blocks_are_aligned),
        cmocka_unit_test(a_byte_behind_a_block_is_noticed),
        cmocka_unit_test(a_header_that_was_written_over_is_no_block),
        cmocka_unit_test(quarantine_ends_and_the_memory_is_used_again),
        cmocka_unit_test(a_write_to_freed_memory_is_noticed),
        cmocka_unit_test(shrinking_keeps_its_place_and_growing_does_not),
        cmocka_unit_test(blocks_do_not_overlap),
    };

    return cmocka_run_group_tests(tests, map, NULL);
}
