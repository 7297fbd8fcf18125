/* SPDX-License-Identifier: MIT */
#include "sched/probe.h"

#include "sched/worker.h"

void rvi_probe_switch(struct rvi_worker *w, const struct rvi_task *next)
{
    if (w->probes & RVI_PROBE_STALL)
        rvi_store_relaxed(&w->watched, next ? next->site : NULL);
}
