/* SPDX-License-Identifier: MIT */
/* match.h - whether a line matches. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct pattern; /* one for all workers */

enum pattern_flags { PATTERN_EXTENDED = 1, PATTERN_FIXED = 2, PATTERN_IGNORE_CASE = 4 };

/* NULL: the text is no pattern, and `why` says what is wrong with it. */
struct pattern *pattern_new(const char *text, unsigned flags, unsigned workers, char *why,
                            size_t why_bytes);
void pattern_free(struct pattern *p);

/* The first line of text[0, bytes) that matches. All lines in it are whole; the last one may lack
 * its newline. Returns whether there is one, and where it begins and ends, without its newline. */
bool pattern_find(struct pattern *p, const char *text, size_t bytes, size_t *ret_begin,
                  size_t *ret_end);
