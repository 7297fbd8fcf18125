/* SPDX-License-Identifier: MIT */
/* test_text.c - a text grows, and stays whole without memory for more. */
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"

static void what_is_added_follows_what_is_there(void **state)
{
    (void)state;
    struct rvi_text text = {0};
    rvi_text_add(&text, "%s %d", "one", 1);
    rvi_text_add(&text, ", %s", "two");
    assert_string_equal(text.bytes, "one 1, two");
    assert_int_equal(text.count, strlen("one 1, two"));
    assert_false(text.is_cut);
    rvi_text_fini(&text);
    assert_null(text.bytes);
}

static void it_grows_past_any_size(void **state)
{
    (void)state;
    struct rvi_text text = {0};
    for (int i = 0; i < 10000; i++)
        rvi_text_add(&text, "%9d\n", i);
    assert_int_equal(text.count, 100000);
    assert_string_equal(text.bytes + 99990, "     9999\n");
    rvi_text_fini(&text);
}

static void a_piece_longer_than_the_room_fits(void **state)
{
    (void)state;
    struct rvi_text text = {0};
    rvi_text_add(&text, "%*s", 5000, "x");
    assert_int_equal(text.count, 5000);
    assert_int_equal(text.bytes[4999], 'x');
    rvi_text_fini(&text);
}

static void without_memory_it_keeps_what_it_has_and_says_so(void **state)
{
    (void)state;
    struct rvi_text text = {0};
    rvi_text_add(&text, "kept");
    rvi_alloc_fail_after(1);
    rvi_text_add(&text, "%*s", 5000, "lost");
    assert_false(rvi_alloc_fail_pending());
    assert_true(text.is_cut);
    assert_string_equal(text.bytes, "kept");
    rvi_text_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_added_follows_what_is_there),
        cmocka_unit_test(it_grows_past_any_size),
        cmocka_unit_test(a_piece_longer_than_the_room_fits),
        cmocka_unit_test(without_memory_it_keeps_what_it_has_and_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
