/* SPDX-License-Identifier: MIT */
/* before_main.h - a process that was started as a worker never comes to main(). */
#pragma once

/** Whether this program's own workers would: NULL; otherwise why not, a static string. */
const char *rvi_before_main_lacks(void);

/** The name of a descriptor's number in a worker's environment. */
#define RVI_WORKER_VARIABLE "RAVEL_WORKER"
