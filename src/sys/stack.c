/* SPDX-License-Identifier: MIT */
/* stack.c - the pool that carves stacks out of one reserved region, and the workers' caches.
 *
 * The region is reserved once, readable and writable but without memory behind it, and carved in
 * order into slots of guard and usable bytes. What it costs is measured by what is touched.
 *
 * Guards. MADV_GUARD_INSTALL (Linux 6.13) makes pages fault without splitting the mapping, so that
 * a million guarded stacks remain one mapping; installed for 64 slots at a time by
 * process_madvise(2) on ourselves (measured: 0.56 us a guard). Elsewhere mprotect(2)
 * does the same at the price of two mappings a stack, of which vm.max_map_count allows 65,530 by
 * default: the pool stops at three quarters of it, because at the limit every other mmap of the
 * process fails too.
 *
 * A stack that returns to the pool gives up all of its pages, also the one with its descriptor. So
 * the pool keeps indices of free slots in an array of its own, never links inside the stacks.
 *
 * Huge pages are turned off for the region: with them the first touch of a stack would take 2 MiB.
 *
 * Invariants (pool->lock held):
 *   I1  carved <= guarded <= capacity: every carved slot has its guard
 *   I2  free_count + out == carved
 * Invariants of a cache (its thread only):
 *   C1  in each list all stacks that may be dirty come before all clean ones: pushes and pops work
 *       on the front, and a trim cleans the whole rest of a list. So a trim may stop at the first
 *       clean stack.
 *
 * Rejected: a mapping a stack (the limit on mappings; 2 system calls each); growing stacks by
 * moving them (pointers into frames); MAP_GROWSDOWN (no guard below it, and no way to give it
 * back); descriptors in a table apart (one more cache line and one more page in use a parked
 * fiber). */
#include "sys/stack.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/atomic.h"
#include "base/seam.h"
#include "sys/call.h"
#include "sys/ctx.h"
#include "sys/fiber_hooks.h"
#include "sys/lock.h"
#include "sys/thread.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif
#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

#define DEFAULT_USABLE_BYTES ((size_t)64 << 10)
#define DEFAULT_MAX ((size_t)4 << 20)
#define GUARD_BYTES ((size_t)16 << 10)

/* Below this many a reservation that shrinks by halves gives up. */
enum { SMALLEST_CAPACITY = 16 };
/* Slots whose guards are installed, or stacks whose pages are given back, by one system call. */
enum { BATCH = 64, FIRST_BATCH = 8 };
/* Stacks in one list of a cache, two lists each. */
enum { CACHE_LIMIT = 512 };
enum { COLOURS = 32, COLOUR_STEP = 11, COLOUR_BYTES = 64 };
enum { POCKET_BYTES = 64 };

static const uint64_t paint = 0x5ac3a51db2a1b7e5;

struct rvi_stack_pool {
    char *base;
    size_t slot_bytes;
    size_t guard_bytes;
    size_t usable_bytes;
    size_t page_bytes;
    size_t reserved; /* slots of address space */
    size_t capacity; /* fewer where guards take mappings */
    size_t heavy_allowed;
    bool has_light_guards;
    bool measure;
    int pidfd;                  /* of ourselves; -1 where it is of no use */
    _Atomic(bool) has_vectored; /* process_madvise works */
    _Atomic(size_t) carved;     /* written under the lock, read by signal handlers */
    struct rvi_lock lock;
    size_t guarded;       /* lock */
    size_t out;           /* lock */
    size_t free_count;    /* lock */
    uint32_t *free_slots; /* lock; room for capacity, memory as touched */
};

/* Slots of all pools of this process whose guards took mappings. */
static _Atomic(size_t) heavy_guards;

/* ---- geometry ---- */

static size_t round_up(size_t bytes, size_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

static char *page_of(const struct rvi_stack_pool *pool, void *address)
{
    return (char *)address - (uintptr_t)address % pool->page_bytes;
}

static char *slot_of(const struct rvi_stack_pool *pool, size_t index)
{
    return pool->base + index * pool->slot_bytes;
}

static char *body_of(const struct rvi_stack_pool *pool, size_t index)
{
    return slot_of(pool, index) + pool->guard_bytes;
}

static struct rvi_stack *descriptor_of(const struct rvi_stack_pool *pool, size_t index)
{
    size_t colour = index * COLOUR_STEP % COLOURS * COLOUR_BYTES;
    char *end = slot_of(pool, index) + pool->slot_bytes;
    return (struct rvi_stack *)(void *)(end - colour - POCKET_BYTES - sizeof(struct rvi_stack));
}

/* ---- advice to the kernel about many ranges at once ---- */

static size_t total_bytes(const struct iovec *ranges, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += ranges[i].iov_len;
    return total;
}

static bool advise_vectored(struct rvi_stack_pool *pool, const struct iovec *ranges, size_t count,
                            int advice)
{
    if (!rvi_load_relaxed(&pool->has_vectored))
        return false;
    enum rvi_call_site call =
        advice == MADV_GUARD_INSTALL ? RVI_CALL_GUARD_MANY : RVI_CALL_GIVE_BACK_MANY;
    long done =
        RVI_CALL_AT(call, syscall(SYS_process_madvise, pool->pidfd, ranges, count, advice, 0));
    if (done >= 0 && (size_t)done == total_bytes(ranges, count))
        return true;
    /* Old kernels know other advice only, filters none; after fork the pidfd is the parent's, which
     * the kernel refuses too. Short counts come from ranges of more than 2 GiB together. */
    if (done < 0 && errno != ENOMEM && errno != EAGAIN)
        rvi_store_relaxed(&pool->has_vectored, false);
    return false;
}

/* All advice used here may be given twice, so a vector that failed half-way is simply repeated. */
static int advise(struct rvi_stack_pool *pool, const struct iovec *ranges, size_t count, int advice)
{
    enum rvi_call_site call = advice == MADV_GUARD_INSTALL ? RVI_CALL_GUARD : RVI_CALL_GIVE_BACK;
    if (advise_vectored(pool, ranges, count, advice))
        return 0;
    for (size_t i = 0; i < count; i++) {
        if (RVI_CALL_AT(call, madvise(ranges[i].iov_base, ranges[i].iov_len, advice)) != 0)
            return -errno;
    }
    return 0;
}

/* Ranges collected until there are enough for one system call. Failure to give memory back (locked
 * pages) costs memory and nothing else. */
struct give_back {
    struct rvi_stack_pool *pool;
    size_t count;
    struct iovec ranges[BATCH];
};

static void give_back_flush(struct give_back *batch)
{
    if (batch->count > 0)
        (void)advise(batch->pool, batch->ranges, batch->count, MADV_DONTNEED);
    batch->count = 0;
}

static void give_back_add(struct give_back *batch, char *begin, const char *end)
{
    if (begin >= end)
        return;
    batch->ranges[batch->count++] = (struct iovec){begin, (size_t)(end - begin)};
    if (batch->count == BATCH)
        give_back_flush(batch);
}

/* ---- guards ---- */

static int install_light_guards(struct rvi_stack_pool *pool, size_t count)
{
    struct iovec ranges[BATCH];
    for (size_t i = 0; i < count; i++)
        ranges[i] = (struct iovec){slot_of(pool, pool->guarded + i), pool->guard_bytes};
    int rc = advise(pool, ranges, count, MADV_GUARD_INSTALL);
    if (rc == 0)
        pool->guarded += count;
    return rc;
}

/* Each stack of this kind takes two mappings; a quarter of all is left to the program. */
static size_t heavy_guards_allowed(void)
{
    long mappings = 65530;
    FILE *file = rvi_call_fails(RVI_CALL_READ_MAX_MAPPINGS)
                     ? NULL
                     : fopen("/proc/sys/vm/max_map_count", "re");
    if (file) {
        if (fscanf(file, "%ld", &mappings) != 1 || mappings < 0)
            mappings = 65530;
        fclose(file);
    }
    return (size_t)mappings / 8 * 3;
}

static int install_heavy_guard(struct rvi_stack_pool *pool)
{
    char *guard = slot_of(pool, pool->guarded);
    if (RVI_CALL(GUARD_HEAVY, mprotect(guard, pool->guard_bytes, PROT_NONE)) != 0)
        return -errno;
    pool->guarded++;
    (void)rvi_fetch_add_relaxed(&heavy_guards, 1);
    return 0;
}

/* Some are better than none: an error only when the first one fails. */
static int install_heavy_guards(struct rvi_stack_pool *pool, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool allowed = rvi_load_relaxed(&heavy_guards) < pool->heavy_allowed;
        int rc = allowed ? install_heavy_guard(pool) : -ENOMEM;
        if (rc != 0)
            return i > 0 ? 0 : rc;
    }
    return 0;
}

static int install_guards(struct rvi_stack_pool *pool)
{
    size_t count = pool->guarded == 0 ? FIRST_BATCH : BATCH;
    if (count > pool->capacity - pool->guarded)
        count = pool->capacity - pool->guarded;
    if (count == 0)
        return -ENOMEM;
    return pool->has_light_guards ? install_light_guards(pool, count)
                                  : install_heavy_guards(pool, count);
}

/* Emulators accept any advice and ignore it. The kernel's own write to a guard tells the truth
 * without a signal. */
static bool is_guarded(char *page)
{
    return RVI_CALL(PROBE_GUARD, getrandom(page, 1, GRND_NONBLOCK)) < 0 && errno == EFAULT;
}

/* The first slots are guarded here, so that open() fails where taking the first stack would. */
static int choose_guards(struct rvi_stack_pool *pool, bool force_mprotect)
{
    pool->has_light_guards = !force_mprotect;
    if (!force_mprotect && install_guards(pool) == 0 && is_guarded(pool->base))
        return 0;
    pool->has_light_guards = false;
    pool->guarded = 0;
    pool->heavy_allowed = heavy_guards_allowed();
    if (pool->capacity > pool->heavy_allowed)
        pool->capacity = pool->heavy_allowed;
    return install_guards(pool);
}

/* ---- reservation ---- */

static void *reserve(enum rvi_call_site call, size_t bytes)
{
    void *memory = RVI_CALL_AT(call, mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    return memory == MAP_FAILED ? NULL : memory;
}

/* Nobody can be told of a failure, and nothing is lost by it but the addresses and what memory
 * they have. */
static void release(void *memory, size_t bytes)
{
    (void)RVI_CALL(RELEASE, munmap(memory, bytes));
}

static int reserve_slots(struct rvi_stack_pool *pool, size_t count)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, pool->slot_bytes, &bytes))
        return -ENOMEM;
    pool->base = reserve(RVI_CALL_RESERVE_STACKS, bytes);
    if (!pool->base)
        return -ENOMEM;
    pool->free_slots = reserve(RVI_CALL_RESERVE_SLOTS, count * sizeof(*pool->free_slots));
    if (!pool->free_slots) {
        release(pool->base, bytes);
        return -ENOMEM;
    }
    pool->reserved = count;
    pool->capacity = count;
    return 0;
}

/* The tools' shadow of a large reservation costs memory, and ThreadSanitizer dies beyond 8,128
 * fibers and threads: better to report -ENOMEM before. */
static size_t most_allowed(void)
{
#ifdef RVI_HAVE_VALGRIND
    if (RUNNING_ON_VALGRIND)
        return 16 << 10;
#endif
    return RVI_TSAN ? 7680 : RVI_ASAN ? (size_t)64 << 10 : UINT32_MAX;
}

/* As much as is granted of what was asked for, halving: RLIMIT_AS and strict overcommit policies
 * leave little. max is a limit, not a promise. */
static int reserve_region(struct rvi_stack_pool *pool, size_t max)
{
    size_t count = max < most_allowed() ? max : most_allowed();
    size_t enough = count < SMALLEST_CAPACITY ? count : SMALLEST_CAPACITY;
    for (; count >= enough; count /= 2) {
        if (reserve_slots(pool, count) == 0)
            return 0;
    }
    return -ENOMEM;
}

/* Kernels without these features refuse, and nothing is lost. */
static void describe_region(struct rvi_stack_pool *pool)
{
    size_t bytes = pool->reserved * pool->slot_bytes;
    (void)RVI_CALL(NO_HUGE_PAGES, madvise(pool->base, bytes, MADV_NOHUGEPAGE));
    (void)RVI_CALL(NAME_REGION,
                   prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, pool->base, bytes, "ravel stacks"));
}

static void open_pidfd(struct rvi_stack_pool *pool)
{
    pool->pidfd = -1;
#ifdef RVI_HAVE_VALGRIND
    if (RUNNING_ON_VALGRIND)
        return; /* it warns about system calls that it does not know */
#endif
    pool->pidfd = (int)RVI_CALL(OPEN_PIDFD, syscall(SYS_pidfd_open, getpid(), 0));
    rvi_store_relaxed(&pool->has_vectored, pool->pidfd >= 0);
}

static void release_region(struct rvi_stack_pool *pool)
{
    if (!pool->has_light_guards)
        (void)rvi_fetch_sub_relaxed(&heavy_guards, pool->guarded);
    if (pool->pidfd >= 0)
        close(pool->pidfd);
    release(pool->base, pool->reserved * pool->slot_bytes);
    release(pool->free_slots, pool->reserved * sizeof(*pool->free_slots));
}

/* ---- the pool's slots ---- */

static int carve(struct rvi_stack_pool *pool, uint32_t *ret)
{
    size_t carved = rvi_load_relaxed(&pool->carved);
    if (carved == pool->guarded) {
        int rc = install_guards(pool);
        if (rc != 0)
            return rc;
    }
    *ret = (uint32_t)carved;
    rvi_store_relaxed(&pool->carved, carved + 1);
    return 0;
}

static int take_slot(struct rvi_stack_pool *pool, uint32_t *ret)
{
    if (pool->free_count > 0)
        *ret = pool->free_slots[--pool->free_count];
    else {
        int rc = carve(pool, ret);
        if (rc != 0)
            return rc;
    }
    pool->out++;
    return 0;
}

/* A batch is a small part of what is left, so that one worker does not hold what others lack. */
static size_t fair_batch(const struct rvi_stack_pool *pool, size_t room)
{
    size_t share = (pool->capacity - pool->out) / BATCH;
    return share < 1 ? 1 : share < room ? share : room;
}

/* Up to `room` slots; 0 with at least one, or -errno. */
static int take_slots(struct rvi_stack_pool *pool, uint32_t *slots, size_t room,
                      uint32_t *ret_count)
{
    uint32_t count = 0;
    int rc = 0;
    rvi_lock_acquire(&pool->lock);
    for (size_t batch = fair_batch(pool, room); count < batch && rc == 0;) {
        rc = take_slot(pool, &slots[count]);
        count += rc == 0;
    }
    rvi_lock_release(&pool->lock);
    *ret_count = count;
    return count > 0 ? 0 : rc;
}

static void return_slots(struct rvi_stack_pool *pool, const uint32_t *slots, size_t count)
{
    rvi_lock_acquire(&pool->lock);
    RV_DCHECK(pool->out >= count);
    memcpy(pool->free_slots + pool->free_count, slots, count * sizeof(*slots));
    pool->free_count += count;
    pool->out -= count;
    RV_DCHECK(pool->free_count + pool->out == rvi_load_relaxed(&pool->carved));
    rvi_lock_release(&pool->lock);
}

/* ---- birth and death of a stack ---- */

static struct rvi_stack *stack_born(struct rvi_stack_pool *pool, uint32_t index)
{
    struct rvi_stack *stack = descriptor_of(pool, index);
    *stack = (struct rvi_stack){
        .low = body_of(pool, index),
        .high = (char *)stack,
        .index = index,
    };
    *rvi_stack_pocket(stack) = NULL;
    rvi_hooks_stack_created(stack);
    if (pool->measure)
        rvi_stack_renew(stack, true);
    return stack;
}

/* Pages go back before the slots do: once in the free list, another worker may touch them. */
static void stacks_die(struct rvi_stack_pool *pool, struct rvi_stack *list)
{
    struct give_back pages = {.pool = pool};
    uint32_t slots[BATCH];
    size_t count = 0;
    while (list) {
        struct rvi_stack *stack = list;
        uint32_t index = stack->index;
        list = stack->next;
        rvi_hooks_stack_destroyed(stack);
        give_back_add(&pages, body_of(pool, index), slot_of(pool, index + (size_t)1));
        slots[count++] = index;
        if (count == BATCH) {
            give_back_flush(&pages);
            return_slots(pool, slots, count);
            count = 0;
        }
    }
    give_back_flush(&pages);
    return_slots(pool, slots, count);
}

/* ---- paint ---- */

/* Painting and looking for paint touch bytes that the tools take for nobody's. */
#define UNCHECKED __attribute__((no_sanitize("address", "thread")))

/* The lowest word that was written to; `high` when none. */
UNCHECKED static const char *lowest_used(const struct rvi_stack *stack)
{
    rvi_hooks_stack_inspected(stack);
    const uint64_t *word = (const uint64_t *)(const void *)stack->low;
    const uint64_t *end = (const uint64_t *)(const void *)stack->high;
    while (word < end && *word == paint)
        word++;
    return (const char *)word;
}

UNCHECKED static void paint_range(char *begin, char *end)
{
    uint64_t *stop = (uint64_t *)(void *)end;
    for (uint64_t *word = (uint64_t *)(void *)begin; word < stop; word++)
        *word = paint;
}

/* Only what was used is painted again, so that a stack that is reused costs its use. */
void rvi_stack_renew(struct rvi_stack *stack, bool measure)
{
    rvi_hooks_stack_reused(stack);
    stack->ctx = NULL;
    if (!measure)
        return;
    size_t unused = stack->is_painted ? (size_t)(lowest_used(stack) - stack->low) : 0;
    paint_range(stack->low + unused, stack->high);
    stack->is_painted = 1;
}

ssize_t rvi_stack_high_water(const struct rvi_stack *stack)
{
    if (!stack->is_painted)
        return -ENOTSUP;
    return stack->high - lowest_used(stack);
}

/* ---- the cache's slow halves ---- */

static uint32_t limit_for(const struct rvi_stack_pool *pool)
{
    size_t share = pool->capacity / BATCH;
    return share < 2 ? 2 : share < CACHE_LIMIT ? (uint32_t)share : CACHE_LIMIT;
}

void rvi_stack_cache_init(struct rvi_stack_cache *cache, struct rvi_stack_pool *pool)
{
    *cache = (struct rvi_stack_cache){
        .limit = limit_for(pool),
        .pool = pool,
        .measure = pool->measure,
    };
}

void rvi_stack_cache_fini(struct rvi_stack_cache *cache)
{
    stacks_die(cache->pool, cache->hot);
    stacks_die(cache->pool, cache->cold);
    return_slots(cache->pool, cache->fresh, cache->fresh_count);
    *cache = (struct rvi_stack_cache){0};
}

static void cold_becomes_hot(struct rvi_stack_cache *cache)
{
    cache->hot = cache->cold;
    cache->hot_count = cache->cold_count;
    cache->cold = NULL;
    cache->cold_count = 0;
}

int rvi_stack_cache_take_slow(struct rvi_stack_cache *cache, struct rvi_stack **ret)
{
    if (!cache->hot)
        cold_becomes_hot(cache);
    if (cache->hot) {
        *ret = rvi_stack_cache_pop(cache);
        return 0;
    }
    if (cache->fresh_count == 0) {
        size_t room = sizeof(cache->fresh) / sizeof(cache->fresh[0]);
        int rc = take_slots(cache->pool, cache->fresh, room, &cache->fresh_count);
        if (rc != 0)
            return rc;
    }
    *ret = stack_born(cache->pool, cache->fresh[--cache->fresh_count]);
    return 0;
}

void rvi_stack_cache_overflow(struct rvi_stack_cache *cache)
{
    stacks_die(cache->pool, cache->cold);
    cache->cold = cache->hot;
    cache->cold_count = cache->hot_count;
    cache->hot = NULL;
    cache->hot_count = 0;
}

/* Skips `*keep` stacks of the list, counting them down. */
static void trim_list(struct give_back *pages, struct rvi_stack *stack, size_t *keep)
{
    for (; stack && *keep > 0; stack = stack->next)
        (*keep)--;
    for (; stack && stack->is_dirty; stack = stack->next) {
        give_back_add(pages, stack->low, page_of(pages->pool, stack));
        stack->is_dirty = 0;
        stack->is_painted = 0;
    }
}

void rvi_stack_cache_trim(struct rvi_stack_cache *cache, size_t keep)
{
    struct give_back pages = {.pool = cache->pool};
    trim_list(&pages, cache->hot, &keep);
    trim_list(&pages, cache->cold, &keep);
    give_back_flush(&pages);
}

/* ---- one stack ---- */

void rvi_stack_prepare(struct rvi_stack *stack, void (*entry)(void *pass))
{
    stack->ctx = rvi_ctx_make(stack->high, entry);
}

/* The bounds of the calling thread's own stack. */
static int ask_for_bounds(char **ret_low, char **ret_high)
{
    pthread_attr_t attributes;
    void *low;
    size_t bytes;

    if (rvi_seam) {
        rvi_seam->thread_stack(rvi_seam, ret_low, ret_high);
        return 0;
    }
    int rc = rvi_call_fails(RVI_CALL_FIND_OWN_STACK)
                 ? errno
                 : pthread_getattr_np(pthread_self(), &attributes);
    if (rc != 0)
        return -rc;
    rc = pthread_attr_getstack(&attributes, &low, &bytes);
    pthread_attr_destroy(&attributes);
    if (rc != 0)
        return -rc;
    *ret_low = low;
    *ret_high = (char *)low + bytes;
    return 0;
}

static _Thread_local struct {
    char *low, *high; /* NULL: not noted */
} noted;

void rvi_stack_note_thread(void)
{
    char *low, *high;
    if (ask_for_bounds(&low, &high) == 0) {
        noted.low = low;
        noted.high = high;
    }
}

int rvi_stack_adopt_thread(struct rvi_stack *stack)
{
    char *low = noted.low, *high = noted.high;
    int rc = low && !rvi_seam ? 0 : ask_for_bounds(&low, &high);
    if (rc != 0)
        return rc;
    *stack = (struct rvi_stack){.low = low, .high = high, .index = UINT32_MAX};
    rvi_hooks_thread_adopted(stack);
    return 0;
}

/* ---- the pool ---- */

static int set_sizes(struct rvi_stack_pool *pool, const struct rvi_stack_pool_opts *opts)
{
    size_t usable = opts->usable_bytes ? opts->usable_bytes : DEFAULT_USABLE_BYTES;
    if (usable > SIZE_MAX / 4)
        return -EINVAL;
    pool->page_bytes = rvi_page_bytes();
    pool->usable_bytes = round_up(usable, pool->page_bytes);
    pool->guard_bytes = round_up(GUARD_BYTES, pool->page_bytes);
    pool->slot_bytes = pool->guard_bytes + pool->usable_bytes;
    pool->measure = opts->measure;
    return 0;
}

int rvi_stack_pool_open(struct rvi_stack_pool **ret, const struct rvi_stack_pool_opts *opts)
{
    static const struct rvi_stack_pool_opts defaults;
    if (!opts)
        opts = &defaults;
    struct rvi_stack_pool *pool = rvi_calloc(1, sizeof(*pool));
    if (!pool)
        return -ENOMEM;
    int rc = set_sizes(pool, opts);
    if (rc != 0)
        goto free_pool;
    rc = reserve_region(pool, opts->max ? opts->max : DEFAULT_MAX);
    if (rc != 0)
        goto free_pool;
    describe_region(pool);
    open_pidfd(pool);
    rc = choose_guards(pool, opts->force_mprotect);
    if (rc != 0)
        goto release;
    *ret = pool;
    return 0;
release:
    release_region(pool);
free_pool:
    rvi_free(pool);
    return rc;
}

void *rvi_stack_pool_close(struct rvi_stack_pool *pool)
{
    if (!pool)
        return NULL;
    RV_CHECK(pool->out == 0);
    release_region(pool);
    rvi_free(pool);
    return NULL;
}

/* mincore() in chunks: of a region that is mostly holes it reads mostly upper page tables. */
static size_t resident_bytes(const struct rvi_stack_pool *pool, size_t carved)
{
    enum { CHUNK_PAGES = 4096 };
    unsigned char present[CHUNK_PAGES];
    size_t chunk = CHUNK_PAGES * pool->page_bytes;
    size_t pages = 0;
    char *end = slot_of(pool, carved);
    for (char *at = pool->base; at < end; at += chunk) {
        size_t bytes = (size_t)(end - at) < chunk ? (size_t)(end - at) : chunk;
        if (RVI_CALL(COUNT_RESIDENT, mincore(at, bytes, present)) != 0)
            continue;
        for (size_t i = 0; i < bytes / pool->page_bytes; i++)
            pages += present[i] & 1;
    }
    return pages * pool->page_bytes;
}

size_t rvi_stack_pool_carved(const struct rvi_stack_pool *pool)
{
    return rvi_load_relaxed(&pool->carved);
}

void rvi_stack_pool_stats(struct rvi_stack_pool *pool, struct rvi_stack_stats *ret)
{
    rvi_lock_acquire(&pool->lock);
    struct rvi_stack_stats stats = {
        .capacity = pool->capacity,
        .carved = rvi_load_relaxed(&pool->carved),
        .out = pool->out,
        .usable_bytes = pool->usable_bytes,
        .has_light_guards = pool->has_light_guards,
    };
    rvi_lock_release(&pool->lock);
    stats.resident_bytes = resident_bytes(pool, stats.carved);
    *ret = stats;
}

enum rvi_stack_part rvi_stack_pool_find(struct rvi_stack_pool *pool, const void *address,
                                        struct rvi_stack **ret)
{
    uintptr_t offset = (uintptr_t)address - (uintptr_t)pool->base;
    size_t index = offset / pool->slot_bytes;
    if (index >= rvi_load_relaxed(&pool->carved))
        return RVI_STACK_NONE;
    *ret = descriptor_of(pool, index);
    return offset % pool->slot_bytes < pool->guard_bytes ? RVI_STACK_GUARD : RVI_STACK_BODY;
}
