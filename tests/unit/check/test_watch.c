/* SPDX-License-Identifier: MIT */
/* test_watch.c - check/runtime/watch.c: who waits by reading, and who does not. */
#include "check/runtime/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fakes.h"

static int cells[64];

static int setup(void **state)
{
    (void)state;
    fake_begin();
    ck_watch_open();
    return 0;
}

/* Reads of cell `cell` at place `pc`, until it is told what it is; 0: neither within `most`. */
static int reads_until(unsigned most, unsigned step, bool changes)
{
    bool spins = false;

    for (unsigned i = 0; i < most; i++) {
        int *cell = &cells[i * step % 64];
        if (changes)
            ++*cell;
        if (!ck_watch((uintptr_t)cell, sizeof *cell, false, 0x1000, &spins))
            return -1;
        if (spins)
            return 1;
    }
    return 0;
}

static void reading_the_same_again_and_again_is_spinning(void **state)
{
    (void)state;
    assert_int_equal(reads_until(10, 0, false), 1);
    assert_int_equal(reads_until(10, 0, false), 1); /* and goes on being so */
}

static void reading_what_changes_is_not(void **state)
{
    (void)state;
    assert_int_equal(reads_until(10, 0, true), -1);
}

static void reading_an_array_is_not(void **state)
{
    (void)state;
    assert_int_equal(reads_until(64, 1, false), -1);
}

static void going_round_a_few_cells_is(void **state)
{
    (void)state;
    assert_int_equal(reads_until(64, 16, false), 1);
}

static void writing_is_not(void **state)
{
    bool spins = false;

    (void)state;
    ck_watch((uintptr_t)cells, 4, false, 0x1000, &spins);
    assert_false(ck_watch((uintptr_t)cells, 4, true, 0x1004, &spins));
    assert_false(spins);
}

static void another_thread_is_not_taken_for_the_one_that_is_watched(void **state)
{
    bool spins = false;

    (void)state;
    fake_run(1);
    assert_false(ck_watch((uintptr_t)cells, 4, false, 0x1000, &spins));
    assert_false(spins);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(reading_the_same_again_and_again_is_spinning, setup),
        cmocka_unit_test_setup(reading_what_changes_is_not, setup),
        cmocka_unit_test_setup(reading_an_array_is_not, setup),
        cmocka_unit_test_setup(going_round_a_few_cells_is, setup),
        cmocka_unit_test_setup(writing_is_not, setup),
        cmocka_unit_test_setup(another_thread_is_not_taken_for_the_one_that_is_watched, setup),
    };

    return cmocka_run_group_tests(tests, NULL, fake_end);
}
