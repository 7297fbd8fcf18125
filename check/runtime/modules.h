/* SPDX-License-Identifier: MIT */
/* modules.h - which modules of the program were compiled with instrumentation. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/** The module that this code is in was. */
void ck_module_note(uintptr_t pc);

/** Whether code or data at this address is of one of those. */
bool ck_module_is_instrumented(uintptr_t address);
