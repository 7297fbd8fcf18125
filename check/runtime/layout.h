/* SPDX-License-Identifier: MIT */
/* layout.h - where in the address space the checker keeps what must lie at the same addresses in
 * every process: programs hash pointers, sort by them, and print them. Far from where the kernel
 * puts programs and libraries. Each is a terabyte apart; a process that cannot have one is
 * CK_UNABLE. */
#pragma once

#include <stdint.h>

#define CK_AT_ARENA UINT64_C(0x200000000000)
#define CK_AT_BLOCKS UINT64_C(0x210000000000) /* thread-control blocks */
#define CK_AT_STACKS UINT64_C(0x220000000000)
#define CK_AT_HEAP UINT64_C(0x230000000000)
#define CK_AT_MAPPINGS UINT64_C(0x250000000000) /* the program's own */

#define CK_ARENA_BYTES (UINT64_C(16) << 30)
#define CK_MAPPINGS_BYTES (UINT64_C(512) << 30)
