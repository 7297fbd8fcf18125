/* SPDX-License-Identifier: MIT */
/* work.h - the whole job on one tier. */
#pragma once

#include "files.h"
#include "table.h"

#include <ravel.h>

struct run {
    rv_time wall_ns; /* from before the executor opened until it was closed and all was merged */
    uint64_t jobs;
    uint64_t failed; /* of those, the ones without a value */
    struct answer answer;
};

/* Count every word of the files on an executor, a bounded number of chunks at a time; `workers` 0
 * stands for the usable cores. Makes a runtime of its own. 0 or -errno. */
int work_run(struct run *ret, const struct files *files, const char *executor, unsigned workers);
