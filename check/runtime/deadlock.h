/* SPDX-License-Identifier: MIT */
/* deadlock.h - waits that cannot end. */
#pragma once

#include <stdint.h>

#include "check/runtime/sched.h"

/** ck_block for a wait whose end is up to `wait->holder`: if that one, or whom it waits for, waits
 * for the current thread, the execution ends here, though others could go on. */
int ck_wait_for(const struct ck_wait *wait);

/** No thread can run, and no deadline will come. */
_Noreturn void ck_nobody_can_run(void);

/* A wake-up that nobody waited for. The latest one is kept, for the report of a waiter that came
 * after it. */
struct ck_wasted {
    uint64_t count;
    uint64_t step;
    uintptr_t pc;
    uint32_t thread;
};

void ck_wasted_note(struct ck_wasted *wasted, uintptr_t pc);
