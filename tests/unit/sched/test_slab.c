/* SPDX-License-Identifier: MIT */
/* test_slab.c - descriptors come from chunks that grow, go back to the front, and end with the
 * slab. */
#include "sched/slab.h"

#include "base/rng.h"
#include "sched/task.h"
#include "sched_test.h"

enum { MANY = 20000 };

static void the_last_one_given_back_is_taken_first(void **state)
{
    (void)state;
    struct rvi_slab slab = {0};
    struct rvi_task *a = rvi_slab_take(&slab), *b = rvi_slab_take(&slab);
    assert_non_null(a);
    assert_non_null(b);
    assert_ptr_not_equal(a, b);
    rvi_slab_give(&slab, a);
    rvi_slab_give(&slab, b);
    assert_ptr_equal(rvi_slab_take(&slab), b);
    assert_ptr_equal(rvi_slab_take(&slab), a);
    rvi_slab_fini(&slab);
}

static int by_address(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    return x < y ? -1 : x > y;
}

static void many_are_aligned_and_apart(void **state)
{
    (void)state;
    struct rvi_slab slab = {0};
    struct rvi_task **tasks = test_calloc(MANY, sizeof(*tasks));
    for (size_t i = 0; i < MANY; i++) {
        tasks[i] = rvi_slab_take(&slab);
        assert_non_null(tasks[i]);
        assert_int_equal((uintptr_t)tasks[i] % RVI_CACHE_LINE, 0);
        memset(tasks[i], 0xa5, sizeof(*tasks[i]));
    }
    qsort(tasks, MANY, sizeof(*tasks), by_address);
    for (size_t i = 1; i < MANY; i++)
        assert_true(tasks[i - 1] + 1 <= tasks[i]);
    test_free(tasks);
    rvi_slab_fini(&slab);
}

static void what_was_given_back_is_used_before_the_slab_grows(void **state)
{
    (void)state;
    struct rvi_slab slab = {0};
    struct rvi_task **tasks = test_calloc(MANY, sizeof(*tasks));
    struct rvi_rng rng;
    size_t out = 0;

    rvi_rng_seed(&rng, 1);
    for (size_t i = 0; i < MANY; i++)
        tasks[out++] = rvi_slab_take(&slab);
    while (out > 0)
        rvi_slab_give(&slab, tasks[--out]);
    rvi_alloc_fail_after(1);
    for (size_t i = 0; i < 10 * (size_t)MANY; i++) {
        if (out < MANY && (out == 0 || rvi_rng_below(&rng, 2)))
            assert_non_null(tasks[out++] = rvi_slab_take(&slab));
        else
            rvi_slab_give(&slab, tasks[--out]);
    }
    assert_true(rvi_alloc_fail_pending());
    rvi_alloc_fail_after(-1);
    test_free(tasks);
    rvi_slab_fini(&slab);
}

/* Each chunk that it would like to have is refused once. */
static void without_memory_there_is_none_and_later_there_is(void **state)
{
    (void)state;
    struct rvi_slab slab = {0};
    long before = rvi_alloc_live();
    size_t refused = 0;

    for (size_t i = 0; i < MANY; i++) {
        rvi_alloc_fail_after(1);
        struct rvi_task *task = rvi_slab_take(&slab);
        rvi_alloc_fail_after(-1);
        refused += task == NULL;
        if (!task)
            task = rvi_slab_take(&slab);
        assert_non_null(task);
        memset(task, 0xa5, sizeof(*task));
    }
    assert_in_range(refused, 2, 100);
    rvi_slab_fini(&slab);
    assert_int_equal(rvi_alloc_live(), before);
}

static void a_slab_that_has_ended_can_begin_again(void **state)
{
    (void)state;
    struct rvi_slab slab = {0};
    rvi_slab_fini(&slab);
    for (int i = 0; i < 3; i++) {
        struct rvi_task *task = rvi_slab_take(&slab);
        assert_non_null(task);
        if (i == 1)
            rvi_slab_give(&slab, task);
        rvi_slab_fini(&slab);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_one_given_back_is_taken_first),
        cmocka_unit_test(many_are_aligned_and_apart),
        cmocka_unit_test(what_was_given_back_is_used_before_the_slab_grows),
        cmocka_unit_test(without_memory_there_is_none_and_later_there_is),
        cmocka_unit_test(a_slab_that_has_ended_can_begin_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
