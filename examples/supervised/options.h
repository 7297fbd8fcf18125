/* SPDX-License-Identifier: MIT */
/* options.h - what the command line says. */
#pragma once

#include <ravel.h>

struct options {
    const char *crash; /* the service that fails now and then; NULL: none */
    unsigned after;    /* readings */
    unsigned rate;     /* readings a second, of each sensor */
    enum rv_strategy strategy;
    int intensity;
    unsigned seconds; /* 0: until a signal */
};

/* Read the command line. -1 to go on, or the exit status: 0 after --help, 2 after a complaint. */
int options_parse(struct options *ret, int argc, char **argv);

/* After how many readings a service is to fail; 0: never. */
unsigned crash_after(const struct options *o, const char *service);
