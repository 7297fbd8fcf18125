/* SPDX-License-Identifier: MIT */
/* test_deque.c - the deque's contract, one thread playing owner and thief in turn.
 * What only several threads can show is in tests/stress/stress_deque.c. */
#include "queue/deque.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/rng.h"

enum { FIRST_CAPACITY = 64, MANY = 1000 };

static int numbers[MANY];

struct fixture {
    struct rvi_deque deque;
};

static int setup(void **state)
{
    rvi_fence_asym_init();
    struct fixture *fixture = rvi_alloc_aligned(RVI_CACHE_LINE, sizeof(*fixture));
    *state = fixture;
    if (fixture == NULL)
        return -1;
    memset(fixture, 0, sizeof(*fixture)); /* its padding too: tests compare whole structures */
    return rvi_deque_init(&fixture->deque);
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    while (rvi_deque_pop(&fixture->deque) != NULL)
        continue;
    rvi_deque_fini(&fixture->deque);
    rvi_free(fixture);
    return 0;
}

static struct rvi_deque *deque_of(void **state)
{
    struct fixture *fixture = *state;
    return &fixture->deque;
}

static void push_numbers(struct rvi_deque *deque, int begin, int end)
{
    for (int i = begin; i < end; i++) {
        assert_int_equal(rvi_deque_push(deque, &numbers[i]), 0);
        assert_true(rvi_deque_is_valid(deque));
    }
}

static int number_of(void *item)
{
    return item == NULL ? -1 : (int)((int *)item - numbers);
}

static int pop_number(struct rvi_deque *deque)
{
    int number = number_of(rvi_deque_pop(deque));
    assert_true(rvi_deque_is_valid(deque));
    return number;
}

static void new_deque_is_empty(void **state)
{
    struct rvi_deque *deque = deque_of(state);
    void *item;
    assert_true(rvi_deque_looks_empty(deque));
    assert_int_equal(rvi_deque_count(deque), 0);
    assert_null(rvi_deque_pop(deque));
    assert_null(rvi_deque_pop_oldest(deque));
    assert_int_equal(rvi_deque_steal(deque, &item, 1), 0);
    assert_true(rvi_deque_is_valid(deque));
}

static void pop_returns_the_newest(void **state)
{
    struct rvi_deque *deque = deque_of(state);
    push_numbers(deque, 0, 5);
    assert_int_equal(rvi_deque_count(deque), 5);
    for (int i = 4; i >= 0; i--)
        assert_int_equal(pop_number(deque), i);
    assert_int_equal(pop_number(deque), -1);
    assert_int_equal(pop_number(deque), -1);
    assert_int_equal(rvi_deque_count(deque), 0);
}

static void pop_oldest_returns_the_oldest(void **state)
{
    struct rvi_deque *deque = deque_of(state);
    push_numbers(deque, 0, 5);
    assert_int_equal(number_of(rvi_deque_pop_oldest(deque)), 0);
    assert_true(rvi_deque_is_valid(deque));
    assert_int_equal(pop_number(deque), 4);
    assert_int_equal(number_of(rvi_deque_pop_oldest(deque)), 1);
    assert_int_equal(number_of(rvi_deque_pop_oldest(deque)), 2);
    assert_int_equal(number_of(rvi_deque_pop_oldest(deque)), 3);
    assert_null(rvi_deque_pop_oldest(deque));
    assert_true(rvi_deque_is_valid(deque));
}

static void push_follows_pops_of_an_empty_deque(void **state)
{
    struct rvi_deque *deque = deque_of(state);
    for (int i = 0; i < 3 * FIRST_CAPACITY; i++) {
        assert_int_equal(pop_number(deque), -1);
        push_numbers(deque, i, i + 1);
        assert_int_equal(pop_number(deque), i);
    }
}

static void steal_takes_the_oldest_in_order(void **state)
{
    struct rvi_deque *deque = deque_of(state);
    void *items[8];
    push_numbers(deque, 0, 16);
    size_t count = rvi_deque_steal(deque, items, 8);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(number_of(items[i]), (int)i);
    assert_int_equal(rvi_deque_count(deque), 16 - count);
    assert_true(rvi_deque_is_valid(deque));
}

static void steal_takes_at_most_half_rounded_up(void **state)
{
    struct rvi_deque *deque = deque_of(state);
    void *items[MANY];
    for (size_t there = 1; there < 50; there++) {
        push_numbers(deque, 0, (int)there);
        size_t count = rvi_deque_steal(deque, items, MANY);
        assert_in_range(count, 1, (there + 1) / 2);
        while (rvi_deque_pop(deque) != NULL)
            continue;
    }
}

static void steal_respects_the_maximum(void **state)
{
    struct rvi_deque *deque = deque_of(state);
    void *items[3] = {NULL, NULL, NULL};
    push_numbers(deque, 0, 40);
    assert_int_equal(rvi_deque_steal(deque, items, 2), 2);
    assert_null(items[2]);
    assert_int_equal(rvi_deque_steal(deque, items, 0), 0);
    assert_int_equal(rvi_deque_steal(deque, items, 1), 1);
    assert_int_equal(number_of(items[0]), 2);
}

static void repeated_steals_take_everything(void **state)
{
    struct rvi_deque *deque = deque_of(state);
    void *item;
    push_numbers(deque, 0, 20);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(rvi_deque_steal(deque, &item, 1), 1);
        assert_int_equal(number_of(item), i);
        assert_true(rvi_deque_is_valid(deque));
    }
    assert_int_equal(rvi_deque_steal(deque, &item, 1), 0);
    assert_int_equal(pop_number(deque), -1);
}

static void pop_brings_public_items_back(void **state)
{
    struct rvi_deque *deque = deque_of(state);
    void *item;
    push_numbers(deque, 0, 20);
    assert_int_equal(rvi_deque_steal(deque, &item, 1), 1);
    for (int i = 19; i >= 1; i--)
        assert_int_equal(pop_number(deque), i);
    assert_int_equal(pop_number(deque), -1);
}

static void steal_gives_up_when_the_lock_is_taken(void **state)
{
    struct rvi_deque *deque = deque_of(state);
    void *item;
    push_numbers(deque, 0, 2);
    rvi_lock_acquire(&deque->lock);
    assert_int_equal(rvi_deque_steal(deque, &item, 1), 0);
    rvi_lock_release(&deque->lock);
    assert_int_equal(rvi_deque_steal(deque, &item, 1), 1);
}

static void owner_keeps_off_the_lock_while_items_are_private(void **state)
{
    struct rvi_deque *deque = deque_of(state);
    rvi_lock_acquire(&deque->lock);
    assert_null(rvi_deque_pop(deque));
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < FIRST_CAPACITY; i++)
            assert_int_equal(rvi_deque_push(deque, &numbers[i]), 0);
        for (int i = FIRST_CAPACITY - 1; i >= 0; i--)
            assert_int_equal(number_of(rvi_deque_pop(deque)), i);
    }
    assert_null(rvi_deque_pop_oldest(deque));
    rvi_lock_release(&deque->lock);
}

static void growth_keeps_the_items(void **state)
{
    struct rvi_deque *deque = deque_of(state);
    void *items[10];
    push_numbers(deque, 0, 30);
    assert_int_equal(rvi_deque_steal(deque, items, 7), 7);
    push_numbers(deque, 30, MANY);
    assert_int_equal(rvi_deque_count(deque), MANY - 7);
    assert_int_equal(number_of(rvi_deque_pop_oldest(deque)), 7);
    for (int i = MANY - 1; i > 7; i--)
        assert_int_equal(pop_number(deque), i);
    assert_int_equal(pop_number(deque), -1);
}

static void room_made_by_thieves_is_used_before_growing(void **state)
{
    struct rvi_deque *deque = deque_of(state);
    for (int i = 0; i < 10 * FIRST_CAPACITY; i++) {
        push_numbers(deque, i, i + 1);
        if (i >= FIRST_CAPACITY / 2)
            assert_int_equal(number_of(rvi_deque_pop_oldest(deque)), i - FIRST_CAPACITY / 2);
    }
    assert_int_equal(deque->mask, FIRST_CAPACITY - 1);
}

static void failed_growth_changes_nothing(void **state)
{
    struct rvi_deque *deque = deque_of(state);
    push_numbers(deque, 0, FIRST_CAPACITY);
    struct rvi_deque before;
    void *slots[FIRST_CAPACITY];
    memcpy(&before, deque, sizeof(before));
    memcpy(slots, deque->slots, sizeof(slots));

    rvi_alloc_fail_after(1);
    assert_int_equal(rvi_deque_push(deque, &numbers[FIRST_CAPACITY]), -ENOMEM);
    assert_false(rvi_alloc_fail_pending());
    assert_memory_equal(deque, &before, sizeof(before));
    assert_memory_equal(deque->slots, slots, sizeof(slots));
    assert_true(rvi_deque_is_valid(deque));

    push_numbers(deque, FIRST_CAPACITY, FIRST_CAPACITY + 1);
    for (int i = FIRST_CAPACITY; i >= 0; i--)
        assert_int_equal(pop_number(deque), i);
}

static void without_memory_the_last_room_is_used(void **state)
{
    struct rvi_deque *deque = deque_of(state);
    push_numbers(deque, 0, FIRST_CAPACITY);
    assert_int_equal(number_of(rvi_deque_pop_oldest(deque)), 0);
    rvi_alloc_fail_after(1);
    push_numbers(deque, FIRST_CAPACITY, FIRST_CAPACITY + 1);
    assert_false(rvi_alloc_fail_pending());
    assert_int_equal(rvi_deque_count(deque), FIRST_CAPACITY);
}

static void init_reports_want_of_memory(void **state)
{
    (void)state;
    static struct rvi_deque deque;
    rvi_alloc_fail_after(1);
    assert_int_equal(rvi_deque_init(&deque), -ENOMEM);
}

/* The reference is an array with two ends. */
static void random_use_agrees_with_an_array(void **state)
{
    struct rvi_deque *deque = deque_of(state);
    static int expected[20000];
    int first = 0;
    int last = 0;
    struct rvi_rng rng;
    rvi_rng_seed(&rng, 1);
    for (int step = 0; step < 20000; step++) {
        void *items[4];
        uint64_t choice = rvi_rng_below(&rng, 10);
        if (choice < 5) {
            int number = (int)rvi_rng_below(&rng, MANY);
            expected[last++] = number;
            assert_int_equal(rvi_deque_push(deque, &numbers[number]), 0);
        } else if (choice < 8) {
            assert_int_equal(pop_number(deque), first < last ? expected[--last] : -1);
        } else if (choice < 9) {
            int number = number_of(rvi_deque_pop_oldest(deque));
            assert_int_equal(number, first < last ? expected[first++] : -1);
        } else {
            size_t count = rvi_deque_steal(deque, items, 4);
            assert_true(count > 0 || first == last);
            for (size_t i = 0; i < count; i++)
                assert_int_equal(number_of(items[i]), expected[first++]);
        }
        assert_int_equal(rvi_deque_count(deque), last - first);
        assert_int_equal(rvi_deque_looks_empty(deque), first == last);
        assert_true(rvi_deque_is_valid(deque));
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(new_deque_is_empty),
        TEST(pop_returns_the_newest),
        TEST(pop_oldest_returns_the_oldest),
        TEST(push_follows_pops_of_an_empty_deque),
        TEST(steal_takes_the_oldest_in_order),
        TEST(steal_takes_at_most_half_rounded_up),
        TEST(steal_respects_the_maximum),
        TEST(repeated_steals_take_everything),
        TEST(pop_brings_public_items_back),
        TEST(steal_gives_up_when_the_lock_is_taken),
        TEST(owner_keeps_off_the_lock_while_items_are_private),
        TEST(growth_keeps_the_items),
        TEST(room_made_by_thieves_is_used_before_growing),
        TEST(failed_growth_changes_nothing),
        TEST(without_memory_the_last_room_is_used),
        cmocka_unit_test(init_reports_want_of_memory),
        TEST(random_use_agrees_with_an_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
