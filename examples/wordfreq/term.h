/* SPDX-License-Identifier: MIT */
/* term.h - what makes output pleasant: numbers for people, colours, one line of progress. */
#pragma once

#include <ravel.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* A formatted number, by value: printf("%s", text_count(n).s). */
struct text {
    char s[32];
};

struct text text_count(uint64_t n);    /* 27,412 */
struct text text_bytes(uint64_t n);    /* 187.3 MB */
struct text text_time(rv_time length); /* 1.52 s */

/* Whether a terminal is there that understands cursor movement. */
bool term_is_live(FILE *out);

/* Its columns; 80 where nobody knows. */
int term_columns(FILE *out);

/* What to print before and after a coloured word; empty strings where colours are not wanted. */
struct style {
    const char *bold, *dim, *good, *bad, *bar, *end;
};
const struct style *term_style(FILE *out);

/* The line of progress on stderr, for terminals alone: allow it and say what each line begins with;
 * ask whether it is time for a new one (ten times a second), and show it; take it away. */
void progress_allow(const char *label);
bool progress_is_due(void);
void progress_show(const char *format, ...) __attribute__((format(printf, 1, 2)));
void progress_end(void);
