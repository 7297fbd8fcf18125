/* SPDX-License-Identifier: MIT */
/* local.h - how tasks inherit task-local values: by sharing a list that nobody changes. */
#pragma once

struct rvi_local;

#include "base/check.h"

/* Of lists that are not empty; call the inline functions below. */
struct rvi_local *rvi_local_ref_slow(struct rvi_local *list);
void rvi_local_unref_slow(struct rvi_local *list);

/** One more task holds the list; NULL is the empty list and costs nothing. Any thread. */
static inline struct rvi_local *rvi_local_ref(struct rvi_local *list)
{
    return rvi_likely(!list) ? NULL : rvi_local_ref_slow(list);
}

/** One task less. Any thread. */
static inline void rvi_local_unref(struct rvi_local *list)
{
    if (rvi_unlikely(list != NULL))
        rvi_local_unref_slow(list);
}
