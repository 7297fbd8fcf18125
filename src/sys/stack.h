/* SPDX-License-Identifier: MIT */
/* stack.h - stacks for up to millions of fibers.
 *
 * One pool per runtime holds the address space; one cache per worker hands stacks out without a
 * lock. A stack's descriptor, struct rvi_stack, lies at the top of the stack's own memory:
 *
 *     slot:  | guard, 16 KiB | usable ... frames <- high | struct rvi_stack | pocket | colour |
 *            ^ no access     ^ low                                            0..31 cache lines
 *
 * so that a parked fiber touches one page: descriptor, saved context and first frames. The colour
 * differs from slot to slot, or the hot frames of a thousand fibers would compete for the same
 * few cache sets (measured: 10 ns a switch coloured, 24 to 32 not).
 *
 * Lifetime: a descriptor is born when its cache takes it from the pool and dies when the cache
 * gives it back (its page goes back to the kernel then); in between it keeps its address and its
 * fields. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/check.h"
#include "base/heap.h"

#if defined(__SANITIZE_ADDRESS__)
#define RVI_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RVI_ASAN 1
#endif
#endif
#ifndef RVI_ASAN
#define RVI_ASAN 0
#endif

struct rvi_stack_pool;

/* One cache line. Whoever runs or owns the stack may read it; no field is shared between
 * threads. */
struct rvi_stack {
    union {
        struct rvi_stack *next;     /* in a cache's free list, or the owner's */
        struct rvi_heap_node alarm; /* while taken: the owner's, not set here */
    };
    int64_t alarm_limit; /* the owner's, too */
    void *ctx;           /* rvi_stack_prepare(): a start that can be used again */
    void *user;          /* whoever runs on it; NULL when taken */
    char *low;           /* lowest usable byte */
    char *high;          /* frames start below this */
    union {
        void *tsan_fiber;     /* ThreadSanitizer's handle */
        void *asan_fake;      /* AddressSanitizer's fake stack while switched away */
        uint32_t valgrind_id; /* of builds without these two; 0 when not under valgrind */
    };
    uint32_t index;     /* slot in the pool; UINT32_MAX for a thread's own stack */
    uint8_t is_painted; /* rvi_stack_high_water() works */
    uint8_t is_dirty;   /* may hold pages below the descriptor's; set when put into a cache */
} __attribute__((aligned(64)));

/** A word for who runs on a stack of a pool, in a line that nobody else touches. NULL when the
 * stack is taken for the first time; who sets it sets it back. */
static inline void **rvi_stack_pocket(struct rvi_stack *stack)
{
    return (void **)(stack + 1);
}

_Static_assert(sizeof(struct rvi_stack) == 64, "one line of the page that a parked task touches");

struct rvi_stack_pool_opts {
    size_t usable_bytes; /* a stack, rounded up to pages; 0: 64 KiB */
    size_t max;          /* stacks; 0: as many as the address space allows, up to 4 Mi */
    bool measure;        /* paint stacks when they are taken, see rvi_stack_high_water() */
    bool force_mprotect; /* tests: guards as on a kernel without MADV_GUARD_INSTALL */
};

struct rvi_stack_stats {
    size_t capacity;       /* stacks the pool can ever hold */
    size_t carved;         /* slots used at least once */
    size_t out;            /* stacks that caches and fibers hold now */
    size_t usable_bytes;   /* a stack */
    size_t resident_bytes; /* of all stacks, as the kernel counts now */
    bool has_light_guards; /* guards that cost no mapping */
};

/* Reserve the address space. Memory is used only as stacks are touched. opts may be NULL.
 * Errors: -EINVAL sizes; -ENOMEM no room even for a few stacks (RLIMIT_AS, overcommit policy). */
int rvi_stack_pool_open(struct rvi_stack_pool **ret, const struct rvi_stack_pool_opts *opts)
    __attribute__((warn_unused_result));

/* Every cache must have been finished, and with it every stack returned. NULL is fine. */
void *rvi_stack_pool_close(struct rvi_stack_pool *pool);

/* From any thread. resident_bytes walks the page tables: milliseconds with a million stacks. */

/** Asks the kernel about the memory of every stack: for tests and measurements. */
void rvi_stack_pool_stats(struct rvi_stack_pool *pool, struct rvi_stack_stats *ret);

/** Its `carved` alone, for the price of a load. */
size_t rvi_stack_pool_carved(const struct rvi_stack_pool *pool);

enum rvi_stack_part { RVI_STACK_NONE, RVI_STACK_GUARD, RVI_STACK_BODY };

/* Which carved slot holds this address, and in which part. *ret is the descriptor, valid to read
 * when the stack is in use (user is NULL otherwise). Async-signal-safe, lock-free. */
enum rvi_stack_part rvi_stack_pool_find(struct rvi_stack_pool *pool, const void *address,
                                        struct rvi_stack **ret);

/* --- a worker's cache: owned by one thread, no locks until it runs empty or over ---
 *
 * Two lists of at most `limit` (Bonwick 2001, magazines): hot is used last in, first out; when it
 * is full it becomes cold and the former cold list, the stacks not used for longest, goes back to
 * the pool. So the pool's lock is taken at most once in `limit` operations. */
struct rvi_stack_cache {
    struct rvi_stack *hot;
    uint32_t hot_count;
    uint32_t limit;
    struct rvi_stack *cold;
    uint32_t cold_count;
    uint32_t fresh_count; /* slots taken from the pool whose memory was not touched yet */
    struct rvi_stack_pool *pool;
    bool measure;
    uint32_t fresh[64];
};

void rvi_stack_cache_init(struct rvi_stack_cache *cache, struct rvi_stack_pool *pool);

/* Return all cached stacks to the pool. Stacks taken from here must have been put into this or
 * another cache of the same pool before. */
void rvi_stack_cache_fini(struct rvi_stack_cache *cache);

/* The slow halves; call the inline functions below. */
int rvi_stack_cache_take_slow(struct rvi_stack_cache *cache, struct rvi_stack **ret);
void rvi_stack_cache_overflow(struct rvi_stack_cache *cache);
void rvi_stack_renew(struct rvi_stack *stack, bool measure);

/* The stack used last, or NULL when none is at hand (take() may still find one). */
static inline struct rvi_stack *rvi_stack_cache_pop(struct rvi_stack_cache *cache)
{
    struct rvi_stack *stack = cache->hot;
    if (rvi_unlikely(!stack))
        return NULL;
    cache->hot = stack->next;
    cache->hot_count--;
    if (RVI_ASAN || rvi_unlikely(cache->measure))
        rvi_stack_renew(stack, cache->measure);
    return stack;
}

/* The same if nothing has to be done before a fiber can start on it, for paths that want no frame:
 * its `ctx` is there. NULL: call take(). */
static inline struct rvi_stack *rvi_stack_cache_pop_ready(struct rvi_stack_cache *cache)
{
    struct rvi_stack *stack = cache->hot;
    if (RVI_ASAN || rvi_unlikely(!stack || !stack->ctx || cache->measure))
        return NULL;
    cache->hot = stack->next;
    cache->hot_count--;
    return stack;
}

/* A stack. Unless it has its `ctx` from an earlier fiber, rvi_stack_prepare() must give it one.
 * Errors: -ENOMEM the pool is full, or the kernel has no memory or mappings for another guard. */
__attribute__((warn_unused_result)) static inline int rvi_stack_cache_take(
    struct rvi_stack_cache *cache, struct rvi_stack **ret)
{
    struct rvi_stack *stack = rvi_stack_cache_pop(cache);
    if (rvi_unlikely(!stack))
        return rvi_stack_cache_take_slow(cache, ret);
    *ret = stack;
    return 0;
}

/* Whether push() is no more than a few stores. */
static inline bool rvi_stack_cache_has_room(const struct rvi_stack_cache *cache)
{
    return cache->hot_count + 1 < cache->limit;
}

/* Give a stack back, from this or another cache of the same pool. Nothing may run on it. */
static inline void rvi_stack_cache_push(struct rvi_stack_cache *cache, struct rvi_stack *stack)
{
    stack->user = NULL;
    stack->is_dirty = 1;
    stack->next = cache->hot;
    cache->hot = stack;
    if (rvi_unlikely(++cache->hot_count >= cache->limit))
        rvi_stack_cache_overflow(cache);
}

/* For a worker that goes idle: give the kernel back what cached stacks hold below their
 * descriptor's page, except for the `keep` used last. Costs nothing when nothing was used since the
 * last time. */
void rvi_stack_cache_trim(struct rvi_stack_cache *cache, size_t keep);

/* --- one stack --- */

/* Let a switch to stack->ctx call entry(pass). entry must not return. It stays good for the next
 * fiber on this stack, see rvi_ctx_make(). */
void rvi_stack_prepare(struct rvi_stack *stack, void (*entry)(void *pass));

/* Ask for the bounds of the calling thread's own stack now: of the first thread they are read from
 * a file, which a confined process may not open. */
void rvi_stack_note_thread(void);

/* Describe the calling thread's own stack, so that a scheduler's context and a fiber switch alike.
 * Returns 0, or -errno from asking for the thread's bounds. */
int rvi_stack_adopt_thread(struct rvi_stack *stack) __attribute__((warn_unused_result));

/* The most bytes used since the stack was taken, or -ENOTSUP unless the pool measures. Only while
 * the stack is not running, or from itself. */
ssize_t rvi_stack_high_water(const struct rvi_stack *stack);
