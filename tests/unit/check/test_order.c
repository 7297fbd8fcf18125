/* SPDX-License-Identifier: MIT */
/* test_order.c - lock-order inversions: found where two threads can stand there at once, and
 * nowhere else. Each test has locks of its own, as edges stay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "check/runtime/clocks.h"
#include "check/runtime/order.h"
#include "fakes.h"

enum { PC = 0x1000 };

static int begin(void **state)
{
    (void)state;
    fake_begin();
    return 0;
}

/* Thread `id` holds `first` while it takes `second`. */
static void nest(uint32_t id, const char *first, const char *second)
{
    fake_run(id);
    ck_order_take(first, PC, 0);
    ck_order_take(second, PC, 0);
    ck_order_drop(second);
    ck_order_drop(first);
}

static void two_orders_at_once_are_an_inversion(void **state)
{
    static char a, b;

    (void)state;
    nest(1, &a, &b);
    assert_int_equal(fake_report_count, 0);
    nest(2, &b, &a);
    assert_int_equal(fake_report_count, 1);
    assert_int_equal(fake_reports[0].thread, 2);
    assert_int_equal(fake_reports[0].earlier_thread, 1);
}

static void an_inversion_is_reported_once(void **state)
{
    static char a, b;

    (void)state;
    for (int i = 0; i < 3; i++) {
        nest(1, &a, &b);
        nest(2, &b, &a);
    }
    assert_int_equal(fake_report_count, 1);
}

static void one_thread_may_use_both_orders(void **state)
{
    static char a, b;

    (void)state;
    nest(1, &a, &b);
    nest(1, &b, &a);
    assert_int_equal(fake_report_count, 0);
}

static void the_same_order_is_none(void **state)
{
    static char a, b, c;

    (void)state;
    nest(1, &a, &b);
    nest(2, &a, &b);
    nest(2, &b, &c);
    nest(1, &a, &c);
    assert_int_equal(fake_report_count, 0);
}

static void a_common_lock_is_a_gate(void **state)
{
    static char gate, a, b;

    (void)state;
    fake_run(1);
    ck_order_take(&gate, PC, 0);
    nest(1, &a, &b);
    ck_order_drop(&gate);
    fake_run(2);
    ck_order_take(&gate, PC, 0);
    nest(2, &b, &a);
    ck_order_drop(&gate);
    assert_int_equal(fake_report_count, 0);
}

static void a_gate_of_one_thread_alone_holds_nobody_back(void **state)
{
    static char gate, a, b;

    (void)state;
    fake_run(1);
    ck_order_take(&gate, PC, 0);
    nest(1, &a, &b);
    ck_order_drop(&gate);
    nest(2, &b, &a);
    assert_int_equal(fake_report_count, 1);
}

static void what_is_joined_first_is_over(void **state)
{
    static char a, b;

    (void)state;
    nest(1, &a, &b);
    fake_join(1);
    nest(2, &b, &a);
    assert_int_equal(fake_report_count, 0);
}

static void what_another_object_orders_is_over(void **state)
{
    static char a, b;
    struct ck_sync flag = {0};

    (void)state;
    fake_run(2);
    nest(1, &a, &b);
    ck_release(&flag);
    fake_run(2);
    ck_acquire(&flag);
    nest(2, &b, &a);
    assert_int_equal(fake_report_count, 0);
    ck_sync_fini(&flag);
}

static void the_locks_themselves_do_not_order(void **state)
{
    static char a, b;
    struct ck_sync lock = {0};

    (void)state;
    fake_run(2);
    nest(1, &a, &b);
    ck_release(&lock);
    fake_run(2);
    ck_order_take(&b, PC, 0);
    ck_acquire(&lock);
    ck_order_take(&a, PC, 0);
    ck_order_drop(&a);
    ck_order_drop(&b);
    assert_int_equal(fake_report_count, 1);
    ck_sync_fini(&lock);
}

static void a_lock_that_is_tried_is_not_waited_for(void **state)
{
    static char a, b;

    (void)state;
    nest(1, &a, &b);
    fake_run(2);
    ck_order_take(&b, PC, 0);
    ck_order_take(&a, PC, CK_TAKE_TRIES);
    ck_order_drop(&a);
    ck_order_drop(&b);
    assert_int_equal(fake_report_count, 0);
}

static void three_locks_in_a_ring(void **state)
{
    static char a, b, c;

    (void)state;
    nest(1, &a, &b);
    nest(2, &b, &c);
    assert_int_equal(fake_report_count, 0);
    nest(3, &c, &a);
    assert_int_equal(fake_report_count, 1);
}

static void nest_reading(uint32_t id, const char *first, const char *second, unsigned flags)
{
    fake_run(id);
    ck_order_take(first, PC, CK_TAKE_READS);
    ck_order_take(second, PC, flags);
    ck_order_drop(second);
    ck_order_drop(first);
}

static void readers_do_not_wait_for_each_other(void **state)
{
    static char a, b;

    (void)state;
    nest_reading(1, &a, &b, CK_TAKE_READS);
    nest_reading(2, &b, &a, CK_TAKE_READS);
    assert_int_equal(fake_report_count, 0);
}

static void a_writer_waits_for_readers(void **state)
{
    static char a, b;

    (void)state;
    nest_reading(1, &a, &b, 0);
    nest_reading(2, &b, &a, 0);
    assert_int_equal(fake_report_count, 1);
}

static void a_lock_that_is_gone_is_forgotten(void **state)
{
    static char a, b;

    (void)state;
    nest(1, &a, &b);
    ck_order_forget(&b);
    nest(2, &b, &a);
    assert_int_equal(fake_report_count, 0);
}

static void locks_beyond_what_is_remembered_are_counted(void **state)
{
    static char many[40], a, b;

    (void)state;
    fake_run(1);
    for (int i = 0; i < 40; i++)
        ck_order_take(&many[i], PC, 0);
    for (int i = 40; i-- > 0;)
        ck_order_drop(&many[i]);
    nest(1, &a, &b);
    nest(2, &b, &a);
    assert_int_equal(fake_report_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(two_orders_at_once_are_an_inversion, begin),
        cmocka_unit_test_setup(an_inversion_is_reported_once, begin),
        cmocka_unit_test_setup(one_thread_may_use_both_orders, begin),
        cmocka_unit_test_setup(the_same_order_is_none, begin),
        cmocka_unit_test_setup(a_common_lock_is_a_gate, begin),
        cmocka_unit_test_setup(a_gate_of_one_thread_alone_holds_nobody_back, begin),
        cmocka_unit_test_setup(what_is_joined_first_is_over, begin),
        cmocka_unit_test_setup(what_another_object_orders_is_over, begin),
        cmocka_unit_test_setup(the_locks_themselves_do_not_order, begin),
        cmocka_unit_test_setup(a_lock_that_is_tried_is_not_waited_for, begin),
        cmocka_unit_test_setup(three_locks_in_a_ring, begin),
        cmocka_unit_test_setup(readers_do_not_wait_for_each_other, begin),
        cmocka_unit_test_setup(a_writer_waits_for_readers, begin),
        cmocka_unit_test_setup(a_lock_that_is_gone_is_forgotten, begin),
        cmocka_unit_test_setup(locks_beyond_what_is_remembered_are_counted, begin),
    };

    return cmocka_run_group_tests(tests, NULL, fake_end);
}
