/* SPDX-License-Identifier: MIT */
/* fakes.h - what the checker's runtime stands on, for tests of its logic: threads that are only
 * numbers, and reports that are only kept. */
#pragma once

#include <stdint.h>

#include "check/runtime/sched.h"

enum { FAKE_REPORTS = 16 };

/* A race as it was reported. */
struct fake_report {
    uint32_t thread, earlier_thread, bytes;
    uint64_t address;
    uintptr_t pc; /* of the earlier party */
    bool is_write, is_earlier_write;
};

extern struct fake_report fake_reports[FAKE_REPORTS];
extern unsigned fake_report_count;
extern unsigned fake_points; /* how often ck_point was called */

/** A process with a main thread, which runs. */
void fake_begin(void);

/** Thread `id` runs. It begins, created by thread 0, at its first mention. */
void fake_run(uint32_t id);

/** Thread 0 joins with this one, and runs. */
void fake_join(uint32_t id);

/** A group's teardown. */
int fake_end(void **state);
