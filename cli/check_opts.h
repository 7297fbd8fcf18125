/* SPDX-License-Identifier: MIT */
/* check_opts.h - the command line of `ravel check`. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check/driver/session.h"

struct ck_check_opts {
    const char *program;
    const char *const *argv; /* of the program, ended by NULL */
    const char *replay, *output, *html;
    bool json, is_debugged, is_preloaded, is_randomised;
    uint64_t schedules; /* 0: not said */
    double seconds;     /* 0: not said */
    uint64_t seed;
    uint32_t strategy, granularity; /* CK_ANY: not said */
    uint32_t bound;                 /* one more than --preemptions; 0: not said */
    enum ck_races races;
    unsigned jobs;
    const char *expected_file;
    char *expected; /* its contents */
    size_t expected_bytes;
    struct ck_suppressions suppressions;
};

/** Read it.
 *
 * @return -1, or the exit status: help was asked for, or something is wrong, and it was said */
int check_opts_read(struct ck_check_opts *opts, int argc, char **argv);

void check_opts_fini(struct ck_check_opts *opts);
