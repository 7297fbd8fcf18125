/* SPDX-License-Identifier: MIT */
/* work.h - a whole folder converted on one tier. */
#pragma once

#include <ravel.h>
#include <stdbool.h>

struct tally {
    unsigned converted, failed;
    struct rv_executor_stats stats;
    char choice[128]; /* rv_executor_choice */
    rv_time wall_ns;
};

/* Convert each PNG file of a folder, in the order of their names, into a PPM file in another one,
 * on an executor. Prints a line for each that is not converted. Makes a runtime of its own. 0 or
 * -errno; complains by itself. */
int work_run(struct tally *ret, const char *from, const char *to, const char *tier, bool confined);
