/* SPDX-License-Identifier: MIT */
/* main.c - services that are looked after. Begin with station.c, the tree; sensor.c is what runs in
 * a process of its own. */
#include "options.h"
#include "station.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    struct options o;
    int status = options_parse(&o, argc, argv);
    if (status >= 0)
        return status;
    setvbuf(stdout, NULL, _IOLBF, 0);
    /* SIGINT is an order to stop here, and no cancellation. */
    const struct rv_run_opts opts = {.size = sizeof opts, .no_interrupt = 1};
    return rv_run(station_run, &o, &opts) < 0;
}
