/* SPDX-License-Identifier: MIT */
/* heap.h - the program's heap, at the same addresses in every process. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check/runtime/layout.h"

#define CK_HEAP_BYTES (UINT64_C(64) << 30)

/** Whether the address is of the heap: in a block, between blocks, or where none has been yet. */
static inline bool ck_heap_owns(uintptr_t address)
{
    return address - CK_AT_HEAP < CK_HEAP_BYTES;
}

/** Whether it is, give or take the offset of a member, what freed memory holds. */
static inline bool ck_heap_is_pattern(uint64_t value)
{
    return value - UINT64_C(0xdddddddddddddddd) + 0x8000 < 0x10000;
}

/** The program touches these bytes. If they are in the heap but not in one block that is in use,
 * that is a failure, and this does not return. */
void ck_heap_touch(uintptr_t address, size_t bytes, bool is_write);

/** At the end of an execution without failure: freed blocks that were written to. */
void ck_heap_finish(void);
