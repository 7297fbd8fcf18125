/* SPDX-License-Identifier: MIT */
/* station.h - the services, as a tree:
 *
 *     station            rest-for-one: who comes later needs who comes before
 *       ledger           a task, which adds up what comes from the pipe
 *       sensors          a supervisor, with the strategy that was asked for
 *         north          a process each, which writes to the pipe
 *         east
 *         south
 *       summary          a task, which prints the ledger once a second */
#pragma once

#include "options.h"
#include "sensor.h"

struct total {
    unsigned count;
    double degrees; /* sum */
};

struct station {
    const struct options *options;
    rv_time begun;
    int pipe[2];
    struct rv_mutex lock; /* guards totals */
    struct total totals[SENSORS];
};

/* Start the station, let it run as long as the options say or until a signal, stop it. 0, or
 * -errno; it has said so. To be called in a task. */
int station_run(void *options);
