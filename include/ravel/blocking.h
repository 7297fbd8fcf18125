/* SPDX-License-Identifier: MIT */
/* blocking.h - calls that block their thread, made on helper threads while only the task waits.
 *
 * Each kind of blocking work has its own limiter, so that slow names cannot starve fast files. */
#pragma once

#include <ravel/def.h>

RV_BEGIN_DECLS

/** How many blocking calls of one kind may run at one time. */
typedef struct rv_limiter rv_limiter;

/** Make a limiter.
 *
 * @param ret  the limiter
 * @param max  calls at one time, at least 1
 * @return 0
 * Errors:  -EINVAL max is 0; -ENOMEM
 * Blocks:  no
 * Threads: any
 * Lifetime: until rv_limiter_free */
RV_API RV_NODISCARD int rv_limiter_new(rv_limiter **ret, unsigned max);

/** Free a limiter that no call is using or waiting for.
 *
 * @param limiter  NULL does nothing; one in use is a misuse that stops the program
 * @return NULL
 * Errors:  none
 * Blocks:  no
 * Threads: any
 * Lifetime: ends it */
RV_API rv_limiter *rv_limiter_free(rv_limiter *limiter);

/** Run fn(arg) on a helper thread while the calling task waits.
 *
 * Cancellation takes the call back while it waits for its turn; once fn has begun, the task waits
 * for it to return, because fn may be using the task's memory. fn is no task: inside it every rv_
 * call behaves as on a plain thread.
 *
 * @param fn       any function; errno and thread-locals are the helper's
 * @param arg      handed to fn
 * @param limiter  NULL for the runtime's own, which admits 64
 * @return what fn returned
 * Errors:  -ECANCELED scope cancelled before fn began; -EAGAIN no helper thread could be started
 * Blocks:  the task, never its thread; on a plain thread fn is simply called
 * Threads: any task of any worker, plain threads
 * Lifetime: arg and limiter until return */
RV_API RV_NODISCARD int rv_blocking(rv_fn *fn, void *arg, rv_limiter *limiter);

RV_END_DECLS
