/* SPDX-License-Identifier: MIT */
/* probe.h - whoever wants to see each switch of a worker.
 *
 * A worker's `probes` byte says who is on, from before its first task to after its last. The switch
 * tests it once (worker.c: set_current) and costs nothing more when nobody is; whatever there is to
 * do happens here, out of line. */
#pragma once

struct rvi_worker;
struct rvi_task;

enum rvi_probe {
    RVI_PROBE_STALL = 1, /* `watched` is kept for the stall watch */
};

/** The worker is about to run `next`, NULL for nobody, whose state is still the one that it was picked
 * in. Whom it leaves may have ended and be gone. */
void rvi_probe_switch(struct rvi_worker *w, const struct rvi_task *next) __attribute__((cold));
