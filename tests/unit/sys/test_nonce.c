/* SPDX-License-Identifier: MIT */
/* test_nonce.c - each number is another. */
#include "sys/nonce.h"

#include <errno.h>

#include "sys/call.h"
#include "sys_test.h"

static void each_number_is_another(void **state)
{
    (void)state;
    uint64_t numbers[50];
    for (size_t i = 0; i < 50; i++) {
        assert_int_equal(rvi_nonce(&numbers[i]), 0);
        assert_true(numbers[i] != 0);
        for (size_t k = 0; k < i; k++)
            assert_true(numbers[k] != numbers[i]);
    }
}

static void a_refusal_is_told_and_a_signal_is_not(void **state)
{
    (void)state;
    uint64_t number = 7;
    if (RVI_DEBUG_CHECKS < 1)
        skip();
    rvi_call_fail_after(1, 0, false);
    assert_int_equal(rvi_nonce(&number), -ENOSYS);
    assert_int_equal(number, 7);
    rvi_call_fail_after(1, 1, false);
    assert_int_equal(rvi_nonce(&number), 0);
    rvi_call_fail_after(-1, 0, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_number_is_another),
        cmocka_unit_test(a_refusal_is_told_and_a_signal_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
