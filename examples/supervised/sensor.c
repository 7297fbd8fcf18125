/* SPDX-License-Identifier: MIT */
/* sensor.c - what runs in a sensor's process, and what it dies of. */
#include "sensor.h"

struct correction {
    double degrees;
};

/* A table that lacks an entry. It is asked for from elsewhere, so nothing warns of what comes. */
static __attribute__((noinline)) const struct correction *correction_for(const struct sensor *s,
                                                                         unsigned count)
{
    static const struct correction usual = {0.25};
    return s->crash_after > 0 && count >= s->crash_after ? NULL : &usual;
}

static double measure(const struct sensor *s, unsigned count)
{
    const volatile struct correction *correction = correction_for(s, count);
    return 15 + 2 * s->number + (count % 7) / 10.0 + correction->degrees; /* nobody has looked */
}

/* Cancelled when it is told to stop. That it is ready it says itself: its start_time is set. */
static int send_readings(const struct sensor *s)
{
    int err = rv_service_ready();
    for (unsigned count = 1; err == 0; count++) {
        err = rv_sleep(s->pause);
        if (err < 0)
            break;
        struct reading reading = {s->number, measure(s, count)};
        err = rv_write_all(PIPE_FD, &reading, sizeof reading, NULL, RV_NEVER);
    }
    return err;
}
RV_SERVICE(send_readings, struct sensor);

const struct rv_service_entry *const sensor_process = RV_PROCESS(send_readings);
