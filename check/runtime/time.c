/* SPDX-License-Identifier: MIT */
/* time.c - clocks and sleep on the virtual clock.
 *
 * An execution begins at a fixed moment of each clock, and time passes by the scheduler's steps and
 * by the deadlines that it chooses to come to: so a sleep takes no time, and what a program reads
 * from a clock is the same whenever the schedule is.
 *
 *   T1  deadlines of all clocks are converted to ck_now()'s, which counts from 0, and are never
 *   negative
 *   T2  a sleep is a wait that ends by its deadline alone; one of no length is a yield
 *   T3  processor time passes as real time does
 *   T4  a thread that looks at the clock again and again from the same place waits for time to
 *       pass: it gives way, and what passes doubles with each look, up to LONGEST_LOOK
 *
 * Timers that send signals (alarm, setitimer, timer_create) are the kernel's, in real time.
 *
 * Checked by: tests/check */
#include <time.h>

#include <errno.h>
#include <sched.h>
#include <sys/time.h>
#include <unistd.h>

#include "check/runtime/answer.h"
#include "check/runtime/locks.h"
#include "check/runtime/next.h"
#include "check/runtime/signals.h"

#define SECOND INT64_C(1000000000)
#define LONGEST_LOOK INT64_C(10000000)

enum { PATIENT_LOOKS = 8 };

/* 2025-01-01T00:00:00Z; and a machine that was started some time before. */
static const int64_t real_begin = 1735689600 * SECOND;
static const int64_t other_begin = 100000 * SECOND;

static int64_t begin_of(clockid_t clock)
{
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_TAI:
        return real_begin;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
        return other_begin;
    default:
        return 0;
    }
}

static struct timespec as_timespec(int64_t ns)
{
    return (struct timespec){.tv_sec = ns / SECOND, .tv_nsec = ns % SECOND};
}

static bool is_time(const struct timespec *at)
{
    return at->tv_nsec >= 0 && at->tv_nsec < SECOND;
}

/* Saturates long before the end of the virtual clock; past moments are 0. */
static int64_t as_ns(const struct timespec *at)
{
    if (at->tv_sec < 0)
        return 0;
    if (at->tv_sec > CK_NEVER / SECOND / 4)
        return CK_NEVER / 4;
    return at->tv_sec * SECOND + at->tv_nsec;
}

int ck_time_deadline(clockid_t clock, const struct timespec *at, int64_t *ret_deadline)
{
    if (!at) {
        *ret_deadline = CK_NEVER;
        return 0;
    }
    if (!is_time(at))
        return EINVAL;
    int64_t deadline = as_ns(at) - begin_of(clock);
    *ret_deadline = deadline < 0 ? 0 : deadline;
    return 0;
}

int64_t ck_time_after(const struct timespec *delay)
{
    return is_time(delay) && delay->tv_sec >= 0 ? ck_now() + as_ns(delay) : -EINVAL;
}

/* ---- clocks ---------------------------------------------------------------------------------- */

/* How often each thread has looked in a row from the same place. */
static struct {
    uintptr_t pc;
    uint32_t times;
} looks[CK_THREADS_MOST];

/* T4. */
static int64_t look(uintptr_t pc)
{
    uint32_t id = ck_self->id;
    uint32_t times = looks[id].pc == pc ? ++looks[id].times : (looks[id].times = 0);

    looks[id].pc = pc;
    if (times >= PATIENT_LOOKS) {
        uint32_t doubled = times - PATIENT_LOOKS;

        ck_pass(doubled < 14 ? INT64_C(1000) << doubled : LONGEST_LOOK);
        ck_yield(pc);
    }
    return ck_now();
}

static int clock_at(clockid_t clock, struct timespec *ret, uintptr_t pc)
{
    *ret = as_timespec(begin_of(clock) + look(pc));
    ck_leave();
    return 0;
}

CK_EXPORT int clock_gettime(clockid_t clock, struct timespec *ret)
{
    return ck_enter() ? clock_at(clock, ret, CK_CALLER) : CK_NEXT(clock_gettime)(clock, ret);
}

CK_EXPORT int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
    struct timespec now;

    if (!ck_enter())
        return CK_NEXT(gettimeofday)(ret, zone);
    clock_at(CLOCK_REALTIME, &now, CK_CALLER);
    *ret = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return 0;
}

CK_EXPORT time_t time(time_t *ret)
{
    struct timespec now;

    if (!ck_enter())
        return CK_NEXT(time)(ret);
    clock_at(CLOCK_REALTIME, &now, CK_CALLER);
    if (ret)
        *ret = now.tv_sec;
    return now.tv_sec;
}

CK_EXPORT int timespec_get(struct timespec *ret, int base)
{
    if (base != TIME_UTC || !ck_enter())
        return CK_NEXT(timespec_get)(ret, base);
    clock_at(CLOCK_REALTIME, ret, CK_CALLER);
    return base;
}

CK_EXPORT clock_t clock(void)
{
    if (!ck_enter())
        return CK_NEXT(clock)();
    clock_t now = look(CK_CALLER) / (SECOND / CLOCKS_PER_SEC);
    ck_leave();
    return now;
}

/* ---- sleep ----------------------------------------------------------------------------------- */

/* How much is left: 0, or more if a signal was handled. */
static int64_t sleep_until(int64_t deadline, uintptr_t pc)
{
    const struct ck_op op = {CK_OP_SLEEP, false, 0, 0, pc};
    struct ck_wait wait = {CK_OP_SLEEP, NULL, CK_NOBODY, deadline, .fd = -1, .events = 0};
    uint64_t handled = ck_signals_handled();
    int r = 0;

    if (deadline <= ck_now()) {
        ck_yield(pc);
        return 0;
    }
    ck_point(&op);
    ck_event(&op, (uint64_t)(deadline - ck_now()), CK_EVENT_BLOCKED);
    while (r == 0 && handled == ck_signals_handled())
        r = ck_block(&wait, true);
    if (r == -ECANCELED)
        ck_cancel_now();
    return r == 0 && deadline > ck_now() ? deadline - ck_now() : 0;
}

/* 0, EINVAL or EINTR. */
static int sleep_for(const struct timespec *delay, struct timespec *ret_left, uintptr_t pc)
{
    int64_t deadline = ck_time_after(delay);

    if (deadline < 0)
        return EINVAL;
    int64_t left = sleep_until(deadline, pc);
    if (left > 0 && ret_left)
        *ret_left = as_timespec(left);
    return left > 0 ? EINTR : 0;
}

CK_EXPORT int nanosleep(const struct timespec *delay, struct timespec *left)
{
    if (!ck_enter())
        return CK_NEXT(nanosleep)(delay, left);
    int r = sleep_for(delay, left, CK_CALLER);
    ck_leave();
    return ck_answer(r);
}

CK_EXPORT int clock_nanosleep(clockid_t clock, int flags, const struct timespec *at,
                              struct timespec *left)
{
    int64_t deadline;

    if (!ck_enter())
        return CK_NEXT(clock_nanosleep)(clock, flags, at, left);
    int r = EINVAL;
    if (!(flags & TIMER_ABSTIME))
        r = sleep_for(at, left, CK_CALLER);
    else if (ck_time_deadline(clock, at, &deadline) == 0)
        r = sleep_until(deadline, CK_CALLER) > 0 ? EINTR : 0;
    ck_leave();
    return r;
}

CK_EXPORT int usleep(useconds_t us)
{
    if (!ck_enter())
        return CK_NEXT(usleep)(us);
    int64_t left = sleep_until(ck_now() + us * INT64_C(1000), CK_CALLER);
    ck_leave();
    return ck_answer(left > 0 ? EINTR : 0);
}

CK_EXPORT unsigned sleep(unsigned seconds)
{
    if (!ck_enter())
        return CK_NEXT(sleep)(seconds);
    int64_t left = sleep_until(ck_now() + seconds * SECOND, CK_CALLER);
    ck_leave();
    return (unsigned)((left + SECOND - 1) / SECOND);
}

/* ---- giving way ------------------------------------------------------------------------------ */

/* libc keeps it for old programs alone, and declares it as another. */
CK_EXPORT int ck_pthread_yield(void) __asm__("pthread_yield");
CK_EXPORT int ck_pthread_yield(void)
{
    return sched_yield();
}
