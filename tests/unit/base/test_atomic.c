/* SPDX-License-Identifier: MIT */
/* test_atomic.c - each operation of the shim does what its name says; the fences order. */
#include "base/atomic.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void loads_and_stores_keep_the_value(void **state)
{
    (void)state;
    _Atomic(uint64_t) word = 1;
    assert_int_equal(rvi_load_relaxed(&word), 1);
    rvi_store_relaxed(&word, 2);
    assert_int_equal(rvi_load_acquire(&word), 2); /* pairs: test-self */
    rvi_store_release(&word, 3);                  /* pairs: test-self */
    assert_int_equal(rvi_load_seq_cst(&word), 3); /* pairs: test-self */
    rvi_store_seq_cst(&word, UINT64_MAX);         /* pairs: test-self */
    assert_true(rvi_load_relaxed(&word) == UINT64_MAX);
}

static void loads_take_const_objects(void **state)
{
    (void)state;
    const _Atomic(int) word = 5;
    assert_int_equal(rvi_load_relaxed(&word), 5);
}

static void exchanges_return_the_value_before(void **state)
{
    (void)state;
    _Atomic(int) word = 0;
    assert_int_equal(rvi_exchange_relaxed(&word, 1), 0);
    assert_int_equal(rvi_exchange_acquire(&word, 2), 1); /* pairs: test-self */
    assert_int_equal(rvi_exchange_release(&word, 3), 2); /* pairs: test-self */
    assert_int_equal(rvi_exchange_acq_rel(&word, 4), 3); /* pairs: test-self */
    assert_int_equal(rvi_exchange_seq_cst(&word, 5), 4); /* pairs: test-self */
    assert_int_equal(rvi_load_relaxed(&word), 5);
}

static void cas_swaps_only_what_was_expected(void **state)
{
    (void)state;
    _Atomic(int) word = 1;
    int expected = 0;
    assert_false(rvi_cas_relaxed(&word, &expected, 9));
    assert_int_equal(expected, 1);
    assert_true(rvi_cas_relaxed(&word, &expected, 2));
    expected = 2;
    assert_true(rvi_cas_acquire(&word, &expected, 3)); /* pairs: test-self */
    expected = 3;
    assert_true(rvi_cas_release(&word, &expected, 4)); /* pairs: test-self */
    expected = 4;
    assert_true(rvi_cas_acq_rel(&word, &expected, 5));  /* pairs: test-self */
    assert_false(rvi_cas_seq_cst(&word, &expected, 6)); /* pairs: test-self */
    assert_int_equal(expected, 5);
    assert_true(rvi_cas_seq_cst(&word, &expected, 6)); /* pairs: test-self */
    assert_int_equal(rvi_load_relaxed(&word), 6);
}

static void pointers_can_be_exchanged_and_swapped(void **state)
{
    (void)state;
    int a = 0;
    int b = 0;
    _Atomic(int *) pointer = NULL;
    rvi_store_relaxed(&pointer, &a);
    assert_ptr_equal(rvi_exchange_relaxed(&pointer, &b), &a);
    int *expected = &b;
    assert_true(rvi_cas_relaxed(&pointer, &expected, NULL));
    assert_null(rvi_load_relaxed(&pointer));
}

static void arithmetic_returns_the_value_before(void **state)
{
    (void)state;
    _Atomic(unsigned) word = 0;
    assert_int_equal(rvi_fetch_add_relaxed(&word, 5), 0);
    assert_int_equal(rvi_fetch_add_acq_rel(&word, 5), 5);  /* pairs: test-self */
    assert_int_equal(rvi_fetch_sub_seq_cst(&word, 3), 10); /* pairs: test-self */
    assert_int_equal(rvi_load_relaxed(&word), 7);
}

/* Two threads that each store to their own word, fence, and load the other's. */
enum { ROUNDS = 2000 };

struct dekker {
    pthread_barrier_t start;
    _Atomic(int) word[2];
    int seen[2];
};

struct side {
    struct dekker *dekker;
    int number;
};

static void *run_side(void *argument)
{
    const struct side *side = argument;
    struct dekker *dekker = side->dekker;
    for (int i = 0; i < ROUNDS; i++) {
        pthread_barrier_wait(&dekker->start);
        rvi_store_relaxed(&dekker->word[side->number], 1);
        rvi_fence_seq_cst(); /* pairs: test-dekker */
        dekker->seen[side->number] = rvi_load_relaxed(&dekker->word[1 - side->number]);
        pthread_barrier_wait(&dekker->start);
        if (side->number == 0) {
            RV_CHECK(dekker->seen[0] + dekker->seen[1] > 0);
            rvi_store_relaxed(&dekker->word[0], 0);
            rvi_store_relaxed(&dekker->word[1], 0);
        }
        pthread_barrier_wait(&dekker->start);
    }
    return NULL;
}

static void of_two_fenced_sides_one_sees_the_other(void **state)
{
    (void)state;
    static struct dekker dekker;
    struct side sides[2] = {{&dekker, 0}, {&dekker, 1}};
    pthread_t other;
    assert_int_equal(pthread_barrier_init(&dekker.start, NULL, 2), 0);
    assert_int_equal(pthread_create(&other, NULL, run_side, &sides[1]), 0);
    run_side(&sides[0]);
    assert_int_equal(pthread_join(other, NULL), 0);
    pthread_barrier_destroy(&dekker.start);
}

/* A plain word handed over by relaxed accesses and a fence on each side: no data race, also in the
 * eyes of ThreadSanitizer. */
struct handover {
    int payload;
    _Atomic(int) ready;
};

static void *hand_over(void *argument)
{
    struct handover *handover = argument;
    handover->payload = 42;
    rvi_fence_release(); /* pairs: test-handover */
    rvi_store_relaxed(&handover->ready, 1);
    return NULL;
}

static void fences_upgrade_relaxed_accesses(void **state)
{
    (void)state;
    static struct handover handover;
    pthread_t giver;
    assert_int_equal(pthread_create(&giver, NULL, hand_over, &handover), 0);
    while (rvi_load_relaxed(&handover.ready) == 0)
        sched_yield();
    rvi_fence_acquire(); /* pairs: test-handover */
    rvi_compiler_barrier();
    assert_int_equal(handover.payload, 42);
    assert_int_equal(pthread_join(giver, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_and_stores_keep_the_value),
        cmocka_unit_test(loads_take_const_objects),
        cmocka_unit_test(exchanges_return_the_value_before),
        cmocka_unit_test(cas_swaps_only_what_was_expected),
        cmocka_unit_test(pointers_can_be_exchanged_and_swapped),
        cmocka_unit_test(arithmetic_returns_the_value_before),
        cmocka_unit_test(of_two_fenced_sides_one_sees_the_other),
        cmocka_unit_test(fences_upgrade_relaxed_accesses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
