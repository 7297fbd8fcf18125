/* SPDX-License-Identifier: MIT */
/* search.h - one file: its lines that match, as they are to be printed. */
#pragma once

#include <stdbool.h>

#include "match.h"
#include "out.h"

struct search {
    struct pattern *pattern;
    bool numbers;    /* of lines */
    bool names_only; /* of files that match */
    bool with_name;
};

/* Longer lines are an error. */
enum { LINE_BYTES = 1 << 20 };

/* Search one file. Returns 1 when a line matched, 0 when none did, or -errno: -EMSGSIZE a line is
 * too long. What was found until then is in `to`. */
int search_file(const struct search *s, const char *path, struct out *to);
