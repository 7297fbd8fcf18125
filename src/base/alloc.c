/* SPDX-License-Identifier: MIT */
/* alloc.c - malloc, with a countdown to an injected failure and a count of what is alive.
 *
 * `rvi_alloc_countdown` is the number of allocations up to and including the one to fail; 0 or less
 * is disarmed. Several threads may allocate while it runs down: each takes its number by fetch_sub,
 * and the one that takes 1 fails, so that exactly one does. The threads that come after it leave
 * negative numbers behind, which is disarmed as well.
 *
 * All accesses are relaxed: they order nothing, and a test reads the counters after it has joined
 * its threads. */
#include "base/alloc.h"

#include <stdlib.h>

#include "base/atomic.h"
#include "base/check.h"

_Atomic(long) rvi_alloc_countdown = -1;

static bool must_fail(void)
{
    if (rvi_likely(rvi_load_relaxed(&rvi_alloc_countdown) <= 0))
        return false;
    return rvi_fetch_sub_relaxed(&rvi_alloc_countdown, 1) == 1;
}

#if RVI_DEBUG_CHECKS >= 1
static _Atomic(long) live;

static void count(long change)
{
    (void)rvi_fetch_add_relaxed(&live, change);
}

long rvi_alloc_live(void)
{
    return rvi_load_relaxed(&live);
}
#else
static void count(long change)
{
    (void)change;
}

long rvi_alloc_live(void)
{
    return -1;
}
#endif

void *rvi_alloc(size_t bytes)
{
    RV_DCHECK(bytes > 0);
    if (must_fail())
        return NULL;
    void *memory = malloc(bytes);
    count(memory != NULL);
    return memory;
}

void *rvi_calloc(size_t number, size_t bytes)
{
    RV_DCHECK(number > 0 && bytes > 0);
    if (must_fail())
        return NULL;
    void *memory = calloc(number, bytes);
    count(memory != NULL);
    return memory;
}

void *rvi_alloc_aligned(size_t alignment, size_t bytes)
{
    RV_DCHECK(bytes > 0);
    void *memory = NULL;
    if (alignment < sizeof(void *))
        alignment = sizeof(void *);
    if (must_fail() || posix_memalign(&memory, alignment, bytes) != 0)
        return NULL;
    count(1);
    return memory;
}

void *rvi_realloc(void *memory, size_t bytes)
{
    RV_DCHECK(bytes > 0);
    if (must_fail())
        return NULL;
    void *moved = realloc(memory, bytes);
    count(memory == NULL && moved != NULL);
    return moved;
}

void rvi_free(void *memory)
{
    count(-(memory != NULL));
    free(memory);
}

void rvi_alloc_fail_after(long n)
{
    RV_CHECK(n != 0);
    rvi_store_relaxed(&rvi_alloc_countdown, n);
}
