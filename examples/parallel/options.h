/* SPDX-License-Identifier: MIT */
#pragma once

#include <ravel.h>
#include <stddef.h>

struct options {
    size_t at_once;             /* commands that run */
    rv_time time_limit;         /* of each; RV_NEVER: none */
    const char *const *command; /* ended by NULL; "{}" in it stands for the line */
};

/** Read the command line; ends the program when it is wrong, or help was asked for. */
void read_options(struct options *ret, int argc, char **argv);
