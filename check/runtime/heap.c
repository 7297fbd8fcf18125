/* SPDX-License-Identifier: MIT */
/* heap.c - malloc and its family, on blocks at fixed addresses (blocks.c).
 *
 * Under check the program's heap is ours from its first byte: the constructors' and the dynamic
 * linker's part of it is inherited by each execution. Otherwise it is whose it was.
 *
 *   M1  what is freed is not given out again before half a megabyte more was freed; meanwhile it
 *       holds a pattern that is no address, so that unmodified programs crash on it, and
 *       instrumented ones fail at the access
 *   M2  freeing is a write to all of the block: it races with whatever nothing orders before it
 *   M3  freeing what another thread allocated or touched is a scheduling point
 *   M4  the record of a block's bytes is forgotten when it is freed, so the next owner finds it
 *       fresh
 *
 * Before an execution threads of static constructors may be real: then there is a lock. In an
 * execution one thread runs.
 *
 * Checked by: tests/unit/check/test_blocks.c, tests/check */
#include "check/runtime/heap.h"

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "check/runtime/access.h"
#include "check/runtime/arena.h"
#include "check/runtime/blocks.h"
#include "check/runtime/carrier.h"
#include "check/runtime/clocks.h"
#include "check/runtime/entry.h"
#include "check/runtime/fail.h"
#include "check/runtime/next.h"
#include "check/runtime/races.h"
#include "check/runtime/sched.h"

enum whose { NOT_KNOWN, OURS, THEIRS };

enum { PC_BITS = 48 };

static enum whose whose;
static bool is_mapped;
static atomic_flag lock_flag = ATOMIC_FLAG_INIT;

/* --- whose heap it is --- */

static bool map(void)
{
    if (!is_mapped)
        is_mapped = ck_blocks_map();
    return is_mapped;
}

/* Before libc knows its environment, which is early in the dynamic linker, nothing can be told:
 * such blocks are ours. */
static bool find_out(void)
{
    if (!environ)
        return map();
    whose = ck_attached > 0 || (ck_attached == 0 && getenv(CK_ENV)) ? OURS : THEIRS;
    if (whose == OURS && !map())
        whose = THEIRS;
    return whose == OURS;
}

static inline bool is_ours(void)
{
    return rvi_likely(whose == OURS) || (whose == NOT_KNOWN && find_out());
}

/* What libc wants for a thread-control block, which may be made before an execution or in it: so it
 * must not move the program's blocks. Whoever gives it back later gives it to nobody. */
static bool is_of_runtime(const void *memory)
{
    return (uintptr_t)memory - CK_AT_ARENA < CK_ARENA_BYTES;
}

static bool lock(void)
{
    if (ck_self)
        return false;
    while (atomic_flag_test_and_set_explicit(&lock_flag, memory_order_acquire)) /* pairs: heap */
        continue;
    return true;
}

static void unlock(bool is_locked)
{
    if (is_locked)
        atomic_flag_clear_explicit(&lock_flag, memory_order_release); /* pairs: heap */
}

/* --- failures --- */

static uint64_t stamp(uintptr_t pc)
{
    return (pc & ((UINT64_C(1) << PC_BITS) - 1)) | (uint64_t)(ck_self ? ck_self->id : 0) << PC_BITS;
}

static void past(struct ck_report *report, uint64_t stamped, uint64_t address, bool is_write)
{
    uintptr_t pc = stamped & ((UINT64_C(1) << PC_BITS) - 1);
    struct ck_party *party = ck_report_past(report, (uint32_t)(stamped >> PC_BITS), address, pc);

    if (party)
        party->is_write = is_write;
}

static const char *thread_name(uint64_t stamped, char text[static 24])
{
    snprintf(text, 24, "thread %u", (unsigned)(stamped >> PC_BITS));
    return text;
}

/* Parties: who finds it out, who freed it (if it is freed), who allocated it. */
static void fail(struct ck_block *block, const char *what, uint64_t address, size_t bytes,
                 bool is_write)
{
    char freed[24], allocated[24];
    struct ck_report *report;
    struct ck_party *party;

    if (ck_self) {
        ck_self->inside++; /* the unwinder is libc's caller too */
    } else {
        dprintf(STDERR_FILENO, "libravel_check: heap: %s at %#lx\n", what, (unsigned long)address);
        abort();
    }
    if (!block)
        report = ck_report_begin(CK_HEAP, "%s", what);
    else if (block->state == CK_BLOCK_IN_USE)
        report = ck_report_begin(CK_HEAP, "%s: %llu bytes allocated by %s", what,
                                 (unsigned long long)block->bytes,
                                 thread_name(block->allocated, allocated));
    else
        report = ck_report_begin(CK_HEAP, "%s: %llu bytes allocated by %s and freed by %s", what,
                                 (unsigned long long)block->bytes,
                                 thread_name(block->allocated, allocated),
                                 thread_name(block->freed, freed));
    report->bytes = (uint32_t)bytes;
    party = ck_report_party(report, ck_self->id, address);
    if (party)
        party->is_write = is_write;
    if (block && block->state != CK_BLOCK_IN_USE)
        past(report, block->freed, address, true);
    if (block)
        past(report, block->allocated, address, true);
    ck_report_fail(report);
}

static const char *what_is_wrong(const struct ck_block *block, bool is_write)
{
    if (block && block->state != CK_BLOCK_IN_USE)
        return is_write ? "write to freed memory" : "read from freed memory";
    return is_write ? "write outside of a block" : "read outside of a block";
}

static void touch(uintptr_t address, size_t bytes, bool is_write)
{
    struct ck_block *block = ck_block_around(address);
    uintptr_t memory = (uintptr_t)(block + 1);

    if (block && block->state == CK_BLOCK_IN_USE && address >= memory && bytes <= block->bytes &&
        address - memory <= block->bytes - bytes)
        return;
    fail(block, what_is_wrong(block, is_write), address, bytes, is_write);
}

void ck_heap_touch(uintptr_t address, size_t bytes, bool is_write)
{
    if (ck_heap_owns(address) && is_mapped)
        touch(address, bytes, is_write);
}

static void fail_spoilt(struct ck_block *block)
{
    if (block)
        fail(block, "memory was written to after it was freed", (uintptr_t)(block + 1),
             block->bytes, true);
}

void ck_heap_finish(void)
{
    fail_spoilt(is_mapped ? ck_block_spoilt() : NULL);
}

/* --- allocating --- */

static void *allocate(size_t bytes, size_t alignment, bool is_zeroed, uintptr_t pc)
{
    bool is_locked = lock(), is_zero;
    struct ck_block *block = ck_block_new(bytes, alignment, &is_zero);

    unlock(is_locked);
    if (!block) {
        errno = ENOMEM;
        return NULL;
    }
    block->allocated = stamp(pc);
    block->freed = 0;
    if (is_zeroed && !is_zero)
        memset(ck_block_memory(block), 0, bytes);
    if (ck_self && !ck_self->inside)
        ck_event(&(struct ck_op){CK_OP_ALLOC, false, (uint32_t)bytes,
                                 (uintptr_t)ck_block_memory(block), pc},
                 bytes, 0);
    return ck_block_memory(block);
}

/* --- freeing --- */

static struct ck_block *judge(void *memory)
{
    struct ck_block *block = ck_block_at(memory), *around;

    if (block && block->state == CK_BLOCK_IN_USE && ck_block_is_whole(block))
        return block;
    around = block ? block : ck_block_around((uintptr_t)memory);
    if (block && block->state == CK_BLOCK_IN_USE)
        fail(block, "something was written behind a block", (uintptr_t)memory + block->bytes, 1,
             true);
    else if (block)
        fail(block, "memory is freed twice", (uintptr_t)memory, 0, true);
    else
        fail(around, "what is freed is not the start of a block", (uintptr_t)memory, 0, true);
    return NULL;
}

/* M3 */
static void point(struct ck_block *block, uintptr_t memory, uintptr_t pc)
{
    struct ck_op op = {CK_OP_FREE, true, (uint32_t)block->bytes, memory, pc};

    if (block->allocated >> PC_BITS == ck_self->id && !ck_race_is_shared(memory, block->bytes))
        return;
    ck_point(&op);
    ck_event(&op, 0, 0);
}

/* M2, M4 */
static void forget(uintptr_t memory, size_t bytes, uintptr_t pc)
{
    if (!ck_self || bytes == 0)
        return;
    ck_access_settle();
    if (ck_access_wants_races())
        ck_race_access(memory, bytes, CK_WRITES | CK_FREES, pc);
    ck_hb_forget(memory, bytes);
}

static void retire(struct ck_block *block)
{
    bool is_locked = lock();

    ck_block_retire(block);
    block = ck_block_release();
    unlock(is_locked);
    fail_spoilt(block);
}

/* Others may run at the point, and free it. */
static void release(void *memory, uintptr_t pc)
{
    bool is_entered = ck_enter();
    struct ck_block *block = judge(memory);

    if (is_entered)
        point(block, (uintptr_t)memory, pc);
    block = judge(memory);
    forget((uintptr_t)memory, block->bytes, pc);
    block->freed = stamp(pc);
    retire(block);
    if (is_entered)
        ck_leave();
}

/* In an execution all is ours; before, what was allocated before we were there is not. */
static bool is_ours_to_free(const void *memory)
{
    return (is_mapped && ck_heap_owns((uintptr_t)memory)) || (ck_self && is_ours());
}

static void *resize(void *memory, size_t bytes, uintptr_t pc)
{
    struct ck_block *block = judge(memory);
    void *moved;

    if (ck_block_resize(block, bytes))
        return memory;
    moved = allocate(bytes, 1, false, pc);
    if (!moved)
        return NULL;
    memcpy(moved, memory, bytes < block->bytes ? bytes : block->bytes);
    release(memory, pc);
    return moved;
}

/* --- the family --- */

CK_EXPORT void *malloc(size_t bytes)
{
    if (rvi_unlikely(ck_carrier_is_being_made))
        return ck_alloc(bytes);
    if (!is_ours())
        return CK_NEXT(malloc)(bytes);
    return allocate(bytes, 1, false, CK_CALLER);
}

CK_EXPORT void free(void *memory)
{
    int error = errno;

    if (!memory || is_of_runtime(memory))
        return;
    if (is_ours_to_free(memory))
        release(memory, CK_CALLER);
    else
        CK_NEXT(free)(memory);
    errno = error;
}

CK_EXPORT void *calloc(size_t count, size_t bytes)
{
    size_t all;

    if (rvi_unlikely(ck_carrier_is_being_made))
        return ck_alloc(count * bytes);
    if (!is_ours())
        return CK_NEXT(calloc)(count, bytes);
    if (__builtin_mul_overflow(count, bytes, &all)) {
        errno = ENOMEM;
        return NULL;
    }
    return allocate(all, 1, true, CK_CALLER);
}

/* A block that is not ours stays libc's. */
static void *reallocate(void *memory, size_t bytes, uintptr_t pc)
{
    if (memory ? !is_ours_to_free(memory) : !is_ours())
        return CK_NEXT(realloc)(memory, bytes);
    if (!memory)
        return allocate(bytes, 1, false, pc);
    if (bytes > 0)
        return resize(memory, bytes, pc);
    release(memory, pc);
    return NULL;
}

CK_EXPORT void *realloc(void *memory, size_t bytes)
{
    return reallocate(memory, bytes, CK_CALLER);
}

CK_EXPORT void *reallocarray(void *memory, size_t count, size_t bytes)
{
    size_t all;

    if (__builtin_mul_overflow(count, bytes, &all)) {
        errno = ENOMEM;
        return NULL;
    }
    return reallocate(memory, all, CK_CALLER);
}

static bool is_power(size_t alignment)
{
    return alignment != 0 && (alignment & (alignment - 1)) == 0;
}

static void *allocate_aligned(size_t alignment, size_t bytes, uintptr_t pc)
{
    if (is_power(alignment))
        return allocate(bytes, alignment, false, pc);
    errno = EINVAL;
    return NULL;
}

CK_EXPORT void *memalign(size_t alignment, size_t bytes)
{
    if (!is_ours())
        return CK_NEXT(memalign)(alignment, bytes);
    return allocate_aligned(alignment, bytes, CK_CALLER);
}

CK_EXPORT void *aligned_alloc(size_t alignment, size_t bytes)
{
    if (!is_ours())
        return CK_NEXT(aligned_alloc)(alignment, bytes);
    return allocate_aligned(alignment, bytes, CK_CALLER);
}

CK_EXPORT int posix_memalign(void **ret_memory, size_t alignment, size_t bytes)
{
    int error = errno;
    void *memory;

    if (!is_ours())
        return CK_NEXT(posix_memalign)(ret_memory, alignment, bytes);
    if (!is_power(alignment) || alignment % sizeof(void *) != 0)
        return EINVAL;
    memory = allocate(bytes, alignment, false, CK_CALLER);
    errno = error;
    if (!memory)
        return ENOMEM;
    *ret_memory = memory;
    return 0;
}

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

CK_EXPORT void *valloc(size_t bytes)
{
    if (!is_ours())
        return CK_NEXT(valloc)(bytes);
    return allocate(bytes, page_bytes(), false, CK_CALLER);
}

CK_EXPORT void *pvalloc(size_t bytes)
{
    size_t page = page_bytes();

    if (!is_ours())
        return CK_NEXT(pvalloc)(bytes);
    return allocate((bytes + page - 1) / page * page, page, false, CK_CALLER);
}

CK_EXPORT size_t malloc_usable_size(void *memory)
{
    if (!memory)
        return 0;
    if (!is_ours_to_free(memory))
        return CK_NEXT(malloc_usable_size)(memory);
    return judge(memory)->bytes;
}

/* Before the constructors that may take the driver out of the environment. */
__attribute__((constructor(101))) static void at_load(void)
{
    (void)is_ours();
}
