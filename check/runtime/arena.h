/* SPDX-License-Identifier: MIT */
/* arena.h - the runtime's own memory: never the program's heap, never libc's. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/** Zeroed, aligned to 16. Ends the execution as CK_UNABLE when there is none. */
void *ck_alloc(size_t bytes);

/** For reuse by an allocation of about the same size. NULL does nothing. */
void ck_free(void *piece, size_t bytes);

/** Pages at a fixed address (layout.h), nothing of them used yet. Ends the process if the place is
 * taken.
 * @param protection  as for mmap */
void *ck_map_at(uint64_t address, uint64_t bytes, int protection);
