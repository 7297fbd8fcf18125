/* SPDX-License-Identifier: MIT */
/* shadow.c - the table behind the cells.
 *
 * A directory by the upper bits of an address, of chunks that cover 16 MiB each. All of it is
 * address space that the kernel fills with zeros page by page as it is used, so an execution pays
 * for what the program touches: a page of cells for a kilobyte of its memory. Chunks are taken from
 * a reserve that was mapped before the fork.
 *
 *   S1  a cell that is not all zeros lies in a page whose bit in `touched` is set: ck_hb_forget and
 *       ranges look at those pages alone
 *   S2  chunk->more[i] is not NULL => cell i has CK_HAS_MORE
 *
 * Rejected: one linear shadow of the whole address space, as ThreadSanitizer has it, which needs a
 * layout without gaps and an address space without limits. A cell of one record, or of four: most
 * granules have a reader and a writer and nothing else.
 *
 * Checked by: tests/unit/check/test_races.c */
#include "check/runtime/shadow.h"

#include <string.h>
#include <sys/mman.h>

#include "check/runtime/arena.h"
#include "check/runtime/fail.h"

enum {
    RESERVE = 128 /* chunks: no memory before they are used */,
    PAGES_IN_WORD = 64,
    WORD_SHIFT = CK_PAGE_SHIFT + 6
};

struct ck_chunk **ck_shadow_dir;

static struct ck_chunk *reserve;
static unsigned reserve_left;

static void *map(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (at == MAP_FAILED)
        return NULL;
    madvise(at, bytes, MADV_NOHUGEPAGE);
    madvise(at, bytes, MADV_DONTDUMP);
    return at;
}

void ck_shadow_prepare(void)
{
    if (ck_shadow_dir)
        return;
    ck_shadow_dir = map(sizeof *ck_shadow_dir << CK_DIR_BITS);
    if (!ck_shadow_dir)
        ck_unable("there is no address space for what is recorded of memory");
    reserve = map(RESERVE * sizeof *reserve);
    reserve_left = reserve ? RESERVE : 0;
}

void ck_shadow_fini(void)
{
    munmap(ck_shadow_dir, sizeof *ck_shadow_dir << CK_DIR_BITS);
    munmap(reserve, RESERVE * sizeof *reserve);
    ck_shadow_dir = NULL;
    reserve_left = 0;
}

static struct ck_chunk *new_chunk(void)
{
    struct ck_chunk *chunk;

    if (reserve_left > 0)
        return &reserve[--reserve_left];
    chunk = map(sizeof *chunk);
    if (!chunk)
        ck_unable("there is no address space for what is recorded of memory");
    return chunk;
}

static struct ck_chunk *chunk_at(uintptr_t address)
{
    struct ck_chunk **entry = &ck_shadow_dir[address >> CK_CHUNK_SHIFT & ((1U << CK_DIR_BITS) - 1)];

    if (!*entry)
        *entry = new_chunk();
    return *entry;
}

static size_t page_of(uintptr_t address)
{
    return address >> CK_PAGE_SHIFT & (CK_CHUNK_PAGES - 1);
}

struct ck_cell *ck_shadow_cell(uintptr_t address)
{
    struct ck_chunk *chunk = chunk_at(address);
    size_t page = page_of(address);

    chunk->touched[page / PAGES_IN_WORD] |= UINT64_C(1) << page % PAGES_IN_WORD;
    return &chunk->cells[ck_shadow_index(address)];
}

/* --- at the side --- */

struct ck_more *ck_shadow_more_find(uintptr_t address)
{
    struct ck_cell *cell = ck_shadow_find(address);

    if (!cell || !(ck_record_kind(&cell->read) & CK_HAS_MORE))
        return NULL;
    return ck_shadow_chunk(address)->more[ck_shadow_index(address)];
}

struct ck_more *ck_shadow_more(uintptr_t address)
{
    struct ck_cell *cell = ck_shadow_cell(address);
    struct ck_more **more = &ck_shadow_chunk(address)->more[ck_shadow_index(address)];

    if (!*more)
        *more = ck_alloc(sizeof **more);
    cell->read.who |= (uint64_t)CK_HAS_MORE << CK_KIND_SHIFT;
    return *more;
}

void ck_more_add(struct ck_more *more, struct ck_record record)
{
    if (more->count == more->room) {
        uint32_t room = more->room ? 2 * more->room : 4;
        struct ck_record *records = ck_alloc(room * sizeof *records);
        if (more->count > 0)
            memcpy(records, more->records, more->count * sizeof *records);
        ck_free(more->records, more->room * sizeof *records);
        more->records = records;
        more->room = room;
    }
    more->records[more->count++] = record;
}

static struct ck_sync *find_sync(const struct ck_more *more, uint32_t at)
{
    for (struct ck_atomic *one = more->atomics; one; one = one->next) {
        if (one->at == at)
            return &one->sync;
    }
    return NULL;
}

struct ck_sync *ck_shadow_sync_find(uintptr_t address)
{
    const struct ck_more *more = ck_shadow_more_find(address);

    return more ? find_sync(more, address % CK_GRANULE_BYTES) : NULL;
}

struct ck_sync *ck_shadow_sync(uintptr_t address)
{
    struct ck_more *more = ck_shadow_more(address);
    struct ck_sync *sync = find_sync(more, address % CK_GRANULE_BYTES);
    struct ck_atomic *atomic;

    if (sync)
        return sync;
    atomic = ck_alloc(sizeof *atomic);
    atomic->at = address % CK_GRANULE_BYTES;
    atomic->next = more->atomics;
    more->atomics = atomic;
    return &atomic->sync;
}

static void free_more(struct ck_more *more)
{
    while (more->touches) {
        struct ck_touch *touch = more->touches;
        more->touches = touch->next;
        ck_free(touch, sizeof *touch);
    }
    while (more->atomics) {
        struct ck_atomic *atomic = more->atomics;
        more->atomics = atomic->next;
        ck_sync_fini(&atomic->sync);
        ck_free(atomic, sizeof *atomic);
    }
    ck_free(more->records, more->room * sizeof *more->records);
    ck_free(more, sizeof *more);
}

/* --- ranges --- */

/* How far, as a power of two, nothing is recorded; 0: something is in this page. */
static unsigned untouched_shift(const struct ck_chunk *chunk, size_t page)
{
    if (!chunk)
        return CK_CHUNK_SHIFT;
    if (chunk->touched[page / PAGES_IN_WORD] == 0)
        return WORD_SHIFT;
    return chunk->touched[page / PAGES_IN_WORD] >> page % PAGES_IN_WORD & 1 ? 0 : CK_PAGE_SHIFT;
}

static uintptr_t step_to(uintptr_t address, unsigned shift)
{
    return ((address >> shift) + 1) << shift;
}

uintptr_t ck_shadow_next(uintptr_t address, uintptr_t end)
{
    if (!ck_shadow_dir)
        return end;
    while (address < end) {
        unsigned shift = untouched_shift(ck_shadow_chunk(address), page_of(address));
        if (shift == 0)
            return address;
        address = step_to(address, shift);
    }
    return end;
}

static void forget_cell(struct ck_chunk *chunk, size_t i)
{
    if (chunk->more[i])
        free_more(chunk->more[i]);
    chunk->more[i] = NULL;
    chunk->cells[i] = (struct ck_cell){0};
}

/* The part of a granule: its other bytes belong to somebody else. */
static void forget_bytes(struct ck_record *record, unsigned bytes)
{
    record->who &= ~((uint64_t)bytes << CK_BYTES_SHIFT);
}

static void forget_part(uintptr_t address, unsigned bytes)
{
    struct ck_cell *cell = ck_shadow_find(address);
    struct ck_more *more = ck_shadow_more_find(address);

    if (!cell)
        return;
    forget_bytes(&cell->read, bytes);
    forget_bytes(&cell->write, bytes);
    for (uint32_t i = 0; more && i < more->count; i++)
        forget_bytes(&more->records[i], bytes);
}

static void untouch(struct ck_chunk *chunk, size_t page)
{
    chunk->touched[page / PAGES_IN_WORD] &= ~(UINT64_C(1) << page % PAGES_IN_WORD);
}

static void forget_granules(uintptr_t address, uintptr_t end)
{
    while ((address = ck_shadow_next(address, end)) < end) {
        struct ck_chunk *chunk = ck_shadow_chunk(address);
        uintptr_t to = step_to(address, CK_PAGE_SHIFT);
        bool is_whole = address % (1U << CK_PAGE_SHIFT) == 0 && to <= end;
        for (; address < to && address < end; address += CK_GRANULE_BYTES) {
            size_t i = ck_shadow_index(address);
            if (chunk->cells[i].read.who | chunk->cells[i].write.who)
                forget_cell(chunk, i);
        }
        if (is_whole)
            untouch(chunk, page_of(to - 1));
    }
}

void ck_hb_forget(uintptr_t address, size_t bytes)
{
    uintptr_t end = address + bytes, first = (address + 7) & ~UINT64_C(7),
              last = end & ~UINT64_C(7);

    if (!ck_shadow_dir || bytes == 0)
        return;
    if (first > last) {
        forget_part(address, ((1U << bytes) - 1) << address % 8);
        return;
    }
    if (address < first)
        forget_part(address, 0xff & (0xffU << address % 8));
    forget_granules(first, last);
    if (last < end)
        forget_part(last, (1U << end % 8) - 1);
}

uintptr_t ck_record_pc(const struct ck_record *record, unsigned bytes)
{
    uintptr_t pc = record->where & ((UINT64_C(1) << 48) - 1);

    if (bytes & ck_record_bytes(record) & 0x0f)
        return pc;
    return pc + (uintptr_t)((int64_t)record->where >> 48);
}
