/* SPDX-License-Identifier: MIT */
/* workers.h - work divided among threads, processes or tasks, each doing its part. */
#pragma once

#include "lab/bench.h"

struct lab_work {
    long pieces; /* in all */
    long steps;  /* of lab_spin() in each; 0: it waits instead */
    long wait_ns;
    bool has_lock; /* one, held while computing */
};

enum lab_kind { LAB_THREADS, LAB_PROCESSES, LAB_TASKS, LAB_KINDS };

extern const char *const lab_kind_names[LAB_KINDS];

/** Start so many workers and wait for them. Tasks that compute have as many of Ravel's workers,
 * those that wait have one.
 *
 * @return nanoseconds, or -errno */
double lab_divide(const struct lab_work *work, enum lab_kind kind, unsigned workers);

/** The numbers of workers that are worth a look: 1, 2, 4 ... most. @return how many; at most 16 */
unsigned lab_worker_counts(unsigned most, unsigned *ret);
