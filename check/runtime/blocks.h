/* SPDX-License-Identifier: MIT */
/* blocks.h - the blocks of the heap: where they lie, which is in use, what was written beside
 * them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ck_block_state {
    CK_BLOCK_IN_USE = 0xa5, /* a byte that other data is unlikely to be */
    CK_BLOCK_FREED = 0x5a,
    CK_BLOCK_SPARE = 0x3c, /* out of quarantine */
};

/* In front of what the program gets. */
struct ck_block {
    uint64_t bytes : 40;
    uint64_t class : 8;
    uint64_t state : 8;
    uint64_t mark : 8;  /* of the address, so that an overflow into it is seen */
    uint64_t allocated; /* program counter (0-47) and thread (48-63) */
    uint64_t freed;
    struct ck_block *next; /* in quarantine, or among the spares */
};

_Static_assert(sizeof(struct ck_block) % 16 == 0, "blocks are aligned as malloc promises");

/** Address space for the heap. @return false: there is none */
bool ck_blocks_map(void);

/** @param alignment  a power of two
 * @param ret_is_zero  its memory has never been used
 * @return a block in use; NULL: the heap is full */
struct ck_block *ck_block_new(size_t bytes, size_t alignment, bool *ret_is_zero);

/** The block in whose memory, or in front or behind of it, the address is. NULL: none has been
 * there. */
struct ck_block *ck_block_around(uintptr_t address);

/** The block whose memory begins exactly there; NULL: none does, or its header was written over. */
struct ck_block *ck_block_at(const void *memory);

static inline void *ck_block_memory(struct ck_block *block)
{
    return block + 1;
}

/** Its size changes where it is; false: it does not fit. */
bool ck_block_resize(struct ck_block *block, size_t bytes);

/** Whether what is behind its memory is as it was. */
bool ck_block_is_whole(const struct ck_block *block);

/** It is freed: into the quarantine, filled with a pattern. */
void ck_block_retire(struct ck_block *block);

/** While the quarantine holds more than it should: the oldest leaves, to be used again.
 * @return that one if it was written to since it was freed; NULL: none was */
struct ck_block *ck_block_release(void);

/** Any block in quarantine that was written to. NULL: none. */
struct ck_block *ck_block_spoilt(void);
