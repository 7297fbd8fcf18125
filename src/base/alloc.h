/* SPDX-License-Identifier: MIT */
/* alloc.h - the one seam for memory: every allocation of the library goes through here.
 *
 * A test makes each allocation fail in turn (SQLite's habit) and counts what is still alive:
 *     for (long n = 1;; n++) {
 *         rvi_alloc_fail_after(n);
 *         int result = operation();
 *         if (rvi_alloc_fail_pending())
 *             break;                          fewer than n allocations: all were tried
 *         check that result is -ENOMEM and that rvi_alloc_live() is what it was before;
 *     }
 *     rvi_alloc_fail_after(-1);
 * In ordinary builds this costs one relaxed load and a branch that is predicted not taken. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/atomic.h"

/** Allocate memory with the contents of malloc: none.
 *
 * @param bytes  more than 0
 * @return the memory, NULL when there is none
 * Errors:  NULL is -ENOMEM to the caller
 * Blocks:  no
 * Threads: any; not signal handlers
 * Lifetime: until rvi_free */
__attribute__((malloc, alloc_size(1), warn_unused_result)) void *rvi_alloc(size_t bytes);

/** As rvi_alloc, for `count` elements of `bytes` each, zeroed; fails when the product overflows. */
__attribute__((malloc, alloc_size(1, 2), warn_unused_result)) void *rvi_calloc(size_t count,
                                                                               size_t bytes);

/** As rvi_alloc, at a multiple of `alignment`, a power of two. */
__attribute__((malloc, alloc_align(1), alloc_size(2), warn_unused_result)) void *rvi_alloc_aligned(
    size_t alignment, size_t bytes);

/** Change the size of `memory` (NULL: allocate). On failure NULL, and `memory` is as it was.
 * The alignment of rvi_alloc_aligned is lost. */
__attribute__((alloc_size(2), warn_unused_result)) void *rvi_realloc(void *memory, size_t bytes);

/** Free what any of the above returned; NULL is nothing. */
void rvi_free(void *memory);

/** Testing: let the n-th allocation from now fail, once (1: the next one); -1 disarms.
 *
 * Errors:  none; n == 0 is a mistake and panics
 * Blocks:  no
 * Threads: any; allocations of all threads count
 * Lifetime: until it has fired, or the next call */
void rvi_alloc_fail_after(long n);

/* alloc.c's; > 0: armed. */
extern _Atomic(long) rvi_alloc_countdown;

/** Testing: whether an armed failure has not fired yet. */
static inline bool rvi_alloc_fail_pending(void)
{
    return rvi_load_relaxed(&rvi_alloc_countdown) > 0;
}

/** Testing: the number of allocations now alive, or -1 in builds that do not count
 * (RVI_DEBUG_CHECKS below 1). */
long rvi_alloc_live(void);
