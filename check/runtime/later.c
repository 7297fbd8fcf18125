/* SPDX-License-Identifier: MIT */
/* later.c - weak stand-ins for parts of the runtime that are being written. */
#include "check/runtime/heap.h"

__attribute__((weak)) void ck_heap_touch(uintptr_t address, size_t bytes, bool is_write,
                                         uintptr_t pc)
{
    (void)address, (void)bytes, (void)is_write, (void)pc;
}
