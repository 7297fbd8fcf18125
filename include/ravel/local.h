/* SPDX-License-Identifier: MIT */
/* local.h - task-local values: set in a task, seen by every task that it starts afterwards.
 *
 * A child sees what its starter had set when it was started; what a child sets, its starter never
 * sees. */
#pragma once

#include <ravel/def.h>

RV_BEGIN_DECLS

/** The identity of one task-local value: a static object of yours, its address is the key. */
struct rv_local_key {
    const char *name; /* for diagnostics */
};

/** Set the calling task's value.
 *
 * @param key    its address names the value
 * @param value  kept as it is; NULL means unset. The caller keeps what it points to alive for this
 *               task and all that it starts from now on.
 * @return 0
 * Errors:  -EPERM the caller is no task; -ENOMEM (the old value stands)
 * Blocks:  no
 * Threads: any task
 * Lifetime: until set again or the task returns; children keep what they inherited */
RV_API RV_NODISCARD int rv_local_set(const struct rv_local_key *key, void *value);

/** The calling task's value.
 *
 * @param key  as given to rv_local_set
 * @return NULL when neither this task nor one of its starters had set it, or the caller is no task
 * Errors:  none
 * Blocks:  no
 * Threads: any
 * Lifetime: the setter's promise */
RV_API void *rv_local_get(const struct rv_local_key *key);

RV_END_DECLS
