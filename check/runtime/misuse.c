/* SPDX-License-Identifier: MIT */
/* misuse.c - reports of calls that are not allowed.
 *
 * The call did not come to its end, so it is no event yet: it becomes one here, as it is the step
 * that matters most.
 *
 * Checked by: tests/check */
#include "check/runtime/misuse.h"

#include "check/runtime/sched.h"

struct ck_report *ck_misuse_begin(const void *object, const char *what)
{
    struct ck_report *report;

    ck_event(&ck_self->next, 0, 0);
    report = ck_report_begin(CK_MISUSE, "%s", what);
    ck_report_party(report, ck_self->id, (uintptr_t)object);
    return report;
}

void ck_misuse_holder(struct ck_report *report, uint32_t thread, uintptr_t pc, uint64_t step)
{
    struct ck_party *party = ck_report_past(report, thread, report->parties[0].address, pc);

    if (party)
        party->event = step;
}

void ck_misuse_fail(struct ck_report *report)
{
    uint64_t object = report->parties[0].address;

    for (uint32_t i = 0; i < ck_thread_count; i++) {
        const struct ck_thread *thread = ck_threads[i];

        if (thread->state == CK_BLOCKED && (uintptr_t)thread->wait.object == object)
            ck_report_party(report, i, object);
    }
    ck_report_fail(report);
}
