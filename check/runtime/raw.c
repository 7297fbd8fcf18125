/* SPDX-License-Identifier: MIT */
/* raw.c - syscall(3): system calls by number that are modelled elsewhere by name.
 *
 * C++'s atomic waiting, other languages' run times and hand-written locks come this way. What has
 * an interposed function of its own is passed to that; the rest is the kernel's.
 *
 * Checked by: tests/check */
#include "check/runtime/raw.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "check/runtime/locks.h"
#include "check/runtime/next.h"

static long forward(long number, const long *a)
{
    return CK_NEXT(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static long futex(const long *args, uintptr_t pc)
{
    if (!ck_enter())
        return forward(SYS_futex, args);
    long r = ck_futex(args, pc);
    ck_leave();
    if (r == -ENOSYS)
        return forward(SYS_futex, args);
    if (r >= 0)
        return r;
    errno = (int)-r;
    return -1;
}

/* The function returns an error number instead of setting it. */
static long as_call(int error)
{
    if (error == 0)
        return 0;
    errno = error;
    return -1;
}

static long by_name(long number, const long *a)
{
    switch (number) {
    case SYS_sched_yield:
        return sched_yield();
    case SYS_gettid:
        return gettid();
    case SYS_getrandom:
        return getrandom((void *)a[0], (size_t)a[1], (unsigned)a[2]);
    case SYS_nanosleep:
        return nanosleep((const struct timespec *)a[0], (struct timespec *)a[1]);
    case SYS_clock_nanosleep:
        return as_call(clock_nanosleep((clockid_t)a[0], (int)a[1], (const struct timespec *)a[2],
                                       (struct timespec *)a[3]));
    case SYS_clock_gettime:
        return clock_gettime((clockid_t)a[0], (struct timespec *)a[1]);
    case SYS_tgkill:
        return tgkill((pid_t)a[0], (pid_t)a[1], (int)a[2]);
    case SYS_read:
        return read((int)a[0], (void *)a[1], (size_t)a[2]);
    case SYS_write:
        return write((int)a[0], (const void *)a[1], (size_t)a[2]);
    default:
        return forward(number, a);
    }
}

CK_EXPORT long syscall(long number, ...)
{
    va_list list;
    long args[6];

    va_start(list, number);
    for (unsigned i = 0; i < 6; i++)
        args[i] = va_arg(list, long);
    va_end(list);
    return number == SYS_futex ? futex(args, CK_CALLER) : by_name(number, args);
}
