/* SPDX-License-Identifier: MIT */
/* open.h - what rv_openat() is made of, for those who go on with the file themselves. */
#pragma once

#include <ravel/time.h>

#include "sys/files.h"

/** Open a file, as rv_openat(); O_NONBLOCK may be left on it. On error nothing is open. */
int rvi_open(struct rvi_file *file, rv_time deadline) __attribute__((warn_unused_result));
