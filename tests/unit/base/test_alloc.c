/* SPDX-License-Identifier: MIT */
/* test_alloc.c - the seam for memory: failures on order, the live count. */
#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"

static void calloc_returns_zeroes(void **state)
{
    (void)state;
    unsigned char *memory = rvi_calloc(100, 3);
    assert_non_null(memory);
    for (int i = 0; i < 300; i++)
        assert_int_equal(memory[i], 0);
    rvi_free(memory);
}

static void aligned_memory_is_aligned(void **state)
{
    (void)state;
    for (size_t alignment = 1; alignment <= 4096; alignment *= 2) {
        void *memory = rvi_alloc_aligned(alignment, 100);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % alignment, 0);
        rvi_free(memory);
    }
}

static void realloc_keeps_the_contents(void **state)
{
    (void)state;
    char *memory = rvi_realloc(NULL, 8);
    assert_non_null(memory);
    strcpy(memory, "seven");
    memory = rvi_realloc(memory, 10000);
    assert_non_null(memory);
    assert_string_equal(memory, "seven");
    rvi_free(memory);
}

static void only_the_nth_allocation_fails(void **state)
{
    (void)state;
    for (long n = 1; n <= 4; n++) {
        rvi_alloc_fail_after(n);
        for (long i = 1; i <= 6; i++) {
            void *memory = rvi_alloc(16);
            assert_int_equal(memory == NULL, i == n);
            assert_int_equal(rvi_alloc_fail_pending(), i < n);
            rvi_free(memory);
        }
    }
}

static void every_way_to_allocate_can_fail(void **state)
{
    (void)state;
    rvi_alloc_fail_after(1);
    assert_null(rvi_alloc(1));
    rvi_alloc_fail_after(1);
    assert_null(rvi_calloc(1, 1));
    rvi_alloc_fail_after(1);
    assert_null(rvi_alloc_aligned(64, 64));
    rvi_alloc_fail_after(1);
    assert_null(rvi_realloc(NULL, 1));
}

static void failed_realloc_leaves_the_memory(void **state)
{
    (void)state;
    char *memory = rvi_alloc(8);
    assert_non_null(memory);
    strcpy(memory, "seven");
    rvi_alloc_fail_after(1);
    assert_null(rvi_realloc(memory, 10000));
    assert_string_equal(memory, "seven");
    rvi_free(memory);
}

static void a_failure_can_be_disarmed(void **state)
{
    (void)state;
    rvi_alloc_fail_after(1);
    rvi_alloc_fail_after(-1);
    assert_false(rvi_alloc_fail_pending());
    void *memory = rvi_alloc(1);
    assert_non_null(memory);
    rvi_free(memory);
}

static void live_counts_what_is_not_freed(void **state)
{
    (void)state;
    if (RVI_DEBUG_CHECKS < 1) {
        assert_int_equal(rvi_alloc_live(), -1);
        return;
    }
    long before = rvi_alloc_live();
    void *a = rvi_alloc(1);
    void *b = rvi_calloc(1, 1);
    void *c = rvi_alloc_aligned(64, 1);
    void *d = rvi_realloc(NULL, 1);
    assert_int_equal(rvi_alloc_live(), before + 4);
    d = rvi_realloc(d, 1000);
    assert_int_equal(rvi_alloc_live(), before + 4);
    rvi_free(a);
    rvi_free(b);
    rvi_free(c);
    rvi_free(d);
    rvi_free(NULL);
    assert_int_equal(rvi_alloc_live(), before);
    rvi_alloc_fail_after(1);
    assert_null(rvi_alloc(1));
    assert_int_equal(rvi_alloc_live(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calloc_returns_zeroes),
        cmocka_unit_test(aligned_memory_is_aligned),
        cmocka_unit_test(realloc_keeps_the_contents),
        cmocka_unit_test(only_the_nth_allocation_fails),
        cmocka_unit_test(every_way_to_allocate_can_fail),
        cmocka_unit_test(failed_realloc_leaves_the_memory),
        cmocka_unit_test(a_failure_can_be_disarmed),
        cmocka_unit_test(live_counts_what_is_not_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
