/* SPDX-License-Identifier: MIT */
/* misuse.h - calls that are not allowed in the state that their object is in. */
#pragma once

#include "check/runtime/fail.h"

/** A report whose first party is the current thread, at the call that it is in. */
struct ck_report *ck_misuse_begin(const void *object, const char *what);

/** One more party: who took the object, and where. */
void ck_misuse_holder(struct ck_report *report, uint32_t thread, uintptr_t pc, uint64_t step);

/** The threads that are blocked on the object are parties, too, and the execution is over. */
_Noreturn void ck_misuse_fail(struct ck_report *report);
