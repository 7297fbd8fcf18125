/* SPDX-License-Identifier: MIT */
/* exit.c - the end of the process: exit(), _exit(), and what is found out by then.
 *
 *   E1  exit() runs atexit handlers and static destructors under control: other threads go on
 *       meanwhile, as they do in life
 *   E2  a second thread that calls exit() waits there for ever
 *   E3  what the result lacks is added by our own destructor, the last of all but stdio's flush,
 *       at which no thread is switched to any more
 *
 * Checked by: tests/check/runtime.py */
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check/runtime/fail.h"
#include "check/runtime/heap.h"
#include "check/runtime/next.h"
#include "check/runtime/places.h"
#include "check/runtime/posix.h"
#include "check/runtime/rewind.h"

static struct ck_thread *exiting;
static int exit_status;

static void report_leak(const struct ck_thread *t)
{
    struct ck_report *report =
        ck_report_begin(CK_THREAD_LEAK, "thread %u was neither joined nor detached", t->id);

    ck_report_past(report, t->id, 0, t->posix->created_at);
    ck_report_end(report);
}

/* Those that run still are left to the end by design: idle workers of a pool, mostly. So are those
 * that outlive main()'s pthread_exit(). */
static bool is_leaked(const struct ck_thread *t)
{
    return t->state == CK_ENDED && !t->posix->is_joined && !t->posix->is_detached;
}

static void report_leaks(void)
{
    if (ck_threads[0]->posix->is_ending)
        return;
    for (uint32_t i = 1; i < ck_thread_count; i++) {
        if (is_leaked(ck_threads[i]))
            report_leak(ck_threads[i]);
    }
}

static void judge(int status)
{
    exit_status = status;
    if (status == 0) {
        ck_heap_finish();
        report_leaks();
        return;
    }
    struct ck_report *report = ck_report_begin(CK_EXIT, "exit status %d", status & 0xff);
    report->signal_or_status = (uint32_t)(status & 0xff);
    ck_report_party(report, ck_self->id, 0);
    ck_report_doom(report);
}

/* The point before the end. The caller is inside. */
static void begin_end(uintptr_t pc)
{
    struct ck_op op = {CK_OP_EXIT, true, 0, 0, ck_place_is_own(pc) ? 0 : pc}; /* main's return */

    ck_point(&op);
    ck_event(&op, 0, 0);
    while (exiting && exiting != ck_self) /* E2 */
        ck_block(&(struct ck_wait){CK_OP_EXIT, &exiting, exiting->id, CK_NEVER, -1, 0}, false);
    exiting = ck_self;
}

CK_EXPORT void exit(int status)
{
    if (ck_enter()) {
        begin_end(CK_CALLER);
        judge(status);
        ck_leave();
        ck_keys_run_thread_locals();
    }
    CK_NEXT(exit)(status);
    __builtin_unreachable();
}

_Noreturn static void end_at_once(int status, uintptr_t pc)
{
    if (ck_enter()) {
        begin_end(pc);
        judge(status);
    }
    ck_end(status);
}

CK_EXPORT void _exit(int status)
{
    end_at_once(status, CK_CALLER);
}

CK_EXPORT void _Exit(int status)
{
    end_at_once(status, CK_CALLER);
}

CK_EXPORT void quick_exit(int status)
{
    if (ck_enter()) {
        begin_end(CK_CALLER);
        judge(status);
        ck_leave();
    }
    CK_NEXT(quick_exit)(status);
    __builtin_unreachable();
}

__attribute__((destructor(101))) static void at_end(void)
{
    if (!ck_self)
        return;
    ck_self->inside++; /* E3 */
    ck_sched_finish();
    if (!ck_rewind || !ck_rewind->is_resident)
        return;
    fflush(NULL);
    ck_end(exit_status);
}
