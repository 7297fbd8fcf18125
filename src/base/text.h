/* SPDX-License-Identifier: MIT */
/* text.h - a text that grows, for reports that are built whole and leave in one piece.
 *
 * Without memory for more it stays as it is and remembers that something is missing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct rvi_text {
    char *bytes; /* ended by a NUL once there is anything; NULL before */
    size_t count, room;
    bool is_cut; /* there was no memory for all of it */
};

/** Add formatted text. */
void rvi_text_add(struct rvi_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Free it; it is empty afterwards. */
void rvi_text_fini(struct rvi_text *text);
