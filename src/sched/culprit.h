/* SPDX-License-Identifier: MIT */
/* culprit.h - which task holds a worker, and where it is just now. */
#pragma once

#include <stdint.h>

#include <ravel/time.h>

#include "sys/capture.h"

struct rvi_worker;

struct rvi_culprit {
    const struct rvi_worker *worker;
    uint64_t id; /* 0: no task */
    const struct rv_site *site;
    char name[64];
    char scope[64]; /* of the innermost scope with a name, that it owns or is in; empty: none */
};

/** Look at a worker's thread, whatever it does. Not from that thread; one caller at a time, others
 * wait. Errors: as rvi_capture_thread(). */
int rvi_culprit_find(const struct rvi_worker *worker, rv_time deadline, struct rvi_culprit *ret,
                     struct rvi_capture *ret_stack) __attribute__((warn_unused_result));
