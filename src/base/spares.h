/* SPDX-License-Identifier: MIT */
/* spares.h - freed blocks of one size that one thread keeps for itself, used last first.
 *
 * For what a hot path allocates and frees in pairs: a take and a give cost some ten instructions,
 * malloc and free 130. Bounded, so that a burst does not hold its memory for ever. While a test has
 * armed a failure nothing is taken from here, so that the allocation is made, and can fail; under
 * AddressSanitizer nothing is kept, so that it sees each use after free. */
#pragma once

#include "base/alloc.h"
#include "base/list.h"

/* What rvi_spares_take() leaves to the caller when it returns NULL: rvi_alloc(). */
struct rvi_spares {
    struct rvi_qlink *first;
    unsigned count;
};

enum {
#if defined(__SANITIZE_ADDRESS__)
    RVI_SPARES_MOST = 0,
#else
    RVI_SPARES_MOST = 256,
#endif
};

/** A block with undefined contents; NULL: allocate one. */
static inline void *rvi_spares_take(struct rvi_spares *spares)
{
    struct rvi_qlink *link = spares->first;

    if (rvi_unlikely(!link || rvi_alloc_fail_pending()))
        return NULL;
    spares->first = link->next;
    spares->count--;
    return link;
}

/** Keep a block of at least a pointer's size that rvi_alloc() has returned. False: free it. */
static inline bool rvi_spares_keep(struct rvi_spares *spares, void *block)
{
    struct rvi_qlink *link = block;

    if (rvi_unlikely(spares->count + 1 > RVI_SPARES_MOST)) /* MOST may be 0 */
        return false;
    link->next = spares->first;
    spares->first = link;
    spares->count++;
    return true;
}

/** Keep nothing from now on: there is none yet. */
static inline void rvi_spares_forgo(struct rvi_spares *spares)
{
    spares->count = RVI_SPARES_MOST;
}

/** Free them all. */
static inline void rvi_spares_fini(struct rvi_spares *spares)
{
    while (spares->first) {
        struct rvi_qlink *next = spares->first->next;
        rvi_free(spares->first);
        spares->first = next;
    }
    spares->count = 0;
}
