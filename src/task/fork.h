/* SPDX-License-Identifier: MIT */
/* fork.h - how a worker without work comes by the forks of others. */
#pragma once

struct rvi_task;
struct rvi_worker;

/** Take a fork and make it a task of this worker, the calling thread's, that has not begun. NULL:
 * there was none to be had, or no memory. */
struct rvi_task *rvi_fork_steal(struct rvi_worker *w);
