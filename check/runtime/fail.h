/* SPDX-License-Identifier: MIT */
/* fail.h - what an execution has to say, into the result. */
#pragma once

#include <stdint.h>

#include "check/wire.h"

/** A report under construction, in static memory: one at a time. `text` as printf. */
struct ck_report *ck_report_begin(enum ck_kind kind, const char *text, ...)
    __attribute__((format(printf, 2, 3)));

/** One more party: with a backtrace of now if it is the one that runs, else of where it stands.
 * NULL: no more room. */
struct ck_party *ck_report_party(struct ck_report *report, uint32_t thread, uint64_t address);

/** One whose stack is gone: where it was is known by its program counter alone, as a return
 * address. */
struct ck_party *ck_report_past(struct ck_report *report, uint32_t thread, uint64_t address,
                                uintptr_t pc);

/** It is complete; the execution goes on. The same kind at the same innermost places is kept
 * once. */
void ck_report_end(struct ck_report *report);

/** It is complete, and the execution is over. */
_Noreturn void ck_report_fail(struct ck_report *report);

/** As ck_report_fail, but the program may go on to its own end: exit() with a status. The first
 * counts. */
void ck_report_doom(struct ck_report *report);

/** The runtime cannot go on: CK_UNABLE, in words. */
_Noreturn void ck_unable(const char *text, ...) __attribute__((format(printf, 1, 2)));

/** The process ends here and now. */
_Noreturn void ck_end(int status);

/** Return addresses of the caller's stack without the runtime's own innermost frames. */
unsigned ck_backtrace(uintptr_t *ret, unsigned most);
