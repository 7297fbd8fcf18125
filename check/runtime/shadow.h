/* SPDX-License-Identifier: MIT */
/* shadow.h - what was last done to each byte of the program's memory.
 *
 * Eight bytes of memory (a granule) have a cell: the last read, the last write, each with the bytes
 * that it touched. Where that does not tell all (bytes read and written by different places, reads
 * by several threads that nothing orders) more records hang at the side. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "check/runtime/clocks.h"

enum {
    CK_GRANULE_BYTES = 8,
    CK_CHUNK_SHIFT = 24, /* memory that a piece of shadow covers: 16 MiB */
    CK_CHUNK_CELLS = 1 << (CK_CHUNK_SHIFT - 3),
    CK_DIR_BITS = 48 - CK_CHUNK_SHIFT,
    CK_PAGE_SHIFT = 12,
    CK_CHUNK_PAGES = 1 << (CK_CHUNK_SHIFT - CK_PAGE_SHIFT),
};

/* `who` of a record: clock (0-31), thread (32-47), bytes of the granule (48-55), kind (56-63).
 * 0: nothing is recorded. */
enum { CK_BYTES_SHIFT = 48, CK_KIND_SHIFT = 56 };

enum ck_record_kind {
    CK_WRITES = 1,
    CK_ATOMIC_ACCESS = 2,
    CK_FREES = 4,       /* with CK_WRITES: the memory is given back */
    CK_HAS_MORE = 64,   /* in a cell's read record only: the granule has a ck_more */
    CK_IS_SHARED = 128, /* there only: threads besides the first have touched it */
    CK_RECORD_KINDS = CK_WRITES | CK_ATOMIC_ACCESS,
};

#define CK_ID_MASK ((UINT64_C(1) << CK_BYTES_SHIFT) - 1)

/* `where`: the program counter of those in the lower four bytes (0-47), and how far that of those
 * in the upper four is from it (48-63, signed): two ints of a struct have one record. */
struct ck_record {
    uint64_t who;
    uint64_t where;
};

struct ck_cell {
    struct ck_record read;
    struct ck_record write;
};

/* What an atomic object in the granule carries. */
struct ck_atomic {
    struct ck_atomic *next;
    uint32_t at; /* its offset in the granule */
    struct ck_sync sync;
};

/* Who came to the granule from where, for learn.c. */
struct ck_touch {
    struct ck_touch *next;
    uint64_t who; /* as in a record */
    uintptr_t pc;
};

struct ck_more {
    struct ck_record *records; /* reads and writes; in no order */
    uint32_t count, room;
    struct ck_atomic *atomics;
    struct ck_touch *touches;
};

struct ck_chunk {
    struct ck_cell cells[CK_CHUNK_CELLS];
    struct ck_more *more[CK_CHUNK_CELLS];
    uint64_t touched[CK_CHUNK_PAGES / 64]; /* pages of memory whose cells are not all zeros */
};

/** By the upper bits of an address; NULL before ck_shadow_prepare(). */
extern struct ck_chunk **ck_shadow_dir __attribute__((visibility("hidden")));

/** Once, before the fork: address space, no memory. */
void ck_shadow_prepare(void);

/** The address space is given back. For tests: memory checkers look through all of it at exit. */
void ck_shadow_fini(void);

static inline struct ck_chunk *ck_shadow_chunk(uintptr_t address)
{
    return ck_shadow_dir[address >> CK_CHUNK_SHIFT & ((1U << CK_DIR_BITS) - 1)];
}

static inline size_t ck_shadow_index(uintptr_t address)
{
    return address / CK_GRANULE_BYTES % CK_CHUNK_CELLS;
}

/** To write to. */
struct ck_cell *ck_shadow_cell(uintptr_t address);

/** To look at; NULL: nothing has been recorded anywhere near. */
static inline struct ck_cell *ck_shadow_find(uintptr_t address)
{
    struct ck_chunk *chunk = ck_shadow_dir ? ck_shadow_chunk(address) : NULL;

    return chunk ? &chunk->cells[ck_shadow_index(address)] : NULL;
}

/** What hangs at the side of the cell of this address, made at need. */
struct ck_more *ck_shadow_more(uintptr_t address);

/** The same; NULL: nothing. */
struct ck_more *ck_shadow_more_find(uintptr_t address);

/** The release sequence of the atomic object at this address; _find: NULL if there was none. */
struct ck_sync *ck_shadow_sync(uintptr_t address);
struct ck_sync *ck_shadow_sync_find(uintptr_t address);

/** One more record at the side. */
void ck_more_add(struct ck_more *more, struct ck_record record);

/** The address of the first granule at or above `address`, below `end`, in whose page something is
 * recorded; `end`: none. */
uintptr_t ck_shadow_next(uintptr_t address, uintptr_t end);

static inline unsigned ck_record_bytes(const struct ck_record *record)
{
    return record->who >> CK_BYTES_SHIFT & 0xff;
}

static inline unsigned ck_record_kind(const struct ck_record *record)
{
    return (unsigned)(record->who >> CK_KIND_SHIFT);
}

static inline uint32_t ck_record_thread(const struct ck_record *record)
{
    return record->who >> 32 & 0xffff;
}

static inline uint32_t ck_record_clock(const struct ck_record *record)
{
    return (uint32_t)record->who;
}

/** The place that touched these of its bytes. */
uintptr_t ck_record_pc(const struct ck_record *record, unsigned bytes);
