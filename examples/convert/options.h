/* SPDX-License-Identifier: MIT */
/* options.h - what the command line says. */
#pragma once

#include <stdbool.h>

struct options {
    const char *tier;   /* as for rv_executor_open */
    unsigned make;      /* pictures to make; 0: convert */
    unsigned bad_every; /* one in so many is damaged */
    bool confined;
    bool demo;
    const char *from, *to; /* folders; with `make` only `from`, with `demo` neither */
};

/* Read the command line. -1 to go on, or the exit status: 0 after --help, 2 after a complaint. */
int options_parse(struct options *ret, int argc, char **argv);
