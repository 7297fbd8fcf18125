/* SPDX-License-Identifier: MIT */
/* access.h - the program's accesses to memory, as -fsanitize=thread shows them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Once, before the fork: address space for what will be recorded. */
void ck_access_prepare(void);

/** In an execution, when its main thread exists and before its first step: what the plan wants. */
void ck_access_begin(void);

/** The count of accesses into the result. May be called again. */
void ck_access_finish(void);

/** A call of the program touches these bytes: memset, read(2), … Inside an interposed call or not;
 * may be a scheduling point only if not. */
void ck_access_range(uintptr_t address, size_t bytes, bool is_write, uintptr_t pc);

/** Whether the plan wants to know of accesses. */
bool ck_access_is_on(void);

/** The point that comes before such a call, if the plan wants one. The current thread is not
 * inside. */
void ck_access_point(uintptr_t address, size_t bytes, bool is_write, uintptr_t pc);

/** Before an operation that others may see: what the last plain write has brought (access.c). */
void ck_access_settle(void);

/** Whether the plan wants races. */
bool ck_access_wants_races(void);
