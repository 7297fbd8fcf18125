/* SPDX-License-Identifier: MIT */
/* options.h - what the command line says. */
#pragma once

#include <ravel.h>

enum { MOST_PLACES = 16 };

struct options {
    const char *places[MOST_PLACES]; /* addresses to listen at */
    size_t place_count;
    unsigned workers, limit;
    rv_time idle_ns, send_ns, drain_ns;
};

/* An exit status, or -1: go on. */
int options_parse(struct options *o, int argc, char **argv);
