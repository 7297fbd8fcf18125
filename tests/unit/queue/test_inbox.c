/* SPDX-License-Identifier: MIT */
/* test_inbox.c - the inbox on one thread; tests/stress/stress_inbox.c has the threads. */
#include "queue/inbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

struct letter {
    int number;
    struct rvi_msg msg;
};

static int number_of(struct rvi_msg *msg)
{
    return rvi_container_of(msg, struct letter, msg)->number;
}

static void expect_numbers(struct rvi_msg *msg, int begin, int end)
{
    for (int i = begin; i < end; i++) {
        assert_non_null(msg);
        assert_int_equal(number_of(msg), i);
        msg = msg->next;
    }
    assert_null(msg);
}

static void new_inbox_is_empty(void **state)
{
    (void)state;
    struct rvi_inbox inbox;
    rvi_inbox_init(&inbox);
    assert_true(rvi_inbox_looks_empty(&inbox));
    assert_true(rvi_inbox_looks_empty_seq_cst(&inbox));
    assert_null(rvi_inbox_take_all(&inbox));
}

static void take_all_returns_the_order_of_pushing(void **state)
{
    (void)state;
    struct rvi_inbox inbox;
    struct letter letters[5];
    rvi_inbox_init(&inbox);
    for (int i = 0; i < 5; i++) {
        letters[i].number = i;
        rvi_inbox_push(&inbox, &letters[i].msg);
    }
    assert_false(rvi_inbox_looks_empty(&inbox));
    assert_false(rvi_inbox_looks_empty_seq_cst(&inbox));
    expect_numbers(rvi_inbox_take_all(&inbox), 0, 5);
    assert_true(rvi_inbox_looks_empty(&inbox));
    assert_null(rvi_inbox_take_all(&inbox));
}

static void only_the_first_push_finds_it_empty(void **state)
{
    (void)state;
    struct rvi_inbox inbox;
    struct letter letters[3];
    rvi_inbox_init(&inbox);
    assert_true(rvi_inbox_push(&inbox, &letters[0].msg));
    assert_false(rvi_inbox_push(&inbox, &letters[1].msg));
    assert_non_null(rvi_inbox_take_all(&inbox));
    assert_true(rvi_inbox_push(&inbox, &letters[2].msg));
}

static void count_delivery(struct rvi_msg *msg, void *receiver)
{
    *(int *)receiver += number_of(msg);
}

static void messages_carry_how_to_deliver_them(void **state)
{
    (void)state;
    struct rvi_inbox inbox;
    struct letter letter = {.number = 7, .msg = {.deliver = count_delivery}};
    int sum = 0;
    rvi_inbox_init(&inbox);
    rvi_inbox_push(&inbox, &letter.msg);
    struct rvi_msg *msg = rvi_inbox_take_all(&inbox);
    msg->deliver(msg, &sum);
    assert_int_equal(sum, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_inbox_is_empty),
        cmocka_unit_test(take_all_returns_the_order_of_pushing),
        cmocka_unit_test(only_the_first_push_finds_it_empty),
        cmocka_unit_test(messages_carry_how_to_deliver_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
