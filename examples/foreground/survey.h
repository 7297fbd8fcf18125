/* SPDX-License-Identifier: MIT */
/* survey.h - the long job of both examples: count the files, bytes, lines and words of a tree. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ravel.h>

struct counts {
    uint64_t files, unreadable, bytes, lines, words;
};

struct survey {
    /* Set by the caller */
    rv_fg *fg;
    const char *root;
    bool again;      /* count it again and again, until it is cancelled */
    rv_fg_fn *ended; /* posted when it is over */
    void *arg;       /* of that */

    /* Once it is over */
    int result; /* 0, or -errno: -ECANCELED when it was cancelled */
    struct counts counts;
    uint64_t rounds;
};

/** The job as a task behind a foreground: arg is a struct survey. Its files are counted by as many
 * tasks as the runtime has workers; how far they are is the foreground's progress, in bytes. */
int survey_run(void *arg);

/** The same in the calling thread, which is held by it for so long at least. */
int survey_run_here(struct survey *survey, rv_time at_least);
