/* SPDX-License-Identifier: MIT */
/* test_poller.c - events come with what was said of them, waits end at their deadlines, on kernels
 * that know nanoseconds and on others. */
#include "sys/poller.h"

#include "descriptors.h"
#include "sys/call.h"
#include "sys/clock.h"

enum { MOST = 4 };

static struct epoll_event events[MOST];

static void events_come_with_their_data(void **state)
{
    int poller = rvi_poller_open();
    (void)state;
    assert_true(poller >= 0 && fcntl(poller, F_GETFD) == FD_CLOEXEC);
    for (int kind = 0; kind < PAIR_KINDS; kind++) {
        int fds[2];
        if (!open_pair((enum pair_kind)kind, true, fds))
            continue;
        const uint64_t data = 1ull << 40 | (uint64_t)kind;
        assert_int_equal(rvi_poller_control(poller, EPOLL_CTL_ADD, fds[0], EPOLLIN, data), 0);
        assert_int_equal(rvi_poller_wait(poller, events, MOST, 0), 0);
        send_portion(fds);
        assert_int_equal(rvi_poller_wait(poller, events, MOST, INT64_MAX), 1);
        assert_true(events[0].events & EPOLLIN && events[0].data.u64 == data);
        assert_int_equal(rvi_poller_control(poller, EPOLL_CTL_DEL, fds[0], 0, 0), 0);
        assert_int_equal(rvi_poller_wait(poller, events, MOST, 0), 0);
        close_pair(fds);
    }
    close(poller);
}

static void what_cannot_be_watched_is_refused(void **state)
{
    int poller = rvi_poller_open(), file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), fds[2];
    (void)state;
    assert_true(open_pair(OF_PIPE, true, fds));
    assert_int_equal(rvi_poller_control(poller, EPOLL_CTL_ADD, file, EPOLLIN, 0), -EPERM);
    assert_int_equal(rvi_poller_control(poller, EPOLL_CTL_DEL, fds[0], 0, 0), -ENOENT);
    assert_int_equal(rvi_poller_control(poller, EPOLL_CTL_ADD, fds[0], EPOLLIN, 0), 0);
    assert_int_equal(rvi_poller_control(poller, EPOLL_CTL_ADD, fds[0], EPOLLIN, 0), -EEXIST);
    close_pair(fds);
    assert_int_equal(rvi_poller_control(poller, EPOLL_CTL_ADD, fds[0], EPOLLIN, 0), -EBADF);
    close(file);
    close(poller);
}

/* A wait may end early, and is repeated then; but no deadline makes it endless. */
static void wait_until(int poller, int64_t deadline)
{
    do
        assert_int_equal(rvi_poller_wait(poller, events, MOST, deadline), 0);
    while (rvi_clock_now() < deadline);
}

static void a_wait_ends_at_its_deadline(void **state)
{
    int poller = rvi_poller_open();
    (void)state;
    wait_until(poller, rvi_clock_now() - 1);
    wait_until(poller, rvi_clock_now() + 100000);
    wait_until(poller,
               rvi_clock_now() + 12000000); /* a long one, which is asked for a little short */
    close(poller);
}

/* The process remembers it: this comes last but one. */
static void so_it_does_without_nanoseconds(void **state)
{
    int poller = rvi_poller_open(), fds[2];
    (void)state;
    if (RVI_DEBUG_CHECKS < 1)
        skip();
    rvi_call_lacks(RVI_CALL_WAIT_NANOSECONDS, true);
    wait_until(poller, rvi_clock_now() + 100000);
    wait_until(poller, rvi_clock_now() + 12000000);
    assert_true(open_pair(OF_PIPE, true, fds));
    assert_int_equal(rvi_poller_control(poller, EPOLL_CTL_ADD, fds[0], EPOLLIN, 7), 0);
    send_portion(fds);
    assert_int_equal(rvi_poller_wait(poller, events, MOST, INT64_MAX), 1);
    assert_int_equal(events[0].data.u64, 7);
    rvi_call_lacks(RVI_CALL_WAIT_NANOSECONDS, false);
    close_pair(fds);
    close(poller);
}

static void an_interrupted_wait_has_no_events(void **state)
{
    int poller = rvi_poller_open();
    (void)state;
    if (RVI_DEBUG_CHECKS < 1)
        skip();
    rvi_call_fail_after(1, 0, false); /* EINTR: nanoseconds are not asked for any more */
    assert_int_equal(rvi_poller_wait(poller, events, MOST, INT64_MAX), 0);
    assert_false(rvi_call_fail_pending());
    rvi_call_fail_after(-1, 0, false);
    close(poller);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_come_with_their_data),
        cmocka_unit_test(what_cannot_be_watched_is_refused),
        cmocka_unit_test(a_wait_ends_at_its_deadline),
        cmocka_unit_test(so_it_does_without_nanoseconds),
        cmocka_unit_test(an_interrupted_wait_has_no_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
