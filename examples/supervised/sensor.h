/* SPDX-License-Identifier: MIT */
/* sensor.h - a sensor: a service in a process of its own, which sends readings down a pipe. */
#pragma once

#include <ravel.h>

enum { NORTH, EAST, SOUTH, SENSORS };

enum { PIPE_FD = 3 }; /* in the sensor's process: where its readings go */

struct sensor {
    int number;
    unsigned crash_after; /* readings; 0: never */
    rv_time pause;        /* before each */
};

/* Less than PIPE_BUF bytes: readings of several processes do not mix, and one that is killed leaves
 * none half written. */
struct reading {
    int sensor;
    double degrees;
};

/* What a struct rv_service says of it: RV_PROCESS() wants to be in the file of RV_SERVICE(). */
extern const struct rv_service_entry *const sensor_process;
