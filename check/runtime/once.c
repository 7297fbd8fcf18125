/* SPDX-License-Identifier: MIT */
/* once.c - what happens once: pthread_once and call_once, and the guards of C++'s local statics.
 *
 * The program's word is the state, so that it may lie in memory that is used again:
 *   - pthread_once_t and once_flag: 0 not yet, 1 under way, 2 done
 *   - a guard (Itanium C++ ABI 3.3.2): its first byte is what compiled code looks at by itself; the
 *     second says that it is under way
 * A routine that is left by an exception, by cancellation or pthread_exit has not been run.
 *
 * Checked by: tests/check */
#include <pthread.h>
#include <threads.h>

#include "check/runtime/deadlock.h"
#include "check/runtime/locks.h"
#include "check/runtime/next.h"
#include "check/runtime/objects.h"

enum { NOT_YET, UNDER_WAY, IS_DONE };

struct once {
    struct ck_sync sync;
    uint32_t runner;
};

static struct once *model_of(const void *state)
{
    bool is_new;

    return ck_object(CK_ONCE, state, sizeof(struct once), &is_new);
}

static void wait_for_runner(const void *state, const struct ck_op *op)
{
    struct ck_wait wait = {CK_OP_ONCE, state,    model_of(state)->runner,
                           CK_NEVER,   .fd = -1, .events = 0};

    ck_event(op, 0, CK_EVENT_BLOCKED);
    ck_wait_for(&wait);
}

bool ck_once_begin(int *state, const struct ck_op *op)
{
    while (*state == UNDER_WAY)
        wait_for_runner(state, op);
    ck_event(op, (uint64_t)*state, 0);
    ck_acquire(&model_of(state)->sync);
    if (*state == IS_DONE)
        return false;
    *state = UNDER_WAY;
    model_of(state)->runner = ck_self->id;
    return true;
}

void ck_once_end(int *state, bool is_done)
{
    *state = is_done ? IS_DONE : NOT_YET;
    ck_made_progress();
    ck_release_store(&model_of(state)->sync);
    ck_wake_all(state);
}

struct running {
    int *state;
    bool is_done;
};

/* Also when the routine is unwound. */
static void stop_running(struct running *running)
{
    ck_self->inside++;
    ck_once_end(running->state, running->is_done);
    ck_leave();
}

static void run(int *state, void (*routine)(void))
{
    struct running running __attribute__((cleanup(stop_running))) = {state, false};

    ck_leave();
    routine();
    running.is_done = true;
}

static int once(int *state, void (*routine)(void), const struct ck_op *op)
{
    ck_point(op);
    if (ck_once_begin(state, op))
        run(state, routine);
    else
        ck_leave();
    return 0;
}

CK_EXPORT int pthread_once(pthread_once_t *state, void (*routine)(void))
{
    if (!ck_enter())
        return CK_NEXT(pthread_once)(state, routine);
    return once(state, routine, CK_DO(CK_OP_ONCE, true, state));
}

CK_EXPORT void call_once(once_flag *flag, void (*routine)(void))
{
    if (ck_enter())
        once(&flag->__data, routine, CK_DO(CK_OP_ONCE, true, flag));
    else
        CK_NEXT(call_once)(flag, routine);
}

/* ---- guards ---------------------------------------------------------------------------------- */

/* The compiler's run time, and the instrumentation's entry for an atomic store. */
CK_EXPORT int __cxa_guard_acquire(unsigned char *guard);
CK_EXPORT void __cxa_guard_release(unsigned char *guard);
CK_EXPORT void __cxa_guard_abort(unsigned char *guard);
void __tsan_atomic8_store(volatile unsigned char *at, unsigned char value, int order);

CK_EXPORT int __cxa_guard_acquire(unsigned char *guard)
{
    if (!ck_enter())
        return CK_NEXT(__cxa_guard_acquire)(guard);
    const struct ck_op *op = CK_DO(CK_OP_ONCE, true, guard);
    ck_point(op);
    while (!guard[0] && guard[1])
        wait_for_runner(guard, op);
    ck_event(op, guard[0], 0);
    ck_acquire(&model_of(guard)->sync);
    int is_ours = !guard[0];
    if (is_ours) {
        guard[1] = 1;
        model_of(guard)->runner = ck_self->id;
    }
    ck_leave();
    return is_ours;
}

/* Nobody may find neither byte set in between. */
static void end_guard(unsigned char *guard)
{
    guard[1] = 0;
    ck_release_store(&model_of(guard)->sync);
    ck_wake_all(guard);
    ck_leave();
}

CK_EXPORT void __cxa_guard_release(unsigned char *guard)
{
    if (!ck_self || ck_self->inside) {
        CK_NEXT(__cxa_guard_release)(guard);
        return;
    }
    __tsan_atomic8_store(guard, 1, __ATOMIC_RELEASE);
    ck_enter();
    end_guard(guard);
}

CK_EXPORT void __cxa_guard_abort(unsigned char *guard)
{
    if (ck_enter())
        end_guard(guard);
    else
        CK_NEXT(__cxa_guard_abort)(guard);
}
