/* SPDX-License-Identifier: MIT */
/* fail.c - reports and failures into the result.
 *
 *   F1  a report is built in static memory and copied when it is whole, so that one that a crash
 *       cuts short is never read
 *   F2  the first failure is the failure
 *
 * Backtraces are the unwinder's (libgcc's, which finds tables without a lock). A thread that stands
 * is switched to for a moment and unwinds itself (carrier.h).
 *
 * Checked by: tests/check/runtime.py */
#include "check/runtime/fail.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <unwind.h>

#include "check/runtime/carrier.h"
#include "check/runtime/next.h"
#include "check/runtime/places.h"
#include "check/runtime/rewind.h"
#include "check/runtime/sched.h"

static struct ck_report building;

/* --- frames --- */

struct walk {
    uintptr_t *ret;
    unsigned count, most;
    bool has_signal;
};

static _Unwind_Reason_Code take_frame(struct _Unwind_Context *context, void *arg)
{
    struct walk *walk = arg;
    int is_before = 0;
    uintptr_t pc = _Unwind_GetIPInfo(context, &is_before) + (is_before ? 1 : 0);

    if (pc <= 1)
        return _URC_END_OF_STACK;
    if (is_before && !walk->has_signal) { /* what a signal has interrupted; not its handler */
        walk->has_signal = true;
        walk->count = 0;
    }
    if (walk->count == 0 && ck_place_is_own(pc - 1))
        return _URC_NO_REASON;
    walk->ret[walk->count++] = pc;
    return walk->count == walk->most ? _URC_END_OF_STACK : _URC_NO_REASON;
}

unsigned ck_backtrace(uintptr_t *ret, unsigned most)
{
    struct walk walk = {ret, 0, most, false};

    if (ck_self)
        ck_self->inside++; /* the unwinder's own locks are no operations of the program */
    _Unwind_Backtrace(take_frame, &walk);
    if (ck_self)
        ck_self->inside--;
    while (walk.count > 0 && ck_place_is_own(ret[walk.count - 1] - 1))
        walk.count--;
    return walk.count;
}

/* --- reports --- */

struct ck_report *ck_report_begin(enum ck_kind kind, const char *text, ...)
{
    va_list args;

    memset(&building, 0, offsetof(struct ck_report, parties));
    building.kind = kind;
    va_start(args, text);
    vsnprintf(building.text, sizeof building.text, text, args);
    va_end(args);
    return &building;
}

static struct ck_party *add(struct ck_report *report, uint32_t thread, uint64_t address)
{
    if (!report || report->party_count == CK_PARTIES_MOST)
        return NULL;
    struct ck_party *party = &report->parties[report->party_count++];
    *party =
        (struct ck_party){.thread = thread, .address = address, .waits_for_thread = UINT32_MAX};
    return party;
}

struct ck_party *ck_report_past(struct ck_report *report, uint32_t thread, uint64_t address,
                                uintptr_t pc)
{
    struct ck_party *party = add(report, thread, address);

    if (party && pc) {
        party->frames[0] = ck_place_of(pc);
        party->frame_count = 1;
    }
    return party;
}

static unsigned frames_of(const struct ck_thread *thread, uintptr_t *ret)
{
    if (thread->state == CK_ENDED)
        return 0;
    if (thread == ck_self)
        return ck_backtrace(ret, CK_FRAMES);
    return ck_carrier_backtrace(thread->carrier, ret, CK_FRAMES);
}

struct ck_party *ck_report_party(struct ck_report *report, uint32_t thread, uint64_t address)
{
    struct ck_party *party = add(report, thread, address);
    uintptr_t frames[CK_FRAMES];

    if (!party || thread >= ck_thread_count)
        return party;
    const struct ck_thread *who = ck_threads[thread];
    party->frame_count = frames_of(who, frames);
    for (uint32_t i = 0; i < party->frame_count; i++)
        party->frames[i] = ck_place_of(frames[i]);
    party->event = who->step;
    party->is_write = who->next.is_write;
    if (who->state == CK_BLOCKED)
        party->waits_for_thread = who->wait.holder;
    return party;
}

static bool is_same(const struct ck_report *a, const struct ck_report *b)
{
    if (a->kind != b->kind || a->party_count != b->party_count)
        return false;
    for (uint32_t i = 0; i < a->party_count; i++) {
        const struct ck_place *x = &a->parties[i].frames[0], *y = &b->parties[i].frames[0];
        if (x->module != y->module || x->offset != y->offset)
            return false;
    }
    return true;
}

static void copy(struct ck_report *to, const struct ck_report *from)
{
    memcpy(to, from,
           offsetof(struct ck_report, parties) + from->party_count * sizeof *from->parties);
}

void ck_report_end(struct ck_report *report)
{
    struct ck_result *result = &ck_shared->result;

    for (uint32_t i = 0; i < result->report_count; i++) {
        if (is_same(&result->reports[i], report))
            return;
    }
    if (result->report_count < CK_REPORTS_MOST)
        copy(&result->reports[result->report_count++], report);
}

void ck_report_doom(struct ck_report *report)
{
    struct ck_report *failure = &ck_shared->result.failure;

    if (failure->kind != CK_FINE)
        return;
    uint32_t kind = report->kind;
    report->kind = CK_FINE;
    copy(failure, report);
    report->kind = kind;
    failure->kind = kind; /* F1 */
}

void ck_report_fail(struct ck_report *report)
{
    ck_report_doom(report);
    ck_end(1);
}

void ck_unable(const char *text, ...)
{
    char words[CK_TEXT_BYTES];
    va_list args;

    va_start(args, text);
    vsnprintf(words, sizeof words, text, args);
    va_end(args);
    if (ck_shared)
        ck_report_fail(ck_report_begin(CK_UNABLE, "%s", words));
    (void)!write(STDERR_FILENO, words, strlen(words));
    ck_end(127);
}

void ck_end(int status)
{
    if (ck_self)
        ck_sched_finish();
    ck_rewind_end(status);
    for (;;)
        CK_NEXT(syscall)(SYS_exit_group, status);
}
