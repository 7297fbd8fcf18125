/* SPDX-License-Identifier: MIT */
/* test_signals.c - from the handler into the pipe: once a signal until it is taken, each time for
 * real-time ones, to all who want it; and what was there before is there afterwards. */
#include "sys/signals.h"

#include "../../support/held.h"
#include "descriptors.h"

static sigset_t set_of(int number)
{
    sigset_t set;
    sigemptyset(&set);
    if (number)
        sigaddset(&set, number);
    return set;
}

static int subscribe(int number, int *ret_fd)
{
    sigset_t set = set_of(number);
    return rvi_signals_subscribe(&set, ret_fd);
}

/* ThreadSanitizer calls handlers when the thread comes by. */
static void send_to_self(int number)
{
    assert_int_equal(raise(number), 0);
    if (RVI_TSAN)
        usleep(1);
}

/* How many there are, all of this number. */
static int told(int fd, int number)
{
    struct rv_signal_info info;
    int count = 0;
    set_flag(fd, O_NONBLOCK, true);
    for (; read(fd, &info, sizeof info) == sizeof info; count++)
        assert_int_equal(info.signal, number);
    return count;
}

static void an_ordinary_signal_is_there_once_until_it_is_taken(void **state)
{
    int fd, s = subscribe(SIGUSR1, &fd);
    (void)state;
    assert_true(s >= 0);
    for (int i = 0; i < 3; i++)
        send_to_self(SIGUSR1);
    assert_int_equal(told(fd, SIGUSR1), 1);
    assert_int_equal(rvi_signals_took(s, SIGUSR1), 2);
    send_to_self(SIGUSR1);
    assert_int_equal(told(fd, SIGUSR1), 1);
    assert_int_equal(rvi_signals_took(s, SIGUSR1), 0);
    rvi_signals_unsubscribe(s);
    close(fd);
}

static void a_real_time_signal_is_there_each_time_and_for_all(void **state)
{
    int fds[2], one = subscribe(SIGRTMIN, &fds[0]), two = subscribe(SIGRTMIN, &fds[1]);
    (void)state;
    assert_true(one >= 0 && two >= 0 && one != two);
    for (int i = 0; i < 3; i++)
        send_to_self(SIGRTMIN);
    assert_int_equal(told(fds[0], SIGRTMIN), 3);
    rvi_signals_unsubscribe(one);
    send_to_self(SIGRTMIN);
    assert_int_equal(told(fds[0], SIGRTMIN), 0);
    assert_int_equal(told(fds[1], SIGRTMIN), 4);
    rvi_signals_unsubscribe(two);
    close_pair(fds);
}

static void what_nobody_may_catch_is_refused(void **state)
{
    const int refused[] = {0, SIGKILL, SIGSTOP, SIGSEGV, SIGABRT};
    size_t before = open_descriptors();
    int fd;
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        assert_int_equal(subscribe(refused[i], &fd), -EINVAL);
    assert_int_equal(open_descriptors(), before);
}

static void ours(int number)
{
    (void)number;
}

static void later(int number)
{
    (void)number;
}

static void (*handler_now(void))(int)
{
    struct sigaction now;
    assert_int_equal(sigaction(SIGUSR2, NULL, &now), 0);
    return now.sa_handler;
}

static void what_was_there_before_comes_back_unless_another_came_since(void **state)
{
    int fd;
    (void)state;
    signal(SIGUSR2, ours);
    int s = subscribe(SIGUSR2, &fd);
    assert_true(handler_now() != ours);
    rvi_signals_unsubscribe(s);
    close(fd);
    assert_true(handler_now() == ours);
    s = subscribe(SIGUSR2, &fd);
    signal(SIGUSR2, later);
    rvi_signals_unsubscribe(s);
    close(fd);
    assert_true(handler_now() == later);
    signal(SIGUSR2, SIG_DFL);
}

static void subscribers_are_bounded_and_leave_their_places(void **state)
{
    enum { MORE_THAN_ALL = 100 };
    size_t before = open_descriptors();
    int fds[MORE_THAN_ALL], subscriptions[MORE_THAN_ALL], count = 0;
    (void)state;
    for (int turn = 0; turn < 2; turn++) {
        int s = 0;
        for (count = 0; (s = subscribe(SIGUSR1, &fds[count])) >= 0; count++) {
            assert_true(count + 1 < MORE_THAN_ALL);
            subscriptions[count] = s;
        }
        assert_int_equal(s, -ENOSPC);
        for (int i = 0; i < count; i++) {
            rvi_signals_unsubscribe(subscriptions[i]);
            close(fds[i]);
        }
        assert_int_equal(open_descriptors(), before);
    }
    assert_true(count > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ordinary_signal_is_there_once_until_it_is_taken),
        cmocka_unit_test(a_real_time_signal_is_there_each_time_and_for_all),
        cmocka_unit_test(what_nobody_may_catch_is_refused),
        cmocka_unit_test(what_was_there_before_comes_back_unless_another_came_since),
        cmocka_unit_test(subscribers_are_bounded_and_leave_their_places),
    };
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL); /* whoever has started this may have blocked some */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
