/* SPDX-License-Identifier: MIT */
/* stack.h - who has called whom in a task of another program. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "look/snapshot.h"
#include "look/target.h"
#include "sys/backtrace.h"

enum { LOOK_FRAMES_MOST = 256 };

struct look_stack {
    const void *pcs[LOOK_FRAMES_MOST]; /* innermost first */
    size_t count;
    bool is_running; /* just now; of a live process that is: */
    bool is_sampled; /* it was noted by the kernel while it ran; else it is in a system call, and
                        its frames may be incomplete */
    bool is_cut;     /* the outermost lie deeper than a sample reaches */
};

/** What knows a program's files. NULL: no memory. rvi_backtracer_free() it, before the target. */
struct rvi_backtracer *look_backtracer(struct look_target *target);

/** The calls that a task is in, as they were at one moment.
 *
 * @return 0
 * Errors:  -ENODATA it has not begun: there are none; -ENOENT it has ended; -EBUSY it runs just
 *          now, and the kernel does not let a process be sampled that is not stopped; -EAGAIN it
 *          moved on again and again; -ESRCH the process has ended; -ENOMEM. In words: *trouble */
int look_stack(struct look_target *target, const struct look_snapshot *snapshot,
               const struct look_task *task, struct rvi_backtracer *backtracer,
               struct look_stack *ret, struct look_trouble *trouble)
    __attribute__((warn_unused_result));
