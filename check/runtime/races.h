/* SPDX-License-Identifier: MIT */
/* races.h - data races, by happens-before. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check/runtime/shadow.h"

/** The current thread touches these bytes: hold that against what others did to them, report what
 * nothing orders, and record it.
 *
 * @param kind  of enum ck_record_kind: CK_WRITES, CK_ATOMIC_ACCESS, or both, or none; CK_WRITES |
 *              CK_FREES records nothing, since the memory is about to be forgotten */
void ck_race_access(uintptr_t address, size_t bytes, unsigned kind, uintptr_t pc);

/** Whether threads besides the current one have touched any of these bytes, as far as is
 * recorded. */
bool ck_race_is_shared(uintptr_t address, size_t bytes);

/** Which bytes of the granule are of [address, end): a bit each. */
unsigned ck_race_bytes_in(uintptr_t granule, uintptr_t address, uintptr_t end);
