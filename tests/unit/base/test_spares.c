/* SPDX-License-Identifier: MIT */
/* test_spares.c - blocks that are kept: the last one first, no more than the bound, none while a
 * failure is armed. */
#include "base/spares.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BYTES = 100 };

static void *block_new(void)
{
    void *block = rvi_alloc(BYTES);
    assert_non_null(block);
    memset(block, 0xa5, BYTES);
    return block;
}

static void an_empty_one_leaves_the_allocation_to_the_caller(void **state)
{
    struct rvi_spares spares = {0};
    (void)state;
    assert_null(rvi_spares_take(&spares));
    rvi_spares_fini(&spares);
}

/* As the users of spares do. */
static void give(struct rvi_spares *spares, void *block)
{
    if (!rvi_spares_keep(spares, block))
        rvi_free(block);
}

static void the_last_one_given_is_taken_first(void **state)
{
    struct rvi_spares spares = {0};
    (void)state;
    if (RVI_SPARES_MOST == 0)
        skip();
    void *a = block_new(), *b = block_new();
    assert_true(rvi_spares_keep(&spares, a));
    assert_true(rvi_spares_keep(&spares, b));
    assert_ptr_equal(rvi_spares_take(&spares), b);
    assert_ptr_equal(rvi_spares_take(&spares), a);
    assert_null(rvi_spares_take(&spares));
    rvi_free(a);
    rvi_free(b);
}

static void an_armed_failure_passes_by_what_is_kept(void **state)
{
    struct rvi_spares spares = {0};
    (void)state;
    give(&spares, block_new());
    rvi_alloc_fail_after(1);
    assert_null(rvi_spares_take(&spares));
    assert_null(rvi_alloc(BYTES));
    void *kept = rvi_spares_take(&spares);
    assert_int_equal(kept != NULL, RVI_SPARES_MOST > 0);
    rvi_free(kept);
    rvi_spares_fini(&spares);
}

static void more_than_the_bound_is_freed_and_the_rest_at_the_end(void **state)
{
    enum { MANY = RVI_SPARES_MOST + 10 };
    struct rvi_spares spares = {0};
    static void *blocks[MANY];
    long before = rvi_alloc_live();
    (void)state;
    for (int i = 0; i < MANY; i++)
        blocks[i] = block_new();
    for (int i = 0; i < MANY; i++)
        give(&spares, blocks[i]);
    assert_int_equal(spares.count, RVI_SPARES_MOST);
    if (before >= 0)
        assert_int_equal(rvi_alloc_live(), before + RVI_SPARES_MOST);
    rvi_spares_fini(&spares);
    assert_int_equal(rvi_alloc_live(), before);
}

static void one_that_forgoes_keeps_nothing(void **state)
{
    struct rvi_spares spares = {0};
    (void)state;
    rvi_spares_forgo(&spares);
    void *block = block_new();
    assert_false(rvi_spares_keep(&spares, block));
    assert_null(rvi_spares_take(&spares));
    rvi_free(block);
    rvi_spares_fini(&spares);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_one_leaves_the_allocation_to_the_caller),
        cmocka_unit_test(the_last_one_given_is_taken_first),
        cmocka_unit_test(an_armed_failure_passes_by_what_is_kept),
        cmocka_unit_test(one_that_forgoes_keeps_nothing),
        cmocka_unit_test(more_than_the_bound_is_freed_and_the_rest_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
