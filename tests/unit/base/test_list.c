/* SPDX-License-Identifier: MIT */
/* test_list.c - the two intrusive lists. */
#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

struct item {
    int number;
    struct rvi_link link;
    struct rvi_qlink qlink;
};

static void fill(struct rvi_list *list, struct item *items, int count)
{
    for (int i = 0; i < count; i++) {
        items[i] = (struct item){.number = i};
        rvi_list_push_back(list, &items[i].link);
    }
}

static int pop_number(struct rvi_list *list)
{
    struct rvi_link *link = rvi_list_pop_front(list);
    return link == NULL ? -1 : rvi_container_of(link, struct item, link)->number;
}

static void new_list_is_empty(void **state)
{
    (void)state;
    struct rvi_list list;
    rvi_list_init(&list);
    assert_true(rvi_list_is_empty(&list));
    assert_null(rvi_list_first(&list));
    assert_null(rvi_list_pop_front(&list));
    assert_true(rvi_list_is_valid(&list));
}

static void push_back_keeps_the_order(void **state)
{
    (void)state;
    struct rvi_list list;
    struct item items[4];
    rvi_list_init(&list);
    fill(&list, items, 4);
    assert_true(rvi_list_is_valid(&list));
    for (int i = 0; i < 4; i++)
        assert_int_equal(pop_number(&list), i);
    assert_int_equal(pop_number(&list), -1);
}

static void push_front_reverses_the_order(void **state)
{
    (void)state;
    struct rvi_list list;
    struct item items[3];
    rvi_list_init(&list);
    for (int i = 0; i < 3; i++) {
        items[i] = (struct item){.number = i};
        rvi_list_push_front(&list, &items[i].link);
        assert_ptr_equal(rvi_list_first(&list), &items[i].link);
    }
    for (int i = 2; i >= 0; i--)
        assert_int_equal(pop_number(&list), i);
}

static void removed_links_are_unlinked(void **state)
{
    (void)state;
    struct rvi_list list;
    struct item items[3];
    rvi_list_init(&list);
    fill(&list, items, 3);
    assert_true(rvi_link_is_linked(&items[1].link));
    rvi_link_remove(&items[1].link);
    assert_false(rvi_link_is_linked(&items[1].link));
    assert_true(rvi_list_is_valid(&list));
    assert_int_equal(pop_number(&list), 0);
    assert_false(rvi_link_is_linked(&items[0].link));
    assert_int_equal(pop_number(&list), 2);
    assert_true(rvi_list_is_empty(&list));
}

static void zeroed_memory_is_an_unlinked_link(void **state)
{
    (void)state;
    struct item item = {0};
    assert_false(rvi_link_is_linked(&item.link));
    rvi_link_init(&item.link);
    assert_false(rvi_link_is_linked(&item.link));
}

static void insert_after_puts_a_link_in_the_middle(void **state)
{
    (void)state;
    struct rvi_list list;
    struct item items[2];
    struct item between = {.number = 7};
    rvi_list_init(&list);
    fill(&list, items, 2);
    rvi_link_insert_after(&items[0].link, &between.link);
    assert_int_equal(pop_number(&list), 0);
    assert_int_equal(pop_number(&list), 7);
    assert_int_equal(pop_number(&list), 1);
}

static void concat_appends_and_empties(void **state)
{
    (void)state;
    struct rvi_list to;
    struct rvi_list from;
    struct item items[3];
    struct item more[2];
    rvi_list_init(&to);
    rvi_list_init(&from);
    fill(&to, items, 3);
    rvi_list_concat(&to, &from);
    fill(&from, more, 2);
    rvi_list_concat(&to, &from);
    assert_true(rvi_list_is_empty(&from));
    assert_true(rvi_list_is_valid(&to));
    const int expected[] = {0, 1, 2, 0, 1, -1};
    for (int i = 0; i < 6; i++)
        assert_int_equal(pop_number(&to), expected[i]);
    fill(&from, more, 2);
    rvi_list_concat(&to, &from);
    assert_int_equal(pop_number(&to), 0);
}

static void foreach_visits_all_in_order(void **state)
{
    (void)state;
    struct rvi_list list;
    struct item items[5];
    rvi_list_init(&list);
    RVI_LIST_FOREACH(link, &list) {
        fail();
    }
    fill(&list, items, 5);
    int next = 0;
    RVI_LIST_FOREACH(link, &list) {
        assert_int_equal(rvi_container_of(link, struct item, link)->number, next++);
    }
    assert_int_equal(next, 5);
}

static void safe_foreach_may_remove_what_it_visits(void **state)
{
    (void)state;
    struct rvi_list list;
    struct item items[6];
    rvi_list_init(&list);
    fill(&list, items, 6);
    RVI_LIST_FOREACH_SAFE(link, &list) {
        if (rvi_container_of(link, struct item, link)->number % 2 == 0)
            rvi_link_remove(link);
    }
    assert_true(rvi_list_is_valid(&list));
    for (int i = 1; i < 6; i += 2)
        assert_int_equal(pop_number(&list), i);
    assert_true(rvi_list_is_empty(&list));
}

static void is_valid_notices_a_broken_ring(void **state)
{
    (void)state;
    struct rvi_list list;
    struct item items[3];
    rvi_list_init(&list);
    fill(&list, items, 3);
    items[1].link.prev = &items[2].link;
    assert_false(rvi_list_is_valid(&list));
}

static int fifo_pop_number(struct rvi_fifo *fifo)
{
    struct rvi_qlink *link = rvi_fifo_pop(fifo);
    assert_true(rvi_fifo_is_valid(fifo));
    return link == NULL ? -1 : rvi_container_of(link, struct item, qlink)->number;
}

static void fifo_fill(struct rvi_fifo *fifo, struct item *items, int count)
{
    for (int i = 0; i < count; i++) {
        items[i] = (struct item){.number = i};
        rvi_fifo_push(fifo, &items[i].qlink);
        assert_true(rvi_fifo_is_valid(fifo));
    }
}

static void fifo_pops_what_was_pushed_first(void **state)
{
    (void)state;
    struct rvi_fifo fifo;
    struct item items[3];
    rvi_fifo_init(&fifo);
    assert_true(rvi_fifo_is_empty(&fifo));
    assert_int_equal(fifo_pop_number(&fifo), -1);
    fifo_fill(&fifo, items, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(fifo_pop_number(&fifo), i);
    assert_true(rvi_fifo_is_empty(&fifo));
}

static void fifo_is_valid_notices_a_wrong_end(void **state)
{
    (void)state;
    struct rvi_fifo fifo;
    struct item items[2];
    rvi_fifo_init(&fifo);
    fifo_fill(&fifo, items, 2);
    fifo.last = fifo.first;
    assert_false(rvi_fifo_is_valid(&fifo));
    fifo.last = NULL;
    assert_false(rvi_fifo_is_valid(&fifo));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_list_is_empty),
        cmocka_unit_test(push_back_keeps_the_order),
        cmocka_unit_test(push_front_reverses_the_order),
        cmocka_unit_test(removed_links_are_unlinked),
        cmocka_unit_test(zeroed_memory_is_an_unlinked_link),
        cmocka_unit_test(insert_after_puts_a_link_in_the_middle),
        cmocka_unit_test(concat_appends_and_empties),
        cmocka_unit_test(foreach_visits_all_in_order),
        cmocka_unit_test(safe_foreach_may_remove_what_it_visits),
        cmocka_unit_test(is_valid_notices_a_broken_ring),
        cmocka_unit_test(fifo_pops_what_was_pushed_first),
        cmocka_unit_test(fifo_is_valid_notices_a_wrong_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
