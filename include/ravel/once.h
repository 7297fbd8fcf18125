/* SPDX-License-Identifier: MIT */
/* once.h - something that is to be done exactly once, by whoever needs it first.
 *
 *     static struct rv_once loaded = RV_ONCE_INIT;
 *
 *     int r = rv_once_do(&loaded, load_table, NULL, RV_NEVER);
 *     if (r < 0)
 *         return r;
 *
 * It lives in the caller's memory; all-zero memory is the same as RV_ONCE_INIT, and there is
 * nothing to destroy. */
#pragma once

#include <ravel/def.h>
#include <ravel/time.h>

RV_BEGIN_DECLS

/** Whether it has been done, and who is at it. */
struct rv_once {
    uint64_t opaque[8];
};
/* clang-format off */
/** Initialises a struct rv_once that nothing has run under; so does all-zero memory. */
#define RV_ONCE_INIT {{0}}
/* clang-format on */

/** See to it that fn has been done.
 *
 * The first caller runs fn, itself; others wait in line meanwhile. When fn fails, its caller hears
 * of it, and the next in line runs its own. Once fn has succeeded it is never run again, and a call
 * costs one load.
 *
 * @param once      the same for all callers
 * @param fn        what is to be done; >= 0 is success. It must not ask for the same once: that is
 *                  a misuse that stops the program
 * @param arg       handed to fn
 * @param deadline  of the wait for another caller's fn, not of fn itself: absolute monotonic
 *                  nanoseconds, or RV_NEVER
 * @return 0; fn has succeeded, here or elsewhere, and what it has written can be seen
 * Errors:  any -errno that fn, run by this call, has returned; while another runs it: -ETIME
 *          deadline, -ECANCELED scope cancelled, -ENOMEM no room for the timer
 * Blocks:  the task, never its thread; a plain thread itself. Not once it is done, when cancelled
 *          tasks get 0 as well
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: keep once alive until every call has returned */
RV_API RV_NODISCARD int rv_once_do(struct rv_once *once, rv_fn *fn, void *arg, rv_time deadline);

RV_END_DECLS
