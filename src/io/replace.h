/* SPDX-License-Identifier: MIT */
/* replace.h - a new file beside an old one, to take its place when it is whole. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include <ravel/time.h>

struct rvi_replace {
    int fd;     /* the new file, open for writing */
    int folder; /* of both; -1 unless it is to be brought to the disk */
    int dir;    /* where both paths start from */
    const char *path;
    char *temporary;
};

/** Make the new file. A success has to be followed by one of the two below. Errors: as
 * rv_openat(). */
int rvi_replace_begin(struct rvi_replace *r, int dir, const char *path, mode_t mode, bool to_disk,
                      rv_time deadline) __attribute__((warn_unused_result));

/** Let it take the old one's place, if `result` is 0; else, or if that fails, remove it. Returns
 * `result`, or what has failed. */
int rvi_replace_end(struct rvi_replace *r, int result, rv_time deadline);
