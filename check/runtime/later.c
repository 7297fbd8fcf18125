/* SPDX-License-Identifier: MIT */
/* later.c - weak stand-ins for parts of the runtime that are being written. */
#include <errno.h>

#include "check/runtime/clocks.h"
#include "check/runtime/deadlock.h"
#include "check/runtime/fail.h"
#include "check/runtime/locks.h"

#define LATER __attribute__((weak))

LATER void ck_hb_begin(struct ck_thread *child, const struct ck_thread *creator)
{
    (void)child, (void)creator;
}

LATER void ck_hb_join(const struct ck_thread *ended)
{
    (void)ended;
}

LATER void ck_mutex_thread_ends(void)
{
}

LATER int ck_wait_for(const struct ck_wait *wait)
{
    return ck_block(wait, false);
}

LATER void ck_nobody_can_run(void)
{
    struct ck_report *report = ck_report_begin(CK_DEADLOCK, "no thread can run");

    for (uint32_t i = 0; i < ck_thread_count; i++) {
        if (ck_threads[i]->state == CK_BLOCKED)
            ck_report_party(report, i, (uintptr_t)ck_threads[i]->wait.object);
    }
    ck_report_fail(report);
}

LATER int ck_time_deadline(clockid_t clock, const struct timespec *at, int64_t *ret_deadline)
{
    (void)clock;
    *ret_deadline = at ? at->tv_sec * INT64_C(1000000000) + at->tv_nsec : CK_NEVER;
    return 0;
}
