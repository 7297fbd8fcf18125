/* SPDX-License-Identifier: MIT */
/* before_main.h - a process that was started as a worker, or as an agent, never comes to main(). */
#pragma once

/** Whether this program's own workers would: NULL; otherwise why not, a static string. */
const char *rvi_before_main_lacks(void);

/** How many workers stand between this process and the program, itself included: 0, this is it.
 * From the first constructors on. */
int rvi_before_main_depth(void);

enum { RVI_DEPTH_MOST = 3 };

/** In a worker's environment: the numbers of its two descriptors, and its depth. */
#define RVI_WORKER_VARIABLE "RAVEL_WORKER"

/** In an agent's environment: what it is to do, in words. */
#define RVI_AGENT_VARIABLE "RAVEL_AGENT"

/** Be an agent, in place of main(). It is cluster's, and named here rather than registered there,
 * as of a static library nothing comes into a program that nobody has named.
 *
 * @param words  what the variable has said; the callee's
 * @return the exit status */
int rvi_agent_main(char *words);

/** In the environment of a program that `ravel advise` has started: what it is to measure. */
#define RVI_ADVISE_VARIABLE "RAVEL_ADVISE"

/** Measure a job, in place of main(); exec's, as the agent is cluster's. */
int rvi_advise_main(char *words);
