/* SPDX-License-Identifier: MIT */
/* options.h - what the command line says. */
#pragma once

#include <stdbool.h>

struct options {
    const char *directory;
    const char *tier; /* NULL: all that there are */
    unsigned workers; /* 0: the usable cores */
    unsigned rounds;  /* 0: as many as are quick */
    double scale;     /* of the seconds in the picture */
    bool json;
    bool count;           /* count words */
    bool picture;         /* show the picture */
    const char *progress; /* in the process that measures one tier: what its progress begins with */
};

enum { MAX_ROUNDS = 99, MAX_WORKERS = 1024 };

/* Read the command line. -1 to go on, or the exit status: 0 after --help, 2 after a complaint. */
int options_parse(struct options *ret, int argc, char **argv);
