/* SPDX-License-Identifier: MIT */
/* cancel.h - the token that a blocking call looks at. Scopes embed one; so do executors' jobs on
 * threads. */
#pragma once

#include <stdbool.h>

#include "base/atomic.h"

struct rvi_cancel {
    _Atomic(int) reason; /* 0, or why: set once, never taken back */
};

/** Set the reason if there is none yet. Returns whether this call was the one. Any thread. */
static inline bool rvi_cancel_set(struct rvi_cancel *cancel, int reason)
{
    int none = 0;
    return rvi_cas_relaxed(&cancel->reason, &none, reason);
}

/** The reason, or 0. A late answer is harmless: whoever must not miss it is poked as well. */
static inline int rvi_cancel_reason(const struct rvi_cancel *cancel)
{
    return rvi_load_relaxed(&cancel->reason);
}

/** Give the calling plain thread a token, so that rv_cancelled() answers there; NULL takes it
 * away. */
void rvi_cancel_of_thread_set(struct rvi_cancel *cancel);

/** Why the caller is cancelled: by its task's token unless a shield hides it, or by its
 * thread's. */
int rvi_cancel_of_caller(void);
