/* SPDX-License-Identifier: MIT */
/* poller.c - waiting for many descriptors.
 *
 * epoll_pwait2(2), of Linux 5.11, takes nanoseconds; before it there were milliseconds. Both round
 * to what the kernel thinks good enough for a wait of such a length, a thousandth of it: so a long
 * wait is asked for a little short, ends early, and is followed by one for the rest.
 *
 * Checked by: tests/unit/sys/test_poller.c */
#include "sys/poller.h"

#include <errno.h>
#include <stdbool.h>
#include <time.h>

#include "base/atomic.h"
#include "sys/call.h"
#include "sys/clock.h"

#define LONG_WAIT_NS 10000000

int rvi_poller_open(void)
{
    int fd = RVI_CALL(OPEN_EPOLL, epoll_create1(EPOLL_CLOEXEC));

    return fd < 0 ? -errno : fd;
}

int rvi_poller_control(int poller, int what, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event event = {.events = events, .data.u64 = data};

    return RVI_CALL(WATCH, epoll_ctl(poller, what, fd, &event)) < 0 ? -errno : 0;
}

static int wait_ms(int poller, struct epoll_event *events, int most, int64_t ns)
{
    int64_t ms = ns < 0 ? -1 : ns / 1000000 + (ns % 1000000 != 0);

    return RVI_CALL(WAIT_EVENTS,
                    epoll_wait(poller, events, most, ms > INT32_MAX ? INT32_MAX : (int)ms));
}

/* -1 ns: without end. */
static int wait_ns(int poller, struct epoll_event *events, int most, int64_t ns)
{
    static _Atomic(bool) has_no_nanoseconds;
    const struct timespec limit = {ns / 1000000000, ns % 1000000000};

    if (ns == 0 || rvi_load_relaxed(&has_no_nanoseconds))
        return wait_ms(poller, events, most, ns);
    int n = RVI_CALL(WAIT_NANOSECONDS,
                     epoll_pwait2(poller, events, most, ns < 0 ? NULL : &limit, NULL));
    if (rvi_likely(n >= 0 || (errno != ENOSYS && errno != EPERM)))
        return n;
    rvi_store_relaxed(&has_no_nanoseconds, true);
    return wait_ms(poller, events, most, ns);
}

static int64_t length_of_wait(int64_t deadline_ns)
{
    if (deadline_ns == INT64_MAX)
        return -1;
    int64_t ns = deadline_ns > 0 ? deadline_ns - rvi_clock_now() : 0;
    if (ns <= 0)
        return 0;
    return ns < LONG_WAIT_NS ? ns : ns - (ns >> 9);
}

int rvi_poller_wait(int poller, struct epoll_event *events, int most, int64_t deadline_ns)
{
    int n = wait_ns(poller, events, most, length_of_wait(rvi_clock_wait_end(deadline_ns)));

    return n < 0 ? 0 : n;
}
