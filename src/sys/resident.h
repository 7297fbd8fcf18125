/* SPDX-License-Identifier: MIT */
/* resident.h - how much memory another process uses. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/** The memory of its own that a process has resident: allocated and written to; without files that
 * it has mapped and without what is shared memory, and without what has been swapped out. It is
 * what the kernel counts as it goes, in batches of some pages a thread.
 *
 * @param pid  one whose number is its own: a child that has not been reaped
 * Errors: -ESRCH it has ended; -ENOENT there is no such process, or no /proc; -EMFILE; -EACCES */
int rvi_resident_own(pid_t pid, uint64_t *ret_bytes) __attribute__((warn_unused_result));
