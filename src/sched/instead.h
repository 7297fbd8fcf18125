/* SPDX-License-Identifier: MIT */
/* instead.h - which call of ours blocks only its task, for one of the C library's that blocks its
 * thread. */
#pragma once

/** What to call instead of a function, as a symbol table names it: "__libc_read", say.
 *
 * @return "rv_read()"; NULL: nothing is known of it */
const char *rvi_instead_of(const char *function);
