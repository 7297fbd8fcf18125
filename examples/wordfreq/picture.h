/* SPDX-License-Identifier: MIT */
/* picture.h - waiting one after another and waiting together, drawn while it happens. */
#pragma once

#include <ravel.h>
#include <stdio.h>

enum { LANES = 3 };

/* One job, which only waits. */
struct lane {
    rv_time wait;
    rv_time begin, end; /* 0: not yet */
};

/* Three jobs, and the time that they took altogether. */
struct group {
    const char *title;
    struct lane lanes[LANES];
    rv_time begin, end;
};

struct picture {
    struct group apart, together;
    double scale; /* of a second */
};

/* Wait, and draw it: growing on a terminal, elsewhere once when it is finished; NULL draws nothing.
 * 0 or -errno. */
int picture_run(struct picture *ret, double scale, FILE *out);
