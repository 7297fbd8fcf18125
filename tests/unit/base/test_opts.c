/* SPDX-License-Identifier: MIT */
/* test_opts.c - options between callers and libraries of different ages. */
#include "base/opts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct old_opts {
    size_t size;
    int width;
};

struct our_opts {
    size_t size;
    int width;
    int depth;
    long extra;
};

struct new_opts {
    size_t size;
    int width;
    int depth;
    long extra;
    char unheard_of[24];
};

static const struct our_opts dirty = {99, 99, 99, 99};

/* Not inlined: the library never knows what lies behind the address, and so should it be here. */
static __attribute__((noinline)) int copy(struct our_opts *ours, const void *theirs, size_t bytes)
{
    return rvi_opts_copy(ours, sizeof(*ours), theirs, bytes);
}

static void options_of_the_same_age_are_copied(void **state)
{
    struct our_opts theirs = {sizeof(theirs), 1, 2, 3}, ours = dirty;

    (void)state;
    assert_int_equal(copy(&ours, &theirs, theirs.size), 0);
    assert_memory_equal(&ours, &theirs, sizeof(ours));
}

static void a_size_of_zero_means_ours(void **state)
{
    struct our_opts theirs = {0, 1, 2, 3}, ours = dirty;

    (void)state;
    assert_int_equal(copy(&ours, &theirs, theirs.size), 0);
    assert_memory_equal(&ours, &theirs, sizeof(ours));
}

static void no_options_are_the_defaults(void **state)
{
    static const struct our_opts defaults;
    struct our_opts ours = dirty;

    (void)state;
    assert_int_equal(copy(&ours, NULL, 0), 0);
    assert_memory_equal(&ours, &defaults, sizeof(ours));
    ours = dirty;
    assert_int_equal(copy(&ours, NULL, sizeof(ours)), 0);
    assert_memory_equal(&ours, &defaults, sizeof(ours));
}

/* On the heap, so that a sanitizer sees a read behind its end. */
static void fields_that_an_older_caller_lacks_are_zero(void **state)
{
    struct old_opts *theirs = malloc(sizeof(*theirs));
    struct our_opts ours = dirty;

    (void)state;
    assert_non_null(theirs);
    *theirs = (struct old_opts){offsetof(struct old_opts, width) + sizeof(int), 1};
    assert_int_equal(copy(&ours, theirs, theirs->size), 0);
    free(theirs);
    assert_int_equal(ours.width, 1);
    assert_int_equal(ours.depth, 0);
    assert_int_equal(ours.extra, 0);
}

static void a_newer_caller_may_leave_its_fields_zero(void **state)
{
    struct new_opts theirs = {sizeof(theirs), 1, 2, 3, {0}};
    struct our_opts ours = dirty;

    (void)state;
    assert_int_equal(copy(&ours, &theirs, theirs.size), 0);
    assert_int_equal(ours.width, 1);
    assert_int_equal(ours.extra, 3);
}

static void every_unknown_byte_that_is_set_is_too_big(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(((struct new_opts *)NULL)->unheard_of); i++) {
        struct new_opts theirs = {sizeof(theirs), 1, 2, 3, {0}};
        struct our_opts ours = dirty;
        theirs.unheard_of[i] = 1;
        assert_int_equal(copy(&ours, &theirs, theirs.size), -E2BIG);
        assert_memory_equal(&ours, &dirty, sizeof(ours));
    }
}

/* --- the way back --- */

static int give(void *theirs, const struct our_opts *ours)
{
    return rvi_opts_give(theirs, ours, sizeof(*ours), sizeof(struct old_opts));
}

static void a_caller_of_any_age_gets_what_it_knows(void **state)
{
    static const struct our_opts ours = {99, 1, 2, 3};
    struct new_opts theirs;

    (void)state;
    memset(&theirs, 0xff, sizeof(theirs));
    theirs.size = sizeof(struct old_opts);
    assert_int_equal(give(&theirs, &ours), 0);
    assert_int_equal(theirs.size, sizeof(struct old_opts));
    assert_int_equal(theirs.width, 1);
    assert_int_equal(theirs.extra, -1); /* beyond what it knows */

    theirs.size = sizeof(theirs);
    assert_int_equal(give(&theirs, &ours), 0);
    assert_int_equal(theirs.size, sizeof(theirs));
    assert_int_equal(theirs.depth, 2);
    assert_int_equal(theirs.extra, 3);
    for (size_t i = 0; i < sizeof(theirs.unheard_of); i++)
        assert_int_equal(theirs.unheard_of[i], 0);
}

static void a_caller_that_cannot_hold_the_first_fields_gets_nothing(void **state)
{
    static const struct our_opts ours = {99, 1, 2, 3};
    struct our_opts theirs = {sizeof(size_t), 7, 7, 7};

    (void)state;
    assert_int_equal(give(&theirs, &ours), -EINVAL);
    theirs.size = 0;
    assert_int_equal(give(&theirs, &ours), -EINVAL);
    assert_int_equal(theirs.width, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_of_the_same_age_are_copied),
        cmocka_unit_test(a_size_of_zero_means_ours),
        cmocka_unit_test(no_options_are_the_defaults),
        cmocka_unit_test(fields_that_an_older_caller_lacks_are_zero),
        cmocka_unit_test(a_newer_caller_may_leave_its_fields_zero),
        cmocka_unit_test(every_unknown_byte_that_is_set_is_too_big),
        cmocka_unit_test(a_caller_of_any_age_gets_what_it_knows),
        cmocka_unit_test(a_caller_that_cannot_hold_the_first_fields_gets_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
