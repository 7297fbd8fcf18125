/* SPDX-License-Identifier: MIT */
/* blocks.c - one frontier that moves up, spares by size class, a quarantine in between.
 *
 *   B1  a block stays where it is for ever: what is freed is used again for the same class. Nothing
 *       is split or joined, so a block is found from any address in it
 *   B2  the bit of a header's address in `starts` is set for each block that there has ever been
 *   B3  covers[page] is the block that reaches over the page's first byte, in units of 16 bytes; 0:
 *       none does
 *   B4  a freed block holds the pattern, up to PATTERN_MOST bytes of it, until it leaves the
 *       quarantine
 *   B5  which addresses the program gets depends on its calls alone
 *
 * A small program's blocks of all sizes lie in the same few pages: each page that an execution
 * touches is copied for it, so pages by size class would cost more than the headers do.
 *
 * Rejected: headers elsewhere, which touch another page for each; a red zone on both sides, since
 * the header in front is one.
 *
 * Checked by: tests/unit/check/test_blocks.c */
#include "check/runtime/blocks.h"

#include <string.h>
#include <sys/mman.h>

#include "check/runtime/heap.h"

enum {
    UNIT = 16,
    PAGE = 4096,
    FINE = 512, /* up to here a class each UNIT, above four a doubling */
    FINE_CLASSES = FINE / UNIT,
    CLASSES = 160,
    BEHIND_LEAST = 8,
    BEHIND_CHECKED = 64,
    PATTERN_MOST = 4096,
    ALIGNED_TRIES = 8,
    PATTERN_FREED = 0xdd,
    PATTERN_BEHIND = 0xfb,
};

#define QUARANTINE_BYTES ((uint64_t)512 << 10)
#define LARGE_BYTES                                                                                \
    ((uint64_t)64 << 10) /* counts for this in quarantine, and its pages are given up */
#define STARTS_AT (CK_AT_HEAP + CK_HEAP_BYTES)
#define STARTS_BYTES (CK_HEAP_BYTES / UNIT / 8)
#define COVERS_AT (STARTS_AT + STARTS_BYTES)
#define COVERS_BYTES (CK_HEAP_BYTES / PAGE * sizeof(uint32_t))
#define ALL_BYTES (CK_HEAP_BYTES + STARTS_BYTES + COVERS_BYTES)

static uint64_t *const starts = (uint64_t *)STARTS_AT;
static uint32_t *const covers = (uint32_t *)COVERS_AT;

static uintptr_t frontier;
static struct ck_block *spares[CLASSES];
static struct ck_block *oldest, *newest;
static uint64_t quarantined;

bool ck_blocks_map(void)
{
    void *at = mmap((void *)CK_AT_HEAP, ALL_BYTES, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

    if (at == MAP_FAILED)
        return false;
    if (at != (void *)CK_AT_HEAP) { /* a kernel that does not know the flag */
        munmap(at, ALL_BYTES);
        return false;
    }
    madvise(at, ALL_BYTES, MADV_NOHUGEPAGE);
    frontier = CK_AT_HEAP + UNIT; /* so that B3's 0 is no block */
    return true;
}

/* --- classes, of whole blocks with all that belongs to them --- */

static unsigned class_of(uint64_t whole)
{
    unsigned doubling;

    if (whole <= FINE)
        return (unsigned)((whole + UNIT - 1) / UNIT);
    doubling = 63 - (unsigned)__builtin_clzll(whole - 1);
    return FINE_CLASSES + 1 + (doubling - 9) * 4 +
           (unsigned)((whole - 1 - (UINT64_C(1) << doubling)) >> (doubling - 2));
}

static uint64_t class_bytes(unsigned class)
{
    unsigned quarter;

    if (class <= FINE_CLASSES)
        return (uint64_t) class * UNIT;
    quarter = class - FINE_CLASSES - 1;
    return ((uint64_t)FINE << quarter / 4) / 4 * (5 + quarter % 4);
}

static uint64_t whole_bytes(const struct ck_block *block)
{
    return class_bytes(block->class);
}

/* --- marks --- */

static unsigned mark_of(const struct ck_block *block)
{
    return (unsigned)((uintptr_t)block / UNIT * 0x9d % 251 + 1);
}

/* Not 0: a block of less than nothing behind it has no class. */
static size_t behind(const struct ck_block *block)
{
    size_t bytes = whole_bytes(block) - sizeof *block - block->bytes;

    return bytes < BEHIND_CHECKED ? bytes : BEHIND_CHECKED;
}

static bool is_filled(const unsigned char *at, size_t bytes, unsigned char pattern)
{
    return bytes == 0 || (at[0] == pattern && memcmp(at, at + 1, bytes - 1) == 0);
}

static void mark_behind(struct ck_block *block)
{
    memset((char *)ck_block_memory(block) + block->bytes, PATTERN_BEHIND, behind(block));
}

bool ck_block_is_whole(const struct ck_block *block)
{
    const unsigned char *memory = (const unsigned char *)(block + 1);

    return is_filled(memory + block->bytes, behind(block), PATTERN_BEHIND);
}

/* --- finding --- */

static size_t unit_of(uintptr_t address)
{
    return (address - CK_AT_HEAP) / UNIT;
}

static bool is_start(uintptr_t address)
{
    return address % UNIT == 0 && starts[unit_of(address) / 64] >> unit_of(address) % 64 & 1;
}

/* B2, B3 */
static void enter(struct ck_block *block)
{
    uintptr_t at = (uintptr_t)block, end = at + whole_bytes(block);

    starts[unit_of(at) / 64] |= UINT64_C(1) << unit_of(at) % 64;
    for (uintptr_t page = (at / PAGE + 1) * PAGE; page < end; page += PAGE)
        covers[(page - CK_AT_HEAP) / PAGE] = (uint32_t)unit_of(at);
}

/* The last start at or below, in the same page. */
static uintptr_t start_in_page(uintptr_t address)
{
    enum { WORDS = PAGE / UNIT / 64 };
    size_t unit = unit_of(address), word = unit / 64, first = word / WORDS * WORDS;
    uint64_t bits = starts[word] & (~UINT64_C(0) >> (63 - unit % 64));

    while (!bits && word > first)
        bits = starts[--word];
    return bits ? CK_AT_HEAP + (word * 64 + 63 - (unsigned)__builtin_clzll(bits)) * UNIT : 0;
}

struct ck_block *ck_block_around(uintptr_t address)
{
    uintptr_t start;

    if (address >= frontier || !ck_heap_owns(address))
        return NULL;
    start = start_in_page(address);
    if (!start && covers[(address - CK_AT_HEAP) / PAGE])
        start = CK_AT_HEAP + (uint64_t)covers[(address - CK_AT_HEAP) / PAGE] * UNIT;
    return (struct ck_block *)start;
}

struct ck_block *ck_block_at(const void *memory)
{
    struct ck_block *block = (struct ck_block *)((uintptr_t)memory - sizeof *block);

    if (!ck_heap_owns((uintptr_t)block) || (uintptr_t)block >= frontier ||
        !is_start((uintptr_t)block) || block->mark != mark_of(block))
        return NULL;
    return block;
}

/* --- making --- */

static bool is_aligned(struct ck_block *block, size_t alignment)
{
    return (uintptr_t)ck_block_memory(block) % alignment == 0;
}

static struct ck_block *take_spare(unsigned class, size_t alignment)
{
    struct ck_block **at = &spares[class];

    for (unsigned i = 0; *at && i < ALIGNED_TRIES; i++, at = &(*at)->next) {
        struct ck_block *block = *at;
        if (is_aligned(block, alignment)) {
            *at = block->next;
            return block;
        }
    }
    return NULL;
}

static struct ck_block *take_fresh(unsigned class, size_t alignment)
{
    uintptr_t memory =
        (frontier + sizeof(struct ck_block) + alignment - 1) & ~(uintptr_t)(alignment - 1);
    struct ck_block *block = (struct ck_block *)(memory - sizeof *block);
    uintptr_t end = (uintptr_t)block + class_bytes(class);

    if (end > CK_AT_HEAP + CK_HEAP_BYTES || end < frontier)
        return NULL;
    frontier = end;
    block->class = class;
    block->mark = mark_of(block);
    enter(block);
    return block;
}

struct ck_block *ck_block_new(size_t bytes, size_t alignment, bool *ret_is_zero)
{
    struct ck_block *block;
    unsigned class;

    if (bytes > CK_HEAP_BYTES || alignment > CK_HEAP_BYTES)
        return NULL;
    alignment = alignment < UNIT ? UNIT : alignment;
    class = class_of(sizeof *block + bytes + BEHIND_LEAST);
    block = take_spare(class, alignment);
    *ret_is_zero = !block;
    if (!block)
        block = take_fresh(class, alignment);
    if (!block)
        return NULL;
    block->bytes = bytes;
    block->state = CK_BLOCK_IN_USE;
    mark_behind(block);
    return block;
}

bool ck_block_resize(struct ck_block *block, size_t bytes)
{
    if (bytes > block->bytes || class_of(sizeof *block + bytes + BEHIND_LEAST) != block->class)
        return false;
    block->bytes = bytes;
    mark_behind(block);
    return true;
}

/* --- leaving --- */

static size_t pattern_bytes(const struct ck_block *block)
{
    return block->bytes < PATTERN_MOST ? block->bytes : PATTERN_MOST;
}

static bool is_spoilt(const struct ck_block *block)
{
    return !is_filled((const unsigned char *)(block + 1), pattern_bytes(block), PATTERN_FREED);
}

static uint64_t cost_of(const struct ck_block *block)
{
    return whole_bytes(block) < LARGE_BYTES ? whole_bytes(block) : LARGE_BYTES;
}

/* Whole pages of a large block go back to the kernel, but for those with the pattern. */
static void trim(struct ck_block *block)
{
    uintptr_t from = (uintptr_t)ck_block_memory(block) + PATTERN_MOST;
    uintptr_t to = ((uintptr_t)block + whole_bytes(block)) & ~(uintptr_t)(PAGE - 1);

    from = (from + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
    if (whole_bytes(block) > LARGE_BYTES && from < to)
        madvise((void *)from, to - from, MADV_DONTNEED);
}

void ck_block_retire(struct ck_block *block)
{
    block->state = CK_BLOCK_FREED;
    memset(ck_block_memory(block), PATTERN_FREED, pattern_bytes(block));
    trim(block);
    block->next = NULL;
    if (newest)
        newest->next = block;
    else
        oldest = block;
    newest = block;
    quarantined += cost_of(block);
}

struct ck_block *ck_block_release(void)
{
    while (quarantined > QUARANTINE_BYTES) {
        struct ck_block *block = oldest;
        bool was_spoilt = is_spoilt(block);
        oldest = block->next;
        newest = oldest ? newest : NULL;
        quarantined -= cost_of(block);
        block->state = CK_BLOCK_SPARE;
        block->next = spares[block->class];
        spares[block->class] = block;
        if (was_spoilt)
            return block;
    }
    return NULL;
}

struct ck_block *ck_block_spoilt(void)
{
    for (struct ck_block *block = oldest; block; block = block->next) {
        if (is_spoilt(block))
            return block;
    }
    return NULL;
}
