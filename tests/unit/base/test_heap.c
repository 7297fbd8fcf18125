/* SPDX-License-Identifier: MIT */
/* test_heap.c - the heap against what a sort says, its shape, and its want of memory. */
#include "base/heap.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/rng.h"

struct timer {
    uint64_t key;
    struct rvi_heap_node node;
};

static struct timer *timer_of(struct rvi_heap_node *node)
{
    return rvi_container_of(node, struct timer, node);
}

static struct timer *new_timers(size_t count)
{
    struct timer *timers = calloc(count, sizeof(*timers));
    assert_non_null(timers);
    for (size_t i = 0; i < count; i++)
        rvi_heap_node_init(&timers[i].node);
    return timers;
}

static void insert(struct rvi_heap *heap, struct timer *timer, uint64_t key)
{
    timer->key = key;
    assert_int_equal(rvi_heap_insert(heap, &timer->node, key), 0);
}

static void empty_heap_has_no_smallest(void **state)
{
    (void)state;
    struct rvi_heap heap;
    rvi_heap_init(&heap);
    assert_true(rvi_heap_min_key(&heap) == UINT64_MAX);
    assert_null(rvi_heap_pop(&heap));
    assert_true(rvi_heap_is_valid(&heap));
    rvi_heap_fini(&heap);
}

static void pop_returns_keys_in_order(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    struct timer *timers = new_timers(COUNT);
    struct rvi_heap heap;
    struct rvi_rng rng;
    rvi_heap_init(&heap);
    rvi_rng_seed(&rng, 1);
    for (int i = 0; i < COUNT; i++) {
        insert(&heap, &timers[i], rvi_rng_below(&rng, 500));
        assert_true(rvi_heap_is_valid(&heap));
    }
    uint64_t last = 0;
    for (int i = 0; i < COUNT; i++) {
        uint64_t smallest = rvi_heap_min_key(&heap);
        struct timer *timer = timer_of(rvi_heap_pop(&heap));
        assert_true(timer->key == smallest && smallest >= last);
        assert_false(rvi_heap_node_is_in(&timer->node));
        assert_true(rvi_heap_is_valid(&heap));
        last = smallest;
    }
    assert_null(rvi_heap_pop(&heap));
    rvi_heap_fini(&heap);
    free(timers);
}

static void extreme_keys_are_ordered(void **state)
{
    (void)state;
    struct timer *timers = new_timers(3);
    struct rvi_heap heap;
    rvi_heap_init(&heap);
    insert(&heap, &timers[0], UINT64_MAX);
    insert(&heap, &timers[1], 0);
    insert(&heap, &timers[2], INT64_MAX);
    assert_ptr_equal(rvi_heap_pop(&heap), &timers[1].node);
    assert_ptr_equal(rvi_heap_pop(&heap), &timers[2].node);
    assert_ptr_equal(rvi_heap_pop(&heap), &timers[0].node);
    rvi_heap_fini(&heap);
    free(timers);
}

/* A reference that cannot be wrong: look at all. */
static uint64_t smallest_by_looking(const struct timer *timers, size_t count)
{
    uint64_t smallest = UINT64_MAX;
    for (size_t i = 0; i < count; i++) {
        if (rvi_heap_node_is_in(&timers[i].node) && timers[i].key < smallest)
            smallest = timers[i].key;
    }
    return smallest;
}

static void random_inserts_and_removals_agree_with_looking(void **state)
{
    (void)state;
    enum { COUNT = 150, STEPS = 20000 };
    struct timer *timers = new_timers(COUNT);
    struct rvi_heap heap;
    struct rvi_rng rng;
    size_t in = 0;
    rvi_heap_init(&heap);
    rvi_rng_seed(&rng, 2);
    for (int step = 0; step < STEPS; step++) {
        struct timer *timer = &timers[rvi_rng_below(&rng, COUNT)];
        if (!rvi_heap_node_is_in(&timer->node)) {
            insert(&heap, timer, rvi_rng_below(&rng, 1000));
            in++;
        } else if (rvi_rng_below(&rng, 2) == 0) {
            rvi_heap_remove(&heap, &timer->node);
            in--;
        } else {
            (void)rvi_heap_pop(&heap);
            in--;
        }
        assert_int_equal(heap.count, in);
        assert_true(rvi_heap_is_valid(&heap));
        assert_true(rvi_heap_min_key(&heap) == smallest_by_looking(timers, COUNT));
    }
    rvi_heap_fini(&heap);
    free(timers);
}

/* 0 with children 1..4; under 1 come large keys, under 2 small ones: what fills a hole below 1 is
 * from below 2 and has to rise past it. */
static void removal_lets_the_filler_rise(void **state)
{
    (void)state;
    const uint64_t keys[] = {0, 100, 1, 50, 50, 101, 102, 103, 104, 2, 3};
    enum { COUNT = sizeof(keys) / sizeof(keys[0]) };
    struct timer *timers = new_timers(COUNT);
    struct rvi_heap heap;
    rvi_heap_init(&heap);
    for (int i = 0; i < COUNT; i++)
        insert(&heap, &timers[i], keys[i]);
    assert_int_equal(timers[5].node.index, 5);
    rvi_heap_remove(&heap, &timers[5].node);
    assert_true(rvi_heap_is_valid(&heap));
    assert_int_equal(timers[10].node.index, 1);
    rvi_heap_fini(&heap);
    free(timers);
}

static void array_shrinks_when_a_quarter_full(void **state)
{
    (void)state;
    enum { COUNT = 4096 };
    struct timer *timers = new_timers(COUNT);
    struct rvi_heap heap;
    rvi_heap_init(&heap);
    for (int i = 0; i < COUNT; i++)
        insert(&heap, &timers[i], (uint64_t)i);
    assert_int_equal(heap.capacity, COUNT);
    while (rvi_heap_pop(&heap) != NULL) {
        assert_true(heap.capacity <= 64 || heap.count >= heap.capacity / 4);
        assert_true(rvi_heap_is_valid(&heap));
    }
    assert_int_equal(heap.capacity, 64);
    rvi_heap_fini(&heap);
    free(timers);
}

static void failed_growth_changes_nothing(void **state)
{
    (void)state;
    enum { COUNT = 64 };
    struct timer *timers = new_timers(COUNT + 1);
    struct rvi_heap heap;
    rvi_heap_init(&heap);

    rvi_alloc_fail_after(1);
    assert_int_equal(rvi_heap_insert(&heap, &timers[0].node, 1), -ENOMEM);
    assert_false(rvi_heap_node_is_in(&timers[0].node));
    assert_true(rvi_heap_min_key(&heap) == UINT64_MAX);

    for (int i = 0; i < COUNT; i++)
        insert(&heap, &timers[i], (uint64_t)(COUNT - i));
    const struct rvi_heap before = heap;
    struct rvi_heap_slot slots[COUNT];
    memcpy(slots, heap.slots, sizeof(slots));
    rvi_alloc_fail_after(1);
    assert_int_equal(rvi_heap_insert(&heap, &timers[COUNT].node, 0), -ENOMEM);
    assert_false(rvi_alloc_fail_pending());
    assert_false(rvi_heap_node_is_in(&timers[COUNT].node));
    assert_memory_equal(&heap, &before, sizeof(heap));
    assert_memory_equal(heap.slots, slots, sizeof(slots));
    assert_true(rvi_heap_is_valid(&heap));

    insert(&heap, &timers[COUNT], 0);
    assert_ptr_equal(rvi_heap_pop(&heap), &timers[COUNT].node);
    rvi_heap_fini(&heap);
    free(timers);
}

static void removal_succeeds_when_the_array_cannot_shrink(void **state)
{
    (void)state;
    enum { COUNT = 1024 };
    struct timer *timers = new_timers(COUNT);
    struct rvi_heap heap;
    rvi_heap_init(&heap);
    for (int i = 0; i < COUNT; i++)
        insert(&heap, &timers[i], (uint64_t)i);
    for (int i = 0; i < COUNT; i++) {
        rvi_alloc_fail_after(1);
        assert_ptr_equal(rvi_heap_pop(&heap), &timers[i].node);
        assert_true(rvi_heap_is_valid(&heap));
    }
    rvi_alloc_fail_after(-1);
    assert_int_equal(heap.capacity, COUNT);
    rvi_heap_fini(&heap);
    free(timers);
}

static void is_valid_notices_a_wrong_order(void **state)
{
    (void)state;
    struct timer *timers = new_timers(3);
    struct rvi_heap heap;
    rvi_heap_init(&heap);
    for (uint64_t i = 0; i < 3; i++)
        insert(&heap, &timers[i], i);
    heap.slots[0].key = 9;
    assert_false(rvi_heap_is_valid(&heap));
    heap.slots[0].key = 0;
    timers[1].node.index = 2;
    assert_false(rvi_heap_is_valid(&heap));
    rvi_heap_fini(&heap);
    free(timers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_heap_has_no_smallest),
        cmocka_unit_test(pop_returns_keys_in_order),
        cmocka_unit_test(extreme_keys_are_ordered),
        cmocka_unit_test(random_inserts_and_removals_agree_with_looking),
        cmocka_unit_test(removal_lets_the_filler_rise),
        cmocka_unit_test(array_shrinks_when_a_quarter_full),
        cmocka_unit_test(failed_growth_changes_nothing),
        cmocka_unit_test(removal_succeeds_when_the_array_cannot_shrink),
        cmocka_unit_test(is_valid_notices_a_wrong_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
