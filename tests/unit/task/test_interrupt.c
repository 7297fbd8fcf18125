/* SPDX-License-Identifier: MIT */
/* test_interrupt.c - the first SIGINT cancels the first task and all that it owns, a second one
 * ends the program; and it is left alone where the program wants that. In children, of course. */
#include "task/interrupt.h"

#include <errno.h>
#include <signal.h>

#include "../sched/sched_test.h"

static int raise_interrupt(void)
{
    return kill(getpid(), SIGINT);
}

static int wait_for_ever(void *arg)
{
    (void)arg;
    return rv_sleep_until(RV_NEVER);
}

/* With children on every worker. */
static int wait_in_a_scope(void *arg)
{
    int err;
    (void)arg;
    RV_SCOPE(s, err) {
        for (int i = 0; i < 20; i++)
            RV_CHECK(rv_go(s, wait_for_ever, NULL) == 0);
        rv_yield();
        raise_interrupt();
        RV_CHECK(rv_sleep_until(RV_NEVER) == -ECANCELED);
    }
    RV_CHECK(err == -ECANCELED && rv_cancelled() == -EINTR);
    RV_CHECK(rv_sleep(0) == -ECANCELED);
    return 17;
}

static void be_interrupted(void *arg)
{
    unsigned workers = *(unsigned *)arg;
    for (int i = 0; i < 3; i++) /* each run has a first one of its own */
        RV_CHECK(run_on(workers, wait_in_a_scope, NULL) == 17);
    _exit(0);
}

static void the_first_one_cancels_the_first_task(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 3; workers++)
        assert_int_equal(run_child(be_interrupted, &workers).status, 0);
}

static int move_and_wait(void *arg)
{
    (void)arg;
    RV_CHECK(rv_migrate(1) == 0);
    raise_interrupt();
    RV_CHECK(rv_sleep_until(RV_NEVER) == -ECANCELED && rv_cancelled() == -EINTR);
    return 0;
}

static void be_interrupted_elsewhere(void *arg)
{
    (void)arg;
    _exit(run_on(2, move_and_wait, NULL));
}

static void it_finds_a_first_task_that_has_moved(void **state)
{
    (void)state;
    assert_int_equal(run_child(be_interrupted_elsewhere, NULL).status, 0);
}

static int compute_on(void *arg)
{
    (void)arg;
    raise_interrupt();
    while (!rv_cancelled()) {}
    raise_interrupt();
    for (rv_time until = rv_after(RV_MINUTE); rv_now() < until;)
        rvi_thread_yield();
    return 0;
}

static void be_interrupted_twice(void *arg)
{
    (void)arg;
    _exit(run_on(2, compute_on, NULL));
}

static void a_second_one_ends_the_program(void **state)
{
    (void)state;
    struct ending ending = run_child(be_interrupted_twice, NULL);
    assert_true(WIFSIGNALED(ending.status) && WTERMSIG(ending.status) == SIGINT);
}

/* --- left alone --- */

static int interrupt_once(void *arg)
{
    (void)arg;
    raise_interrupt();
    return rv_sleep(RV_MILLISECOND);
}

static void run_that_leaves_it_alone(void *arg)
{
    struct rv_run_opts opts = {.size = sizeof opts, .no_interrupt = 1};
    (void)arg;
    _exit(rv_run(interrupt_once, NULL, &opts));
}

static void on_interrupt(int number)
{
    (void)number;
}

static void run_with_a_handler(void *arg)
{
    signal(SIGINT, arg ? on_interrupt : SIG_IGN);
    RV_CHECK(run_on(2, interrupt_once, NULL) == 0);
    raise_interrupt();
    _exit(0);
}

static int want_it_as_a_value(void *arg)
{
    struct rv_signal_info info;
    rv_signals *signals;
    sigset_t set;
    (void)arg;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    RV_CHECK(rv_signals_open(&signals, &set) == 0);
    for (int i = 0; i < 3; i++) {
        raise_interrupt();
        RV_CHECK(rv_signal_wait(signals, &info, RV_NEVER) == 0 && info.signal == SIGINT);
    }
    rv_signals_close(signals);
    raise_interrupt();
    RV_CHECK(rv_sleep_until(RV_NEVER) == -ECANCELED);
    return 0;
}

static void run_with_a_set(void *arg)
{
    (void)arg;
    _exit(run_on(2, want_it_as_a_value, NULL));
}

static void it_is_left_alone_where_the_program_wants_that(void **state)
{
    int yes = 1;
    (void)state;
    struct ending ending = run_child(run_that_leaves_it_alone, NULL);
    assert_true(WIFSIGNALED(ending.status) && WTERMSIG(ending.status) == SIGINT);
    assert_int_equal(run_child(run_with_a_handler, NULL).status, 0);
    assert_int_equal(run_child(run_with_a_handler, &yes).status, 0);
}

static void a_set_of_signals_takes_its_place(void **state)
{
    (void)state;
    assert_int_equal(run_child(run_with_a_set, NULL).status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_one_cancels_the_first_task),
        cmocka_unit_test(it_finds_a_first_task_that_has_moved),
        cmocka_unit_test(a_second_one_ends_the_program),
        cmocka_unit_test(it_is_left_alone_where_the_program_wants_that),
        cmocka_unit_test(a_set_of_signals_takes_its_place),
    };
    signal(SIGINT, SIG_DFL); /* a shell's background jobs begin with it ignored */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
