/* SPDX-License-Identifier: MIT */
/* capture.h - look at a thread that runs: stop it for some microseconds by a signal, copy its
 * registers and the top of its stack, and let it go on.
 *
 * The signal is SIGPROF, which every thread of the runtime leaves open, for profilers. A program
 * that has a handler of its own for it keeps it, and then nobody is looked at. Ours is installed at
 * the first look and stays: a signal that comes late must not meet the default, which is death. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "sys/backtrace.h"

enum { RVI_CAPTURE_BYTES = 16 << 10 };

struct rvi_capture {
    struct rvi_stack_view view; /* of `bytes` */
    char bytes[RVI_CAPTURE_BYTES];
};

/** In the signal handler, on the thread that is looked at: say where its stack ends, and note what
 * is wanted. No lock, no allocation, no stdio. */
typedef uintptr_t rvi_capture_fn(uintptr_t sp, void *arg);

/** Capture the stack of another thread of this process.
 *
 * @param thread_id    the kernel's number
 * @param fn           returns the end of the stack that `sp` points into
 * @param deadline_ns  of waiting for it
 * @return 0
 * Errors: -EBUSY the program has a handler for SIGPROF; -ETIME no answer (the thread blocks the
 *         signal, or does not run); -ESRCH no such thread; others from sigaction(2) */
int rvi_capture_thread(int thread_id, rvi_capture_fn *fn, void *arg, struct rvi_capture *ret,
                       int64_t deadline_ns) __attribute__((warn_unused_result));
