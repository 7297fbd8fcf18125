/* SPDX-License-Identifier: MIT */
/* pictures.h - from recorded traces to files for people: a page, a sequence diagram. */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include "timeline/sequence.h"

enum { CLI_PICTURE_SOURCES = 4 };

struct cli_pictures {
    const char *html, *sequence; /* files to write; NULL: not wanted */
    const char *from[CLI_PICTURE_SOURCES];
    size_t from_count;       /* 0: of what is recorded */
    struct tl_choice choice; /* of the sequence */
};

/** Write what is wanted.
 *
 * @param json  the trace that was recorded just now, to be read from where it stands; NULL: those
 *              in `from`
 * @return exit status; what was wrong has been said */
int cli_make_pictures(const struct cli_pictures *wanted, FILE *json);
