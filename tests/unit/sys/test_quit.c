/* SPDX-License-Identifier: MIT */
/* test_quit.c - SIGQUIT calls, is left to a program that wants it, and is given back. */
#include "sys/quit.h"

#include "base/atomic.h"
#include "sys/futex.h"
#include "sys_test.h"

static _Atomic(uint32_t) calls;

static void call(void)
{
    rvi_fetch_add_seq_cst(&calls, 1); /* pairs: test-calls */
    rvi_futex_wake(&calls, 1);
}

static void until_called(uint32_t times)
{
    uint32_t now;
    while ((now = rvi_load_seq_cst(&calls)) < times) /* pairs: test-calls */
        rvi_futex_wait(&calls, now, INT64_MAX);
}

static struct sigaction disposition(void)
{
    struct sigaction now;
    assert_int_equal(sigaction(SIGQUIT, NULL, &now), 0);
    return now;
}

static void each_signal_calls(void **state)
{
    (void)state;
    rvi_store_seq_cst(&calls, 0); /* pairs: test-calls */
    assert_true(rvi_quit_open(SIGQUIT, call));
    for (uint32_t i = 1; i <= 5; i++) {
        raise(SIGQUIT);
        until_called(i);
    }
    rvi_quit_close(SIGQUIT);
    assert_ptr_equal(disposition().sa_handler, SIG_DFL);
}

static void it_lasts_until_the_last_one_closes(void **state)
{
    (void)state;
    rvi_store_seq_cst(&calls, 0); /* pairs: test-calls */
    assert_true(rvi_quit_open(SIGQUIT, call));
    assert_true(rvi_quit_open(SIGQUIT, call));
    rvi_quit_close(SIGQUIT);
    raise(SIGQUIT);
    until_called(1);
    rvi_quit_close(SIGQUIT);
    assert_ptr_equal(disposition().sa_handler, SIG_DFL);
}

static void own_handler(int number)
{
    (void)number;
}

static void what_the_program_has_set_before_stays(void **state)
{
    (void)state;
    void (*own[])(int) = {own_handler, SIG_IGN};
    for (int i = 0; i < 2; i++) {
        signal(SIGQUIT, own[i]);
        assert_false(rvi_quit_open(SIGQUIT, call));
        assert_ptr_equal(disposition().sa_handler, own[i]);
    }
    signal(SIGQUIT, SIG_DFL);
}

static void what_the_program_sets_meanwhile_stays(void **state)
{
    (void)state;
    assert_true(rvi_quit_open(SIGQUIT, call));
    signal(SIGQUIT, own_handler);
    rvi_quit_close(SIGQUIT);
    assert_ptr_equal(disposition().sa_handler, own_handler);
    signal(SIGQUIT, SIG_DFL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_signal_calls),
        cmocka_unit_test(it_lasts_until_the_last_one_closes),
        cmocka_unit_test(what_the_program_has_set_before_stays),
        cmocka_unit_test(what_the_program_sets_meanwhile_stays),
    };
    signal(SIGQUIT, SIG_DFL); /* a shell's background jobs begin with it ignored */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
