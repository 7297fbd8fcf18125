/* SPDX-License-Identifier: MIT */
/* search.h - what a worker does that has nobody to run. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct rvi_task;
struct rvi_worker;

/** Look for a task, of its own or of others, and sleep in between, until there is one; NULL: the
 * scheduler stops. On the worker's own stack. */
struct rvi_task *rvi_worker_wait_for_work(struct rvi_worker *w);

/** Whether a fresh task waits here that its worker will not come to by itself soon: several, or one
 * that was there at the last look (`seen_tick`, kept by the caller) and the worker has picked
 * nothing since. */
bool rvi_worker_has_surplus(const struct rvi_worker *w, uint32_t *seen_tick);
