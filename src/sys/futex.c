/* SPDX-License-Identifier: MIT */
/* futex.c - futex(2), of this process or across processes.
 *
 * FUTEX_WAIT_BITSET is the form that takes an absolute deadline, and on CLOCK_MONOTONIC unless told
 * otherwise, so that a wait restarted after a signal or a spurious wake needs no arithmetic. */
#include "sys/futex.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/seam.h"
#include "sys/call.h"
#include "sys/clock.h"

static struct timespec timespec_of(int64_t ns)
{
    if (ns < 0)
        ns = 0; /* long past; the kernel refuses negative times */
    return (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
}

static int wait(_Atomic(uint32_t) *word, uint32_t expected, int64_t deadline_ns, int scope)
{
    if (rvi_unlikely(rvi_seam != NULL))
        return rvi_seam->futex_wait(rvi_seam, word, expected, deadline_ns);
    int64_t end_ns = rvi_clock_wait_end(deadline_ns);
    struct timespec end = timespec_of(end_ns);
    long rc =
        RVI_CALL(WAIT, syscall(SYS_futex, word, FUTEX_WAIT_BITSET | scope, expected,
                               end_ns == INT64_MAX ? NULL : &end, NULL, FUTEX_BITSET_MATCH_ANY));
    if (rc == 0)
        return 0;
    if (errno == ETIMEDOUT)
        return end_ns == deadline_ns ? -ETIME : -EINTR;
    return -errno;
}

/* Failure means that the word was unmapped since, which is allowed: nobody sleeps there then. */
static void wake(_Atomic(uint32_t) *word, int count, int scope)
{
    if (rvi_unlikely(rvi_seam != NULL)) {
        rvi_seam->futex_wake(rvi_seam, word, count);
        return;
    }
    (void)syscall(SYS_futex, word, FUTEX_WAKE | scope, count, NULL, NULL, 0);
}

int rvi_futex_wait(_Atomic(uint32_t) *word, uint32_t expected, int64_t deadline_ns)
{
    return wait(word, expected, deadline_ns, FUTEX_PRIVATE_FLAG);
}

void rvi_futex_wake(_Atomic(uint32_t) *word, int count)
{
    wake(word, count, FUTEX_PRIVATE_FLAG);
}

int rvi_futex_wait_shared(_Atomic(uint32_t) *word, uint32_t expected, int64_t deadline_ns)
{
    return wait(word, expected, deadline_ns, 0);
}

void rvi_futex_wake_shared(_Atomic(uint32_t) *word, int count)
{
    wake(word, count, 0);
}
