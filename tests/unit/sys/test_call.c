/* SPDX-License-Identifier: MIT */
/* test_call.c - the seam for system calls: which one fails, how, and how often. */
#include "sys/call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/check.h"

static int made;

static int succeed(void)
{
    made++;
    return 7;
}

static void skip_without_a_seam(void)
{
    if (RVI_DEBUG_CHECKS < 1)
        skip();
}

static void only_the_nth_call_fails_and_is_not_made(void **state)
{
    (void)state;
    skip_without_a_seam();
    for (long n = 1; n <= 4; n++) {
        rvi_call_fail_after(n, 0, false);
        made = 0;
        for (long i = 1; i <= 6; i++) {
            assert_int_equal(RVI_CALL(GUARD_HEAVY, succeed()), i == n ? -1 : 7);
            assert_int_equal(rvi_call_fail_pending(), i < n);
        }
        assert_int_equal(made, 5);
    }
}

static void a_pointer_is_map_failed(void **state)
{
    (void)state;
    skip_without_a_seam();
    rvi_call_fail_after(1, 1, false);
    assert_ptr_equal(RVI_CALL(RESERVE_STACKS, (void *)&made), MAP_FAILED);
    assert_int_equal(errno, EAGAIN);
    assert_ptr_equal(RVI_CALL(RESERVE_STACKS, (void *)&made), &made);
}

static void a_site_with_fewer_errors_does_not_count(void **state)
{
    (void)state;
    skip_without_a_seam();
    rvi_call_fail_after(1, 2, false);
    assert_int_equal(RVI_CALL(GUARD_HEAVY, succeed()), 7);
    assert_int_equal(RVI_CALL(OPEN_PIDFD, succeed()), -1);
    assert_int_equal(errno, EPERM);
}

static void what_stays_is_one_site_only(void **state)
{
    (void)state;
    skip_without_a_seam();
    rvi_call_fail_after(1, 0, true);
    assert_int_equal(RVI_CALL(GIVE_BACK, succeed()), -1);
    assert_int_equal(RVI_CALL(GUARD, succeed()), 7);
    assert_int_equal(RVI_CALL(GIVE_BACK, succeed()), -1);
    rvi_call_fail_after(-1, 0, false);
    assert_int_equal(RVI_CALL(GIVE_BACK, succeed()), 7);
}

static void no_lasting_failure_begins_with_a_wait(void **state)
{
    (void)state;
    skip_without_a_seam();
    rvi_call_fail_after(1, 0, true);
    assert_int_equal(RVI_CALL(WAIT, succeed()), 7);
    rvi_call_fail_after(1, 0, false);
    assert_int_equal(RVI_CALL(WAIT, succeed()), -1);
}

static void only_calls_at_a_wanted_site_fail(void **state)
{
    (void)state;
    skip_without_a_seam();
    rvi_call_fail_at(RVI_CALL_GUARD);
    assert_int_equal(RVI_CALL(GIVE_BACK, succeed()), 7);
    assert_true(rvi_call_fail_pending());
    assert_int_equal(RVI_CALL(GUARD, succeed()), -1);
    assert_int_equal(errno, ENOMEM);
    assert_int_equal(RVI_CALL(GUARD, succeed()), 7);
    rvi_call_fail_after(1, 0, false);
    assert_int_equal(RVI_CALL(GIVE_BACK, succeed()), -1);
}

static void what_a_kernel_lacks_fails_without_counting(void **state)
{
    (void)state;
    skip_without_a_seam();
    rvi_call_fail_after(1, 1, false);
    rvi_call_lacks(RVI_CALL_OPEN_PIDFD, true);
    assert_int_equal(RVI_CALL(OPEN_PIDFD, succeed()), -1);
    assert_int_equal(errno, ENOSYS);
    assert_true(rvi_call_fail_pending());
    rvi_call_lacks(RVI_CALL_OPEN_PIDFD, false);
    assert_int_equal(RVI_CALL(OPEN_PIDFD, succeed()), -1);
    assert_int_equal(errno, EMFILE);
    assert_int_equal(RVI_CALL(OPEN_PIDFD, succeed()), 7);
}

static void what_has_failed_is_told(void **state)
{
    (void)state;
    bool is_optional = false;
    skip_without_a_seam();
    rvi_call_fail_after(1, 0, false);
    assert_null(rvi_call_failed(&is_optional));
    assert_int_equal(RVI_CALL(NAME_THREAD, succeed()), -1);
    assert_string_equal(rvi_call_failed(&is_optional), "NAME_THREAD");
    assert_true(is_optional);
    rvi_call_fail_after(1, 0, false);
    assert_int_equal(RVI_CALL(START_THREAD, succeed()), -1);
    assert_string_equal(rvi_call_failed(&is_optional), "START_THREAD");
    assert_false(is_optional);
}

static int disarm(void **state)
{
    (void)state;
    rvi_call_fail_after(-1, 0, false);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_nth_call_fails_and_is_not_made),
        cmocka_unit_test(a_pointer_is_map_failed),
        cmocka_unit_test(a_site_with_fewer_errors_does_not_count),
        cmocka_unit_test(what_stays_is_one_site_only),
        cmocka_unit_test(no_lasting_failure_begins_with_a_wait),
        cmocka_unit_test(only_calls_at_a_wanted_site_fail),
        cmocka_unit_test(what_a_kernel_lacks_fails_without_counting),
        cmocka_unit_test(what_has_failed_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, disarm);
}
