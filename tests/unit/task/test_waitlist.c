/* SPDX-License-Identifier: MIT */
/* test_waitlist.c - the line itself; what waiting in one means is in the tests of the objects. */
#include "task/waitlist.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { COUNT = 4 };

struct fixture {
    struct rvi_bias lock;
    struct rvi_waitlist list;
    struct rvi_waiter waiters[COUNT];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    return f == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void push_all(struct fixture *f)
{
    for (int i = 0; i < COUNT; i++) {
        rvi_waiter_init(&f->waiters[i]);
        rvi_waitlist_push(&f->list, &f->waiters[i]);
        assert_true(rvi_waitlist_is_valid(&f->list));
    }
}

static void zeroed_memory_is_an_empty_list(void **state)
{
    struct fixture *f = *state;
    assert_true(rvi_waitlist_is_valid(&f->list));
    assert_true(rvi_waitlist_is_empty(&f->list));
    assert_null(rvi_waitlist_pop(&f->list));
    assert_null(rvi_waitlist_take_all(&f->list));
}

static void pop_returns_the_one_that_came_first(void **state)
{
    struct fixture *f = *state;
    push_all(f);
    for (int i = 0; i < COUNT; i++)
        assert_ptr_equal(rvi_waitlist_pop(&f->list), &f->waiters[i]);
    assert_true(rvi_waitlist_is_empty(&f->list));
}

static void remove_works_at_any_place(void **state)
{
    struct fixture *f = *state;
    for (int gone = 0; gone < COUNT; gone++) {
        push_all(f);
        rvi_waitlist_remove(&f->list, &f->waiters[gone]);
        assert_true(rvi_waitlist_is_valid(&f->list));
        for (int i = 0; i < COUNT; i++) {
            if (i != gone)
                assert_ptr_equal(rvi_waitlist_pop(&f->list), &f->waiters[i]);
        }
        assert_true(rvi_waitlist_is_empty(&f->list));
    }
}

static void take_stops_at_what_was_asked_for(void **state)
{
    struct fixture *f = *state;
    struct rvi_link *chain;
    push_all(f);
    assert_int_equal(rvi_waitlist_take(&f->list, 0, &chain), 0);
    assert_null(chain);
    assert_int_equal(rvi_waitlist_take(&f->list, 2, &chain), 2);
    assert_ptr_equal(chain, &f->waiters[0].link);
    assert_ptr_equal(chain->next, &f->waiters[1].link);
    assert_null(chain->next->next);
    assert_true(rvi_waitlist_is_valid(&f->list));
    assert_ptr_equal(rvi_waitlist_pop(&f->list), &f->waiters[2]);
}

static void take_stops_at_the_end_of_the_line(void **state)
{
    struct fixture *f = *state;
    struct rvi_link *chain;
    push_all(f);
    assert_int_equal(rvi_waitlist_take(&f->list, COUNT + 1, &chain), COUNT);
    assert_true(rvi_waitlist_is_empty(&f->list));
    for (int i = 0; i < COUNT; i++, chain = chain->next)
        assert_ptr_equal(chain, &f->waiters[i].link);
    assert_null(chain);
}

static void withdraw_takes_back_only_those_in_line(void **state)
{
    struct fixture *f = *state;
    struct rvi_place place = {&f->lock, &f->list};
    push_all(f);
    assert_true(rvi_waitlist_withdraw(&f->waiters[1], &place));
    assert_false(rvi_waitlist_withdraw(&f->waiters[1], &place));
    struct rvi_link *chain = rvi_waitlist_take_all(&f->list);
    for (int i = 0; i < COUNT; i++)
        assert_false(rvi_waitlist_withdraw(&f->waiters[i], &place));
    assert_ptr_equal(chain->next, &f->waiters[2].link);
}

static void waking_a_chain_wakes_each(void **state)
{
    struct fixture *f = *state;
    push_all(f);
    rvi_chain_wake(rvi_waitlist_take_all(&f->list));
    for (int i = 0; i < COUNT; i++)
        rvi_wait_always(&f->waiters[i], RVI_WHY_NONE); /* returns at once */
}

static void a_list_may_be_copied(void **state)
{
    struct fixture *f = *state;
    push_all(f);
    struct rvi_waitlist copy = f->list;
    assert_ptr_equal(rvi_waitlist_pop(&copy), &f->waiters[0]);
    assert_true(rvi_waitlist_is_valid(&copy));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(zeroed_memory_is_an_empty_list, setup, teardown),
        cmocka_unit_test_setup_teardown(pop_returns_the_one_that_came_first, setup, teardown),
        cmocka_unit_test_setup_teardown(remove_works_at_any_place, setup, teardown),
        cmocka_unit_test_setup_teardown(take_stops_at_what_was_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(take_stops_at_the_end_of_the_line, setup, teardown),
        cmocka_unit_test_setup_teardown(withdraw_takes_back_only_those_in_line, setup, teardown),
        cmocka_unit_test_setup_teardown(waking_a_chain_wakes_each, setup, teardown),
        cmocka_unit_test_setup_teardown(a_list_may_be_copied, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
