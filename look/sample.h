/* SPDX-License-Identifier: MIT */
/* sample.h - the registers and the stack of a thread that runs, as a profiler gets them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <ravel/time.h>

#include "sys/ctx.h"

enum { LOOK_SAMPLE_BYTES_MOST = 60 << 10 };

struct look_sample {
    struct rvi_regs regs; /* all of them */
    char *stack;          /* what lies from regs.sp on; rvi_free() it */
    size_t count;
};

/** What a thread is doing at some moment within a time, if that is on a certain stack. It is not
 * stopped: the kernel takes a note when the thread's time slice is counted, and the thread goes on.
 *
 * @param low, high  the stack's addresses
 * @param time_ns    of waiting, at most
 * @return 0
 * Errors:  -EAGAIN it was never there; -ESRCH it has ended; -EPERM, -EACCES, -ENOSYS the kernel
 *          does not allow it; -ENOMEM */
int look_sample(int thread, uint64_t low, uint64_t high, rv_time time_ns, struct look_sample *ret)
    __attribute__((warn_unused_result));
