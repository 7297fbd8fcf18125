/* SPDX-License-Identifier: MIT */
/* test_learn.c - check/runtime/learn.c: which places are learned, and that a plan's are found
 * again. Places are numbers here: ck_place_of() of the fakes keeps the program counter as the
 * offset. */
#include "check/runtime/learn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "check/runtime/clocks.h"
#include "check/runtime/shadow.h"
#include "fakes.h"

static uintptr_t memory = 0x7f1000000000;
static uint32_t code = 0x1000;

static int setup(void **state)
{
    (void)state;
    memory += 4096;
    code += 4096;
    fake_begin();
    if (!ck_shared)
        ck_shared = calloc(1, sizeof *ck_shared);
    ck_shared->result.seen_count = 0;
    return 0;
}

static int teardown(void **state)
{
    free(ck_shared);
    ck_shared = NULL;
    return fake_end(state);
}

static void touch(uint32_t thread, unsigned bytes, bool is_write, unsigned place)
{
    fake_run(thread);
    ck_learn_touch(memory, bytes, is_write, code + place);
}

static bool is_seen(unsigned place)
{
    for (uint32_t i = 0; i < ck_shared->result.seen_count; i++) {
        if (ck_shared->seen[i].offset == code + place - 1)
            return true;
    }
    return false;
}

static void both_sides_of_a_meeting_are_learned(void **state)
{
    (void)state;
    touch(1, 0xff, true, 1);
    touch(1, 0xff, false, 2);
    touch(2, 0xff, false, 3);
    assert_true(is_seen(1) && is_seen(3));
    assert_false(is_seen(2));
    touch(2, 0xff, true, 4);
    assert_true(is_seen(2) && is_seen(4));
    assert_int_equal(ck_shared->result.seen_count, 4);
}

static void what_locks_order_is_a_meeting(void **state)
{
    struct ck_sync lock = {0};

    (void)state;
    touch(1, 0x0f, true, 1);
    ck_release_store(&lock);
    fake_run(2);
    ck_acquire(&lock);
    touch(2, 0x0f, false, 2);
    assert_int_equal(ck_shared->result.seen_count, 2);
}

static void what_creation_and_join_order_is_none(void **state)
{
    (void)state;
    touch(0, 0xff, true, 1);
    touch(1, 0xff, true, 2);
    fake_join(1);
    touch(0, 0xff, true, 3);
    touch(2, 0xff, false, 4);
    assert_int_equal(ck_shared->result.seen_count, 0);
}

static void readers_and_neighbours_do_not_meet(void **state)
{
    (void)state;
    touch(1, 0xff, false, 1);
    touch(2, 0xff, false, 2);
    touch(1, 0x0f, true, 3);
    assert_int_equal(ck_shared->result.seen_count, 2); /* 2 and 3 */
    touch(3, 0xf0, true, 4);
    assert_false(is_seen(3) && ck_shared->result.seen_count == 2);
}

static void fresh_memory_has_no_history(void **state)
{
    (void)state;
    touch(1, 0xff, true, 1);
    ck_hb_forget(memory, 8);
    touch(2, 0xff, true, 2);
    assert_int_equal(ck_shared->result.seen_count, 0);
}

static void the_places_of_a_plan_are_found(void **state)
{
    enum { COUNT = 1000 };

    (void)state;
    ck_shared->plan.granularity = CK_LEARNED;
    ck_shared->plan.location_count = COUNT;
    ck_shared->module_count = 1;
    ck_shared->modules[0].base = 0x550000000000;
    for (uint32_t i = 0; i < COUNT; i++)
        ck_shared->locations[i] = (struct ck_place){0, 13 * i};
    ck_learn_begin();
    assert_non_null(ck_learned_places);
    for (uint32_t i = 0; i < 13 * COUNT; i++) {
        if (ck_learned(0x550000000000 + i + 1) != (i % 13 == 0))
            fail_msg("offset %u", i);
    }
    ck_learned_places = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(both_sides_of_a_meeting_are_learned, setup),
        cmocka_unit_test_setup(what_locks_order_is_a_meeting, setup),
        cmocka_unit_test_setup(what_creation_and_join_order_is_none, setup),
        cmocka_unit_test_setup(readers_and_neighbours_do_not_meet, setup),
        cmocka_unit_test_setup(fresh_memory_has_no_history, setup),
        cmocka_unit_test_setup(the_places_of_a_plan_are_found, setup),
    };

    return cmocka_run_group_tests(tests, NULL, teardown);
}
