/* SPDX-License-Identifier: MIT */
/* test_sentence.c - a text grows from the stack to the heap as it needs, and remembers what it
 * lacks. */
#include "io/sentence.h"

#include <errno.h>
#include <string.h>

#include "../sched/sched_test.h"

static void check_text(struct rvi_sentence *s, size_t count, char fill)
{
    assert_int_equal(s->error, 0);
    assert_int_equal(s->count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(s->bytes[i], fill);
}

static void a_short_text_needs_no_memory(void **state)
{
    (void)state;
    struct rvi_sentence s;
    long before = rvi_alloc_live();
    rvi_sentence_init(&s);
    rvi_sentence_add_f(&s, "%s %d", "number", 7);
    rvi_sentence_add(&s, "!", 1);
    assert_memory_equal(s.bytes, "number 7!", 9);
    assert_int_equal(s.count, 9);
    assert_int_equal(rvi_alloc_live(), before);
    rvi_sentence_fini(&s);
}

/* Around the border, and far beyond it; by both ways to add. */
static void a_long_text_is_whole(void **state)
{
    (void)state;
    const size_t counts[] = {RVI_SENTENCE_BYTES - 1, RVI_SENTENCE_BYTES, RVI_SENTENCE_BYTES + 1,
                             100000};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct rvi_sentence s;
        rvi_sentence_init(&s);
        for (size_t left = counts[i]; left > 0; left--)
            rvi_sentence_add(&s, "x", 1);
        check_text(&s, counts[i], 'x');
        rvi_sentence_fini(&s);
        rvi_sentence_init(&s);
        rvi_sentence_add_f(&s, "%0*d", (int)counts[i], 0);
        check_text(&s, counts[i], '0');
        rvi_sentence_fini(&s);
    }
}

static void a_lack_is_remembered_and_the_rest_left_out(void **state)
{
    (void)state;
    struct rvi_sentence s;
    rvi_sentence_init(&s);
    rvi_sentence_add(&s, "begin", 5);
    rvi_alloc_fail_after(1);
    rvi_sentence_add_f(&s, "%0*d", 5000, 0);
    assert_int_equal(s.error, -ENOMEM);
    rvi_sentence_add(&s, "more", 4);
    rvi_sentence_add_f(&s, "more");
    assert_int_equal(s.count, 5);
    rvi_sentence_fini(&s);
}

static void what_cannot_be_formatted_is_an_error(void **state)
{
    (void)state;
    const wchar_t no_character[] = {0x7fffffff, 0};
    struct rvi_sentence s;
    rvi_sentence_init(&s);
    rvi_sentence_add_f(&s, "%ls", no_character);
    assert_int_equal(s.error, -EILSEQ);
    assert_int_equal(s.count, 0);
    rvi_sentence_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_short_text_needs_no_memory),
        cmocka_unit_test(a_long_text_is_whole),
        cmocka_unit_test(a_lack_is_remembered_and_the_rest_left_out),
        cmocka_unit_test(what_cannot_be_formatted_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
