/* SPDX-License-Identifier: MIT */
/* lines.h - debug information: lines of code, and names of what lies within variables. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ck_lines;

/** NULL: no memory, or built without elfutils. */
struct ck_lines *ck_lines_new(void);

/** A file and where it is loaded. What has no debug information is known to have none. */
void ck_lines_add(struct ck_lines *lines, const char *path, uint64_t base);

/** All were added. */
void ck_lines_ready(struct ck_lines *lines);

/** The file and line of an address in code; NULL: unknown. Both are kept until ck_lines_free().
 *
 * @param is_wanted  the innermost of the calls that were inlined there whose file it likes is
 *                   taken; the innermost of all, if it likes none */
const char *ck_lines_find(struct ck_lines *lines, uint64_t address,
                          bool (*is_wanted)(const char *path), unsigned *ret_line);

/** Write what a program calls the bytes at an address within a global variable:
 * "pool.free[3].next". False: no such variable is described. */
bool ck_lines_variable(struct ck_lines *lines, uint64_t address, char *to, size_t room);

/** NULL does nothing. */
void ck_lines_free(struct ck_lines *lines);
