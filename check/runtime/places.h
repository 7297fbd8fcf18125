/* SPDX-License-Identifier: MIT */
/* places.h - addresses as (module, offset), which mean the same in every process. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "check/wire.h"

struct dl_phdr_info;

/* Where a module lies: [low, high). */
struct ck_range {
    uintptr_t low, high;
};

struct ck_range ck_module_range(const struct dl_phdr_info *info);

/** Write the table of modules into the mapping: what is loaded now. */
void ck_places_learn(void);

/** Of a return address, as __builtin_return_address() gives it: the place of the call before it. */
struct ck_place ck_place_of(uintptr_t return_address);

/** The same in one number, for strategies; 0: in no module. */
uint64_t ck_place_number(uintptr_t return_address);

/** Of an address in memory: the same number in every process, as long as it is in a module's data
 * or in memory that the checker has placed. */
uint64_t ck_place_of_data(uintptr_t address);

/** Whether it is the runtime's own code. */
bool ck_place_is_own(uintptr_t address);

/** Where the runtime's own module lies. */
void ck_place_own(uintptr_t *low, uintptr_t *high);
