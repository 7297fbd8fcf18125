/* SPDX-License-Identifier: MIT */
/* before_main.h - a process that was started as a worker never comes to main(). */
#pragma once

/** Whether this program's own workers would: NULL; otherwise why not, a static string. */
const char *rvi_before_main_lacks(void);

/** How many workers stand between this process and the program, itself included: 0, this is it.
 * From the first constructors on. */
int rvi_before_main_depth(void);

enum { RVI_DEPTH_MOST = 3 };

/** In a worker's environment: the numbers of its two descriptors, and its depth. */
#define RVI_WORKER_VARIABLE "RAVEL_WORKER"
