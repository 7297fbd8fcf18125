/* SPDX-License-Identifier: MIT */
/* sequence.h - traces as one picture: who runs, who waits for what, downwards in time. */
#pragma once

#include "timeline/story.h"

/** What is to be seen of a trace; the first few, if nothing is chosen. */
struct tl_choice {
    bool has_times;
    int64_t from_ns, until_ns; /* from the begin of the trace */
    const char *tasks; /* names, with or without a number, or patterns of them (fnmatch(3)), with
                          commas between them; NULL: all */
};

/** Write an SVG; several traces stand side by side, on one scale of time.
 *
 * @return 0; -ENOENT: in one of them nothing runs that was chosen; -ENOMEM */
int tl_put_sequence(FILE *to, struct tl_story *const *stories, size_t count,
                    const struct tl_choice *choice) __attribute__((warn_unused_result));
