/* SPDX-License-Identifier: MIT */
/* before_main.h - a process that was started as a worker never comes to main(). */
#pragma once

#include <stdbool.h>

/** Whether this program's own workers would: NULL; otherwise why not, a static string. */
const char *rvi_before_main_lacks(void);

/** Whether this process was started as a worker. From the first constructors on. */
bool rvi_before_main_is_worker(void);

/** The name of a descriptor's number in a worker's environment. */
#define RVI_WORKER_VARIABLE "RAVEL_WORKER"
