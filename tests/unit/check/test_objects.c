/* SPDX-License-Identifier: MIT */
/* Models by address: found again, forgotten, listed in the order of their first use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "check/runtime/objects.h"

enum { MANY = 5000 };

struct model {
    int number;
};

static const void *address_of(int i)
{
    return (const void *)((uintptr_t)0x7000 + (uintptr_t)i * 40);
}

static struct model *model_of(enum ck_object_kind kind, int i, bool *is_new)
{
    return ck_object(kind, address_of(i), sizeof(struct model), is_new);
}

static void an_object_is_new_once_and_zero(void **state)
{
    bool is_new;

    (void)state;
    assert_null(ck_object_find(CK_MUTEX, address_of(1)));
    struct model *model = model_of(CK_MUTEX, 1, &is_new);
    assert_true(is_new);
    assert_int_equal(model->number, 0);
    model->number = 5;
    assert_ptr_equal(model_of(CK_MUTEX, 1, &is_new), model);
    assert_false(is_new);
    assert_ptr_equal(ck_object_find(CK_MUTEX, address_of(1)), model);
    ck_object_forget(CK_MUTEX, address_of(1));
}

static void kinds_at_one_address_are_apart(void **state)
{
    bool is_new;

    (void)state;
    void *mutex = model_of(CK_MUTEX, 2, &is_new);
    void *cond = model_of(CK_COND, 2, &is_new);
    assert_true(is_new);
    assert_ptr_not_equal(mutex, cond);
    ck_object_forget(CK_MUTEX, address_of(2));
    assert_null(ck_object_find(CK_MUTEX, address_of(2)));
    assert_ptr_equal(ck_object_find(CK_COND, address_of(2)), cond);
    ck_object_forget(CK_COND, address_of(2));
}

static void what_is_forgotten_is_new_and_zero_again(void **state)
{
    bool is_new;

    (void)state;
    model_of(CK_SEM, 3, &is_new)->number = 9;
    ck_object_forget(CK_SEM, address_of(3));
    ck_object_forget(CK_SEM, address_of(3));
    assert_int_equal(model_of(CK_SEM, 3, &is_new)->number, 0);
    assert_true(is_new);
    ck_object_forget(CK_SEM, address_of(3));
}

static void expect_next(const void *address, void *model, void *arg)
{
    int *next = arg;

    assert_ptr_equal(address, address_of(*next));
    assert_int_equal(((struct model *)model)->number, *next);
    *next += 2;
}

static void forget_it(const void *address, void *model, void *arg)
{
    (void)model, (void)arg;
    ck_object_forget(CK_BARRIER, address);
}

static void count_it(const void *address, void *model, void *arg)
{
    (void)address, (void)model;
    ++*(int *)arg;
}

static void many_are_found_and_listed_in_order(void **state)
{
    bool is_new;
    int next = 1, left = 0;

    (void)state;
    for (int i = 0; i < MANY; i++)
        model_of(CK_BARRIER, i, &is_new)->number = i;
    for (int i = 0; i < MANY; i += 2)
        ck_object_forget(CK_BARRIER, address_of(i));
    for (int i = 1; i < MANY; i += 2)
        assert_int_equal(model_of(CK_BARRIER, i, &is_new)->number, i);
    ck_object_each(CK_BARRIER, expect_next, &next);
    assert_int_equal(next, MANY + 1);
    ck_object_each(CK_BARRIER, forget_it, NULL);
    ck_object_each(CK_BARRIER, count_it, &left);
    assert_int_equal(left, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_is_new_once_and_zero),
        cmocka_unit_test(kinds_at_one_address_are_apart),
        cmocka_unit_test(what_is_forgotten_is_new_and_zero_again),
        cmocka_unit_test(many_are_found_and_listed_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
