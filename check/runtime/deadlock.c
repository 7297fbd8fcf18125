/* SPDX-License-Identifier: MIT */
/* deadlock.c - waits that cannot end: cycles of waits, found when they close; and what is left when
 * no thread can run.
 *
 *   D1  a thread that is blocked without a deadline on something that others hold needs each of
 *       them: a wait for one that waits, in however many steps, for the first can never end,
 *       whatever those outside the cycle do
 *   D2  a wait with a deadline ends, and who was woken looks again: neither closes a cycle. The
 *       last thread to block closes it, so looking then finds every one
 *   D3  at the end of all progress the plainest reason is given: a cycle, a lock whose holder is
 *       gone, a wake-up that came before its waiter, or else that nobody is left to wake anybody
 *
 * Checked by: tests/unit/check/test_deadlock.c, tests/check */
#include "check/runtime/deadlock.h"

#include <string.h>

#include "check/runtime/fail.h"
#include "check/runtime/locks.h"

void ck_wasted_note(struct ck_wasted *wasted, uintptr_t pc)
{
    wasted->count++;
    wasted->step = ck_shared->result.steps;
    wasted->pc = pc;
    wasted->thread = ck_self->id;
}

/* ---- cycles ---------------------------------------------------------------------------------- */

/* From `path[0]` on, each waits for the next. */
static uint32_t path[CK_THREADS_MOST];
static uint32_t path_length;
static uint32_t visited[CK_THREADS_MOST], visit; /* == visit: already looked at, in this search */

static bool is_stuck(const struct ck_thread *thread)
{
    return thread->state == CK_BLOCKED && !thread->is_woken && thread->wait.deadline == CK_NEVER;
}

/* The i-th of those that the thread waits for; CK_NOBODY: no more. */
static uint32_t holder_of(const struct ck_thread *thread, uint32_t i)
{
    const struct ck_wait *wait = &thread->wait;

    if (wait->kind == CK_OP_RDLOCK || wait->kind == CK_OP_WRLOCK)
        return ck_rwlock_holder(wait->object, i);
    return i == 0 ? wait->holder : CK_NOBODY;
}

/* Depth is at most the number of threads. */
static bool leads_to(uint32_t from, uint32_t target)
{
    const struct ck_thread *thread = ck_threads[from];
    uint32_t next;

    path[path_length++] = from;
    visited[from] = visit;
    for (uint32_t i = 0; (next = holder_of(thread, i)) != CK_NOBODY; i++) {
        if (next == target)
            return true;
        if (visited[next] != visit && is_stuck(ck_threads[next]) && leads_to(next, target))
            return true;
    }
    path_length--;
    return false;
}

static bool closes_cycle(uint32_t thread)
{
    visit++;
    path_length = 0;
    return leads_to(thread, thread);
}

static void add_party(struct ck_report *report, const struct ck_thread *thread, uint32_t waits_for)
{
    struct ck_party *party = ck_report_party(report, thread->id, (uintptr_t)thread->wait.object);

    if (party)
        party->waits_for_thread = waits_for;
}

_Noreturn static void fail_by_cycle(void)
{
    struct ck_report *report =
        path_length == 1
            ? ck_report_begin(CK_DEADLOCK, "a thread waits for itself")
            : ck_report_begin(CK_DEADLOCK, "%u threads wait for each other", path_length);

    for (uint32_t i = 0; i < path_length; i++)
        add_party(report, ck_threads[path[i]], path[(i + 1) % path_length]);
    ck_report_fail(report);
}

int ck_wait_for(const struct ck_wait *wait)
{
    if (wait->deadline == CK_NEVER) {
        ck_self->wait = *wait;
        if (closes_cycle(ck_self->id))
            fail_by_cycle();
    }
    return ck_block(wait, false);
}

/* ---- nobody can run -------------------------------------------------------------------------- */

static bool waits_for_lock(const struct ck_thread *thread)
{
    switch (thread->wait.kind) {
    case CK_OP_LOCK:
    case CK_OP_WOKEN:
    case CK_OP_RDLOCK:
    case CK_OP_WRLOCK:
    case CK_OP_SPIN_LOCK:
    case CK_OP_ONCE:
        return true;
    default:
        return false;
    }
}

static const struct ck_wasted *wasted_for(const struct ck_thread *thread)
{
    if (thread->wait.kind == CK_OP_WAIT)
        return ck_cond_wasted(thread->wait.object);
    if (thread->wait.kind == CK_OP_FUTEX_WAIT)
        return ck_futex_wasted(thread->wait.object);
    return NULL;
}

/* The first blocked thread of which it is true; NULL: none. */
static const struct ck_thread *first_blocked(bool (*is_it)(const struct ck_thread *))
{
    for (uint32_t i = 0; i < ck_thread_count; i++) {
        if (ck_threads[i]->state == CK_BLOCKED && is_it(ck_threads[i]))
            return ck_threads[i];
    }
    return NULL;
}

static bool waits_for_ended(const struct ck_thread *thread)
{
    uint32_t holder = holder_of(thread, 0);

    return waits_for_lock(thread) && holder != CK_NOBODY && ck_threads[holder]->state == CK_ENDED;
}

static bool was_signalled_early(const struct ck_thread *thread)
{
    return wasted_for(thread) != NULL;
}

static bool is_not_joining(const struct ck_thread *thread)
{
    return thread->wait.kind != CK_OP_JOIN;
}

static bool is_joining(const struct ck_thread *thread)
{
    return thread->wait.kind == CK_OP_JOIN;
}

/* Those who wait for something first, then those who wait for these to end. */
static void add_all(struct ck_report *report, bool (*is_it)(const struct ck_thread *),
                    const struct ck_thread *but)
{
    for (uint32_t i = 0; i < ck_thread_count; i++) {
        const struct ck_thread *thread = ck_threads[i];

        if (thread->state == CK_BLOCKED && thread != but && is_it(thread))
            add_party(report, thread, holder_of(thread, 0));
    }
}

_Noreturn static void fail_by_lost(const struct ck_thread *waiter)
{
    const struct ck_wasted *wasted = wasted_for(waiter);
    struct ck_report *report =
        ck_report_begin(CK_LOST_WAKEUP, "a thread waits for a signal that came before it waited");

    add_party(report, waiter, CK_NOBODY);
    struct ck_party *signaller =
        ck_report_past(report, wasted->thread, (uintptr_t)waiter->wait.object, wasted->pc);
    if (signaller)
        signaller->event = wasted->step;
    add_all(report, is_not_joining, waiter);
    add_all(report, is_joining, waiter);
    ck_report_fail(report);
}

_Noreturn static void fail_by_all(const struct ck_thread *first, const char *why)
{
    struct ck_report *report = ck_report_begin(CK_DEADLOCK, "%s", why);

    if (first)
        add_party(report, first, holder_of(first, 0));
    add_all(report, is_not_joining, first);
    add_all(report, is_joining, first);
    ck_report_fail(report);
}

void ck_nobody_can_run(void)
{
    const struct ck_thread *thread;

    for (uint32_t i = 0; i < ck_thread_count; i++) {
        if (is_stuck(ck_threads[i]) && closes_cycle(i))
            fail_by_cycle();
    }
    thread = first_blocked(waits_for_ended);
    if (thread)
        fail_by_all(thread, "a thread waits for a lock that a thread held when it ended");
    thread = first_blocked(waits_for_lock);
    if (thread)
        fail_by_all(thread, "a thread waits for a lock whose holder waits, too");
    thread = first_blocked(was_signalled_early);
    if (thread)
        fail_by_lost(thread);
    fail_by_all(NULL, "all threads wait, and nobody is left to wake them");
}
