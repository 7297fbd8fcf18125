/* SPDX-License-Identifier: MIT */
/* test_named.c - channels and queues that are given names, and what of it others find. */
#include "task/named.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <ravel.h>

#include "base/alloc.h"
#include "base/check.h"

enum { ROUNDS = 300 };

/* The only one there is; NULL: there is none. */
static const struct rvi_named *only(void)
{
    struct rvi_link *link = rvi_list_first(&rvi_roll);

    if (!link)
        return NULL;
    assert_ptr_equal(link->next, &rvi_roll.head);
    return rvi_container_of(link, struct rvi_named, enrolled.link);
}

static void a_name_is_found_until_the_channel_goes(void **state)
{
    rv_chan *ch;
    long live = rvi_alloc_live();

    (void)state;
    assert_int_equal(rv_chan_new(&ch, 4, 4), 0);
    assert_null(only());
    assert_int_equal(rv_chan_rename(ch, "letters"), 0);
    assert_string_equal(only()->name, "letters");
    assert_ptr_equal(only()->enrolled.thing, ch);
    assert_int_equal(only()->enrolled.kind, RVI_ROLL_CHAN);
    assert_int_equal(rv_chan_rename(ch, "mail"), 0);
    assert_string_equal(only()->name, "mail");
    assert_int_equal(rv_chan_rename(ch, NULL), 0);
    assert_null(only());
    assert_int_equal(rv_chan_rename(ch, "mail"), 0);
    rv_chan_free(ch);
    assert_null(only());
    assert_int_equal(rvi_alloc_live(), live);
}

static void a_queue_has_one_too_wherever_it_is(void **state)
{
    int (*const make[])(rv_queue **, size_t, size_t) = {rv_queue_new, rv_queue_new_shared};
    long live = rvi_alloc_live();
    rv_queue *q;

    (void)state;
    for (int i = 0; i < 2; i++) {
        int r = make[i](&q, 4, 4);
        if (r == -ENOSYS || r == -EPERM)
            continue; /* no shared memory here */
        assert_int_equal(r, 0);
        assert_int_equal(rv_queue_rename(q, "to do"), 0);
        assert_string_equal(only()->name, "to do");
        assert_int_equal(only()->enrolled.kind, RVI_ROLL_QUEUE);
        assert_ptr_equal(only()->enrolled.part, &rvi_queue_layout);
        rv_queue_free(q);
        assert_null(only());
    }
    assert_int_equal(rvi_alloc_live(), live);
}

static void a_long_name_is_cut(void **state)
{
    char name[200];
    rv_chan *ch;

    (void)state;
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_int_equal(rv_chan_new(&ch, 0, 1), 0);
    assert_int_equal(rv_chan_rename(ch, name), 0);
    assert_int_equal(strlen(only()->name), 63);
    rv_chan_free(ch);
}

static void without_memory_it_keeps_the_name_that_it_had(void **state)
{
    rv_chan *ch;

    (void)state;
    assert_int_equal(rv_chan_new(&ch, 4, 4), 0);
    assert_int_equal(rv_chan_rename(ch, "old"), 0);
    rvi_alloc_fail_after(1);
    assert_int_equal(rv_chan_rename(ch, "new"), -ENOMEM);
    assert_false(rvi_alloc_fail_pending());
    assert_string_equal(only()->name, "old");
    rv_chan_free(ch);
}

static void *rename_often(void *arg)
{
    for (int i = 0; i < ROUNDS; i++)
        RV_CHECK(rv_chan_rename(arg, i % 3 ? "this" : NULL) == 0);
    return NULL;
}

static void several_may_name_it_at_a_time(void **state)
{
    long live = rvi_alloc_live();
    pthread_t other;
    rv_chan *ch;

    (void)state;
    assert_int_equal(rv_chan_new(&ch, 4, 4), 0);
    assert_int_equal(pthread_create(&other, NULL, rename_often, ch), 0);
    rename_often(ch);
    assert_int_equal(pthread_join(other, NULL), 0);
    rv_chan_free(ch);
    assert_null(only());
    assert_int_equal(rvi_alloc_live(), live);
}

static void items_are_counted_as_the_table_says(void **state)
{
    static const enum rvi_queue_field fields[] = {RVI_AT_CHAN_CAPACITY, RVI_AT_CHAN_SLOT_BYTES,
                                                  RVI_AT_CHAN_HEAD, RVI_AT_CHAN_TAIL};
    rv_chan *ch;

    (void)state;
    assert_int_equal(rv_chan_new(&ch, 8, 3), 0);
    const uint64_t expected[] = {ch->capacity, ch->slot_bytes, ch->head, ch->tail};
    for (int i = 0; i < 4; i++) {
        const struct rvi_layout_field_at *at = &rvi_queue_layout.fields[fields[i]];
        assert_int_equal(at->bytes, 8);
        assert_memory_equal((const char *)ch + at->offset, &expected[i], 8);
    }
    rv_chan_free(ch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_found_until_the_channel_goes),
        cmocka_unit_test(a_queue_has_one_too_wherever_it_is),
        cmocka_unit_test(a_long_name_is_cut),
        cmocka_unit_test(without_memory_it_keeps_the_name_that_it_had),
        cmocka_unit_test(several_may_name_it_at_a_time),
        cmocka_unit_test(items_are_counted_as_the_table_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
