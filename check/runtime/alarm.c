/* SPDX-License-Identifier: MIT */
/* alarm.c - alarm(2) and the real-time interval timer, on the virtual clock.
 *
 *   W1  it rings at the first point after its moment, or when no thread can run without it
 *   W2  one that would end the process, because the program has no handler, never rings: it is
 *       there against hanging, and what hangs is found
 *
 * Other timers (of processor time, timer_create) are the kernel's.
 *
 * Checked by: tests/check/must_pass/alarm.c */
#include "check/runtime/alarm.h"

#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "check/runtime/locks.h"
#include "check/runtime/next.h"
#include "check/runtime/signals.h"

int64_t ck_alarm_at = CK_NEVER;
static int64_t every; /* 0: once */

static bool ring(void)
{
    ck_alarm_at = every > 0 ? ck_now() + every : CK_NEVER;
    return ck_signals_are_handled(SIGALRM) && ck_signals_send(SIGALRM);
}

void ck_alarm_ring(void)
{
    ring();
}

bool ck_alarm_wait(void)
{
    if (ck_alarm_at == CK_NEVER || !ck_signals_are_handled(SIGALRM))
        return false;
    if (ck_alarm_at > ck_now())
        ck_pass(ck_alarm_at - ck_now());
    return ring();
}

static int64_t as_ns(const struct timeval *time)
{
    return time->tv_sec * INT64_C(1000000000) + time->tv_usec * INT64_C(1000);
}

static struct timeval as_timeval(int64_t ns)
{
    return (struct timeval){.tv_sec = ns / 1000000000, .tv_usec = ns % 1000000000 / 1000};
}

static void remaining(struct itimerval *ret)
{
    int64_t left = ck_alarm_at == CK_NEVER ? 0 : ck_alarm_at - ck_now();

    ret->it_value = as_timeval(left < 0 ? 0 : left);
    ret->it_interval = as_timeval(every);
}

static void set(int64_t after, int64_t then_every)
{
    ck_alarm_at = after > 0 ? ck_now() + after : CK_NEVER;
    every = then_every;
}

CK_EXPORT unsigned alarm(unsigned seconds)
{
    struct itimerval before;

    if (!ck_enter())
        return CK_NEXT(alarm)(seconds);
    remaining(&before);
    set(seconds * INT64_C(1000000000), 0);
    ck_leave();
    return (unsigned)before.it_value.tv_sec + (before.it_value.tv_usec > 0);
}

CK_EXPORT int setitimer(__itimer_which_t which, const struct itimerval *restrict timer,
                        struct itimerval *restrict ret_old)
{
    if (which != ITIMER_REAL || !ck_enter())
        return CK_NEXT(setitimer)(which, timer, ret_old);
    if (ret_old)
        remaining(ret_old);
    if (timer)
        set(as_ns(&timer->it_value), as_ns(&timer->it_interval));
    ck_leave();
    return 0;
}

CK_EXPORT int getitimer(__itimer_which_t which, struct itimerval *ret)
{
    if (which != ITIMER_REAL || !ck_enter())
        return CK_NEXT(getitimer)(which, ret);
    remaining(ret);
    ck_leave();
    return 0;
}
