/* SPDX-License-Identifier: MIT */
/* test_signal.c - signals are told to all who want them, with who has sent what, merged as the
 * kernel does, and what the program did with them before is as it was. */
#include <ravel/signal.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include <ravel.h>

#include "../../support/every_point.h"
#include "../sched/sched_test.h"

#define SOON rv_after(30 * RV_SECOND)

static sigset_t set_of(int one, int two)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, one);
    if (two)
        sigaddset(&set, two);
    return set;
}

static rv_signals *opened(int one, int two)
{
    sigset_t set = set_of(one, two);
    rv_signals *signals;
    RV_CHECK(rv_signals_open(&signals, &set) == 0);
    return signals;
}

static struct rv_signal_info told(rv_signals *signals)
{
    struct rv_signal_info info;
    RV_CHECK(rv_signal_wait(signals, &info, SOON) == 0);
    return info;
}

/* ThreadSanitizer calls handlers only when a thread comes by. */
static void send_value(int number, int value)
{
    RV_CHECK(sigqueue(getpid(), number, (union sigval){.sival_int = value}) == 0);
    if (RVI_TSAN)
        usleep(1);
}

static void (*handler_of(int number))(int)
{
    struct sigaction now;
    RV_CHECK(sigaction(number, NULL, &now) == 0);
    return now.sa_handler;
}

/* By a plain thread, by the only worker and with several. Valgrind takes a signal stack that a run
 * has given back for the plain thread's still. */
static void play(rv_fn *scene)
{
    struct holdings before = holdings_now();
    if (!is_under_valgrind())
        assert_int_equal(scene(NULL), 0);
    assert_int_equal(run_on(1, scene, NULL), 0);
    assert_int_equal(run_on(2, scene, NULL), 0);
    assert_no_more_is_held(&before);
}

#define PLAYS(test, scene)                                                                         \
    static void test(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        play(scene);                                                                               \
    }

static int send_each_kind(void *arg)
{
    rv_signals *signals = opened(SIGUSR1, SIGRTMIN);
    (void)arg;
    RV_CHECK(kill(getpid(), SIGUSR1) == 0);
    struct rv_signal_info info = told(signals);
    RV_CHECK(info.signal == SIGUSR1 && info.code == SI_USER && info.pid == getpid());
    RV_CHECK(info.uid == getuid() && info.value == 0 && info.missed == 0);
    send_value(SIGUSR1, 4711);
    info = told(signals);
    RV_CHECK(info.code == SI_QUEUE && (int)info.value == 4711);
    for (int i = 0; i < 10; i++)
        send_value(SIGRTMIN, i);
    for (int i = 0; i < 10; i++) {
        info = told(signals);
        RV_CHECK(info.signal == SIGRTMIN && (int)info.value == i && info.missed == 0);
    }
    RV_CHECK(rv_signal_wait(signals, &info, 0) == -ETIME);
    RV_CHECK(rv_signals_close(signals) == NULL);
    RV_CHECK(handler_of(SIGUSR1) == SIG_DFL && handler_of(SIGRTMIN) == SIG_DFL);
    return 0;
}
PLAYS(who_has_sent_what_is_told, send_each_kind)

static int send_many(void *arg)
{
    enum { MANY = 5000 };
    rv_signals *signals = opened(SIGUSR1, SIGRTMIN);
    unsigned ordinary = 0, queued = 0, last = 0;
    struct rv_signal_info info;
    (void)arg;
    for (int i = 0; i < MANY; i++)
        RV_CHECK(raise(SIGUSR1) == 0 && raise(SIGRTMIN) == 0);
    while (rv_signal_wait(signals, &info, rv_after(RV_MILLISECOND)) == 0) {
        ordinary += info.signal == SIGUSR1 ? 1 + info.missed : 0;
        queued += info.signal == SIGRTMIN ? 1 + info.missed : 0;
        last++;
    }
    /* Under ThreadSanitizer they are merged before they are delivered. */
    RV_CHECK(RVI_TSAN || (ordinary == MANY && queued == MANY));
    RV_CHECK(last <= 1100);
    RV_CHECK(raise(SIGUSR1) == 0 && told(signals).missed == 0);
    rv_signals_close(signals);
    return 0;
}
PLAYS(a_flood_is_bounded_and_counted, send_many)

static int tell_several(void *arg)
{
    rv_signals *both = opened(SIGUSR1, SIGUSR2), *one = opened(SIGUSR1, 0);
    struct rv_signal_info info;
    (void)arg;
    RV_CHECK(raise(SIGUSR1) == 0);
    RV_CHECK(told(both).signal == SIGUSR1 && told(one).signal == SIGUSR1);
    RV_CHECK(raise(SIGUSR2) == 0 && told(both).signal == SIGUSR2);
    RV_CHECK(rv_signal_wait(one, &info, 0) == -ETIME);
    rv_signals_close(both);
    RV_CHECK(handler_of(SIGUSR2) == SIG_DFL);
    RV_CHECK(raise(SIGUSR1) == 0 && told(one).signal == SIGUSR1);
    rv_signals_close(one);
    RV_CHECK(handler_of(SIGUSR1) == SIG_DFL);
    return 0;
}
PLAYS(several_are_told_each_of_their_own, tell_several)

static int tell_of_a_child(void *arg)
{
    const char *const argv[] = {"/bin/sh", "-c", "exit 3", NULL};
    struct rv_child_status status;
    rv_signals *signals = opened(SIGCHLD, 0);
    rv_child *child;
    (void)arg;
    RV_CHECK(rv_child_start(&child, argv, NULL) == 0);
    struct rv_signal_info info = told(signals);
    RV_CHECK(info.signal == SIGCHLD && info.code == CLD_EXITED && info.value == 3);
    RV_CHECK(info.pid == rv_child_pid(child));
    RV_CHECK(rv_child_wait(child, &status, SOON) == 0 && status.code == 3);
    rv_child_close(child);
    RV_CHECK(rv_child_start(&child, (const char *const[]){"/no-such-program", NULL}, NULL) ==
             -ENOENT);
    RV_CHECK(rv_signal_wait(signals, &info, rv_after(RV_MILLISECOND)) == -ETIME);
    rv_signals_close(signals);
    return 0;
}

static void an_end_of_a_child_is_told_and_a_start_that_fails_is_not(void **state)
{
    (void)state;
    if (is_under_valgrind())
        skip();
    play(tell_of_a_child);
}

static int wait_by_poll(void *arg)
{
    rv_signals *signals = opened(SIGUSR1, 0);
    (void)arg;
    RV_CHECK(rv_poll(rv_signals_fd(signals), POLLIN, 0) == -ETIME);
    RV_CHECK(raise(SIGUSR1) == 0);
    RV_CHECK(rv_poll(rv_signals_fd(signals), POLLIN, SOON) == POLLIN);
    RV_CHECK(told(signals).signal == SIGUSR1);
    rv_signals_close(signals);
    return 0;
}
PLAYS(it_can_be_polled, wait_by_poll)

static void own_handler(int number)
{
    (void)number;
}

static int respect_the_program(void *arg)
{
    void (*own[])(int) = {own_handler, SIG_IGN, SIG_DFL};
    (void)arg;
    for (int i = 0; i < 3; i++) {
        signal(SIGUSR1, own[i]);
        rv_signals *signals = opened(SIGUSR1, 0);
        RV_CHECK(raise(SIGUSR1) == 0 && told(signals).signal == SIGUSR1);
        rv_signals_close(signals);
        RV_CHECK(handler_of(SIGUSR1) == own[i]);
    }
    rv_signals *signals = opened(SIGUSR1, 0);
    signal(SIGUSR1, own_handler);
    rv_signals_close(signals);
    RV_CHECK(handler_of(SIGUSR1) == own_handler);
    signal(SIGUSR1, SIG_DFL);
    return 0;
}
PLAYS(what_the_program_does_with_a_signal_is_as_before, respect_the_program)

static int ask_for_nonsense(void *arg)
{
    static const int never[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGABRT, SIGPROF};
    rv_signals *signals[33] = {NULL};
    sigset_t set;
    (void)arg;
    sigemptyset(&set);
    RV_CHECK(rv_signals_open(&signals[0], &set) == -EINVAL);
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
        set = set_of(SIGUSR1, never[i]);
        RV_CHECK(rv_signals_open(&signals[0], &set) == -EINVAL);
    }
    set = set_of(SIGUSR1, 0);
    for (int i = 0; i < 32; i++)
        RV_CHECK(rv_signals_open(&signals[i], &set) == 0);
    RV_CHECK(rv_signals_open(&signals[32], &set) == -ENOSPC && signals[32] == NULL);
    for (int i = 0; i < 33; i++)
        rv_signals_close(signals[i]);
    RV_CHECK(handler_of(SIGUSR1) == SIG_DFL);
    return 0;
}
PLAYS(nonsense_and_too_many_are_refused, ask_for_nonsense)

static int open_in_a_simulation(void *arg)
{
    sigset_t set = set_of(SIGUSR1, 0);
    rv_signals *signals;
    (void)arg;
    return rv_signals_open(&signals, &set);
}

static void a_simulation_has_no_signals(void **state)
{
    struct rv_sim_opts opts = {.size = sizeof opts, .quiet = 1};
    (void)state;
    assert_int_equal(rv_sim_run(open_in_a_simulation, NULL, &opts), -ENOTSUP);
}

static int wait_for_one(void *signals)
{
    struct rv_signal_info info;
    return rv_signal_wait(signals, &info, RV_NEVER);
}

static int scene(void *arg)
{
    sigset_t set = set_of(SIGUSR1, 0);
    rv_signals *signals;
    int err, r = rv_signals_open(&signals, &set);
    (void)arg;
    if (r < 0)
        return r;
    RV_SCOPE(s, err) {
        r = rv_go(s, wait_for_one, signals);
        if (r == 0)
            r = rv_sleep(RV_MILLISECOND);
        RV_CHECK(kill(getpid(), SIGUSR1) == 0); /* this worker may not take any */
        if (r < 0)
            rv_scope_cancel(s, r);
    }
    rv_signals_close(signals);
    return err < 0 ? err : r;
}

static void a_wait_can_be_cancelled_at_every_point(void **state)
{
    (void)state;
    cancel_at_every_point(scene, 1);
    cancel_at_every_point(scene, 2);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    fail_every_allocation(scene, 2);
}

/* The first run maps what stays, and tools start threads of their own. */
static int warm_up(void **state)
{
    (void)state;
    return run_on(2, wait_by_poll, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_sent_what_is_told),
        cmocka_unit_test(a_flood_is_bounded_and_counted),
        cmocka_unit_test(several_are_told_each_of_their_own),
        cmocka_unit_test(an_end_of_a_child_is_told_and_a_start_that_fails_is_not),
        cmocka_unit_test(it_can_be_polled),
        cmocka_unit_test(what_the_program_does_with_a_signal_is_as_before),
        cmocka_unit_test(nonsense_and_too_many_are_refused),
        cmocka_unit_test(a_simulation_has_no_signals),
        cmocka_unit_test(a_wait_can_be_cancelled_at_every_point),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, warm_up, NULL);
}
