/* SPDX-License-Identifier: MIT */
/* test_races.c - check/runtime/clocks.c, shadow.c and races.c: what races, and what does not. The
 * memory is only addresses; each test has its own, and its own places in code. */
#include "check/runtime/races.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "check/runtime/clocks.h"
#include "check/runtime/hb.h"
#include "fakes.h"

#define PLAIN_READ 0U
#define ATOMIC_READ ((unsigned)CK_ATOMIC_ACCESS)
#define PLAIN_WRITE ((unsigned)CK_WRITES)
#define ATOMIC_WRITE ((unsigned)(CK_WRITES | CK_ATOMIC_ACCESS))

static uintptr_t memory; /* a fresh page for each test */
static uintptr_t code = 0x400000;

static int setup(void **state)
{
    (void)state;
    if (!memory)
        memory = 0x7f0000000000;
    memory += 4096;
    code += 4096;
    fake_begin();
    return 0;
}

static void access(uint32_t thread, unsigned offset, unsigned bytes, unsigned kind, unsigned place)
{
    fake_run(thread);
    ck_race_access(memory + offset, bytes, kind, code + place);
}

/* --- plain accesses --- */

static void two_writes_that_nothing_orders_race(void **state)
{
    (void)state;
    access(1, 0, 4, PLAIN_WRITE, 1);
    access(2, 0, 4, PLAIN_WRITE, 2);
    assert_int_equal(fake_report_count, 1);
    assert_int_equal(fake_reports[0].thread, 2);
    assert_int_equal(fake_reports[0].earlier_thread, 1);
    assert_int_equal(fake_reports[0].address, memory);
    assert_int_equal(fake_reports[0].bytes, 4);
    assert_int_equal(fake_reports[0].pc, code + 1);
    assert_true(fake_reports[0].is_write && fake_reports[0].is_earlier_write);
}

static void a_write_races_with_each_of_many_readers(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 5; i++)
        access(i, 0, 8, PLAIN_READ, i);
    access(6, 0, 8, PLAIN_WRITE, 6);
    assert_int_equal(fake_report_count, 5);
}

static void a_pair_of_places_is_reported_once(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        access(1, 8 * i, 4, PLAIN_WRITE, 1);
        access(2, 8 * i, 4, PLAIN_READ, 2);
        access(2, 8 * i, 4, PLAIN_WRITE, 1);
    }
    assert_int_equal(fake_report_count, 2);
}

static void readers_do_not_race(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 5; i++)
        access(i, 0, 8, PLAIN_READ, i);
    assert_int_equal(fake_report_count, 0);
}

static void neighbouring_bytes_do_not_race(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++)
        access(i + 1, i, 1, PLAIN_WRITE, i);
    access(1, 1, 1, PLAIN_WRITE, 20);
    assert_int_equal(fake_report_count, 1);
    assert_int_equal(fake_reports[0].earlier_thread, 2);
    assert_int_equal(fake_reports[0].address, memory + 1);
}

static void an_access_across_granules_races_in_each(void **state)
{
    (void)state;
    access(1, 8, 1, PLAIN_WRITE, 1);
    access(1, 7, 1, PLAIN_WRITE, 2);
    access(2, 5, 8, PLAIN_READ, 3);
    assert_int_equal(fake_report_count, 2);
}

static void two_halves_of_a_granule_keep_their_places(void **state)
{
    (void)state;
    access(1, 0, 4, PLAIN_WRITE, 1);
    access(1, 4, 4, PLAIN_WRITE, 2);
    access(1, 0, 4, PLAIN_WRITE, 1);
    access(2, 4, 4, PLAIN_READ, 3);
    access(2, 0, 4, PLAIN_READ, 4);
    assert_int_equal(fake_report_count, 2);
    assert_int_equal(fake_reports[0].pc, code + 2);
    assert_int_equal(fake_reports[1].pc, code + 1);
}

static void far_places_and_bytes_in_a_half_keep_their_places(void **state)
{
    (void)state;
    access(1, 0, 4, PLAIN_WRITE, 1);
    access(1, 4, 4, PLAIN_WRITE, 1U << 28);
    access(1, 8, 1, PLAIN_WRITE, 3);
    access(1, 9, 1, PLAIN_WRITE, 4);
    access(2, 0, 16, PLAIN_WRITE, 9);
    assert_int_equal(fake_report_count, 4);
}

static void a_write_by_the_reader_does_not_hide_other_readers(void **state)
{
    (void)state;
    access(1, 0, 4, PLAIN_READ, 1);
    access(2, 0, 4, PLAIN_READ, 2);
    access(1, 0, 4, PLAIN_READ, 3);
    access(1, 0, 4, PLAIN_WRITE, 4);
    assert_int_equal(fake_report_count, 1);
    assert_int_equal(fake_reports[0].earlier_thread, 2);
}

/* --- creation, joining, locks, memory --- */

static void creation_and_join_order(void **state)
{
    (void)state;
    access(0, 0, 8, PLAIN_WRITE, 1);
    access(1, 0, 8, PLAIN_WRITE, 2);
    fake_join(1);
    access(0, 0, 8, PLAIN_WRITE, 3);
    assert_int_equal(fake_report_count, 0);
    access(2, 0, 8, PLAIN_WRITE, 4);
    access(0, 0, 8, PLAIN_READ, 5);
    assert_int_equal(fake_report_count, 1);
}

static void what_the_creator_does_after_creation_races(void **state)
{
    (void)state;
    fake_run(1);
    access(0, 0, 8, PLAIN_WRITE, 1);
    access(1, 0, 8, PLAIN_READ, 2);
    assert_int_equal(fake_report_count, 1);
}

static void what_follows_a_release_is_not_released(void **state)
{
    struct ck_sync lock = {0};

    (void)state;
    access(1, 0, 8, PLAIN_WRITE, 1);
    ck_release_store(&lock);
    access(1, 8, 8, PLAIN_WRITE, 2);
    fake_run(2);
    ck_acquire(&lock);
    access(2, 0, 8, PLAIN_WRITE, 3);
    assert_int_equal(fake_report_count, 0);
    access(2, 8, 8, PLAIN_WRITE, 4);
    assert_int_equal(fake_report_count, 1);
}

static void memory_that_is_forgotten_is_fresh(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++)
        access(i + 1, 8 * i, 8, PLAIN_WRITE, i);
    access(20, 0, 8, PLAIN_READ, 20); /* 1 */
    ck_hb_forget(memory + 8, 48);
    access(20, 8, 48, PLAIN_WRITE, 21);
    assert_int_equal(fake_report_count, 1);
    access(20, 56, 8, PLAIN_WRITE, 22);
    assert_int_equal(fake_report_count, 2);
}

static void part_of_a_granule_is_forgotten(void **state)
{
    (void)state;
    access(1, 0, 8, PLAIN_WRITE, 1);
    ck_hb_forget(memory + 2, 3);
    access(2, 2, 3, PLAIN_WRITE, 2);
    assert_int_equal(fake_report_count, 0);
    access(2, 5, 1, PLAIN_WRITE, 3);
    assert_int_equal(fake_report_count, 1);
}

static void freeing_races_with_use_and_records_nothing(void **state)
{
    (void)state;
    access(1, 64, 4, PLAIN_READ, 1);
    access(2, 0, 1 << 20, PLAIN_WRITE | CK_FREES, 2);
    assert_int_equal(fake_report_count, 1);
    access(1, 0, 8, PLAIN_WRITE, 3);
    assert_int_equal(fake_report_count, 1);
}

static void sharing_is_remembered(void **state)
{
    struct ck_sync lock = {0};

    (void)state;
    access(1, 0, 8, PLAIN_WRITE, 1);
    assert_false(ck_race_is_shared(memory, 8));
    ck_release(&lock);
    fake_run(2);
    assert_true(ck_race_is_shared(memory, 8));
    ck_acquire(&lock);
    access(2, 0, 8, PLAIN_WRITE, 2);
    assert_true(ck_race_is_shared(memory, 64));
    assert_false(ck_race_is_shared(memory + 8, 64));
}

/* --- atomics --- */

static void atomics_do_not_race_with_each_other(void **state)
{
    (void)state;
    access(1, 0, 4, ATOMIC_WRITE, 1);
    access(2, 0, 4, ATOMIC_WRITE, 2);
    access(3, 0, 4, ATOMIC_READ, 3);
    assert_int_equal(fake_report_count, 0);
    access(4, 0, 4, PLAIN_READ, 4);
    assert_int_equal(fake_report_count, 2);
}

static void an_atomic_write_does_not_hide_a_plain_one(void **state)
{
    (void)state;
    access(1, 0, 4, PLAIN_WRITE, 1);
    access(1, 0, 4, ATOMIC_WRITE, 2);
    access(2, 0, 4, ATOMIC_READ, 3);
    assert_int_equal(fake_report_count, 1);
    assert_int_equal(fake_reports[0].pc, code + 1);
}

/* Writes 8 at 64, and hands on by an atomic at 0 in the way that `store` and `load` say. */
static unsigned races_after(void (*store)(struct ck_sync *), void (*load)(struct ck_sync *))
{
    struct ck_sync *at;

    fake_run(1);
    at = ck_shadow_sync(memory);
    ck_race_access(memory + 64, 8, PLAIN_WRITE, code + 100);
    store(at);
    fake_run(2);
    load(at);
    ck_race_access(memory + 64, 8, PLAIN_READ, code + 200);
    return fake_report_count;
}

static void release(struct ck_sync *at)
{
    ck_hb_store(at, true);
}

static void relaxed_store(struct ck_sync *at)
{
    ck_hb_store(at, false);
}

static void fence_and_store(struct ck_sync *at)
{
    ck_hb_fence(false, true);
    ck_hb_store(at, false);
}

static void store_and_fence(struct ck_sync *at)
{
    ck_hb_store(at, false);
    ck_hb_fence(false, true);
}

static void acquire(struct ck_sync *at)
{
    ck_hb_load(at, true);
}

static void relaxed_load(struct ck_sync *at)
{
    ck_hb_load(at, false);
}

static void load_and_fence(struct ck_sync *at)
{
    ck_hb_load(at, false);
    ck_hb_fence(true, false);
}

static void fence_and_load(struct ck_sync *at)
{
    ck_hb_fence(true, false);
    ck_hb_load(at, false);
}

static void release_then_others_modify(struct ck_sync *at)
{
    ck_hb_store(at, true);
    fake_run(3);
    ck_hb_modify(at, false, false);
    fake_run(4);
    ck_hb_modify(at, true, true);
}

static void release_then_another_stores(struct ck_sync *at)
{
    ck_hb_store(at, true);
    fake_run(3);
    ck_hb_store(at, false);
}

static void release_then_the_same_stores(struct ck_sync *at)
{
    ck_hb_store(at, true);
    ck_hb_store(at, false);
}

static void atomics_order_as_c11_says(void **state)
{
    static const struct {
        void (*store)(struct ck_sync *);
        void (*load)(struct ck_sync *);
        unsigned races;
    } cases[] = {
        {release, acquire, 0},
        {release, relaxed_load, 1},
        {relaxed_store, acquire, 1},
        {fence_and_store, acquire, 0},
        {store_and_fence, acquire, 1},
        {release, load_and_fence, 0},
        {release, fence_and_load, 1},
        {fence_and_store, load_and_fence, 0},
        {release_then_others_modify, acquire, 0},
        {release_then_another_stores, acquire, 1},
        {release_then_the_same_stores, acquire, 1},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        setup(state);
        if (races_after(cases[i].store, cases[i].load) != cases[i].races)
            fail_msg("case %zu: %u races", i, fake_report_count);
    }
}

static void what_follows_a_release_fence_is_not_released(void **state)
{
    struct ck_sync *at;

    (void)state;
    fake_run(1);
    at = ck_shadow_sync(memory);
    ck_hb_fence(false, true);
    access(1, 64, 8, PLAIN_WRITE, 1);
    ck_hb_store(at, false);
    fake_run(2);
    ck_hb_load(at, true);
    access(2, 64, 8, PLAIN_READ, 2);
    assert_int_equal(fake_report_count, 1);
}

static void neighbouring_atomics_are_two_objects(void **state)
{
    (void)state;
    fake_run(1);
    assert_ptr_not_equal(ck_shadow_sync(memory), ck_shadow_sync(memory + 4));
    assert_ptr_equal(ck_shadow_sync(memory + 4), ck_shadow_sync_find(memory + 4));
    assert_null(ck_shadow_sync_find(memory + 8));
    ck_hb_forget(memory, 8);
    assert_null(ck_shadow_sync_find(memory));
}

static void a_hundred_threads_are_told_apart(void **state)
{
    struct ck_sync lock = {0};

    (void)state;
    for (unsigned i = 1; i <= 100; i++) {
        fake_run(i);
        ck_acquire(&lock);
        access(i, 0, 8, PLAIN_WRITE, i);
        ck_release_store(&lock);
    }
    assert_int_equal(fake_report_count, 0);
    access(50, 0, 8, PLAIN_READ, 200);
    assert_int_equal(fake_report_count, 1);
    assert_int_equal(fake_reports[0].earlier_thread, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(two_writes_that_nothing_orders_race, setup),
        cmocka_unit_test_setup(a_write_races_with_each_of_many_readers, setup),
        cmocka_unit_test_setup(a_pair_of_places_is_reported_once, setup),
        cmocka_unit_test_setup(readers_do_not_race, setup),
        cmocka_unit_test_setup(neighbouring_bytes_do_not_race, setup),
        cmocka_unit_test_setup(an_access_across_granules_races_in_each, setup),
        cmocka_unit_test_setup(two_halves_of_a_granule_keep_their_places, setup),
        cmocka_unit_test_setup(far_places_and_bytes_in_a_half_keep_their_places, setup),
        cmocka_unit_test_setup(a_write_by_the_reader_does_not_hide_other_readers, setup),
        cmocka_unit_test_setup(creation_and_join_order, setup),
        cmocka_unit_test_setup(what_the_creator_does_after_creation_races, setup),
        cmocka_unit_test_setup(what_follows_a_release_is_not_released, setup),
        cmocka_unit_test_setup(memory_that_is_forgotten_is_fresh, setup),
        cmocka_unit_test_setup(part_of_a_granule_is_forgotten, setup),
        cmocka_unit_test_setup(freeing_races_with_use_and_records_nothing, setup),
        cmocka_unit_test_setup(sharing_is_remembered, setup),
        cmocka_unit_test_setup(atomics_do_not_race_with_each_other, setup),
        cmocka_unit_test_setup(an_atomic_write_does_not_hide_a_plain_one, setup),
        cmocka_unit_test_setup(atomics_order_as_c11_says, setup),
        cmocka_unit_test_setup(what_follows_a_release_fence_is_not_released, setup),
        cmocka_unit_test_setup(neighbouring_atomics_are_two_objects, setup),
        cmocka_unit_test_setup(a_hundred_threads_are_told_apart, setup),
    };

    return cmocka_run_group_tests(tests, NULL, fake_end);
}
