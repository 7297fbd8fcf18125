/* SPDX-License-Identifier: MIT */
/* cancel.c - cancellation, cleanup handlers, and the unwinding that they and pthread_exit() mean.
 *
 * C programs register a cleanup handler as a jump buffer in their frame, C++ programs and those
 * that are compiled with -fexceptions as a landing pad. One forced unwinding serves both: at
 * each frame a stop function is asked; where the frame holds the innermost jump buffer, it jumps
 * there, the program runs the handler and asks to go on (__pthread_unwind_next); landing pads run
 * by the unwinder. At the stack's end the thread ends.
 *
 *   N1  is_cancelled says: pending, enabled, and not ending. Whoever changes one of the three sets
 *       it
 *   N2  a thread that is to be cancelled and waits where that is a cancellation point is woken;
 *       what it waited for answers -ECANCELED, its model is put in order, and ck_cancel_now()
 *       unwinds
 *   N3  the frame that contains a jump buffer is the first one whose CFA is above it
 *
 * Rejected: libc's own pthread_cancel(): it sends a signal to a kernel thread that is not there.
 *
 * Checked by: tests/check/runtime.py */
#include <errno.h>
#include <setjmp.h>
#include <stdlib.h>
#include <unwind.h>

#include "check/runtime/fail.h"
#include "check/runtime/next.h"
#include "check/runtime/posix.h"

/* What a program's pthread_cleanup_push() makes in its frame: __pthread_unwind_buf_t. */
struct ck_cleanup {
    struct __jmp_buf_tag jump; /* without the set of signals that follows in a whole one */
};

static struct ck_cleanup **outer_of(struct ck_cleanup *buffer)
{
    return (struct ck_cleanup **)((__pthread_unwind_buf_t *)buffer)->__pad;
}

static void judge(struct ck_thread *t)
{
    const struct ck_posix *posix = t->posix;

    t->is_cancelled = posix->cancel_is_pending && !posix->is_ending &&
                      posix->cancel_state == PTHREAD_CANCEL_ENABLE; /* N1 */
}

/* --- unwinding --- */

static _Unwind_Reason_Code stop(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
                                struct _Unwind_Exception *exception,
                                struct _Unwind_Context *context, void *arg)
{
    struct ck_cleanup *innermost = ck_posix_self()->cleanups;
    bool is_end = actions & _UA_END_OF_STACK;

    (void)version, (void)class, (void)exception, (void)arg;
    if (innermost && (is_end || _Unwind_GetCFA(context) > (uintptr_t)innermost)) /* N3 */
        longjmp(&innermost->jump, 1);
    if (is_end)
        ck_posix_exit(ck_posix_self()->value);
    return _URC_NO_REASON;
}

static void was_caught(_Unwind_Reason_Code code, struct _Unwind_Exception *exception)
{
    (void)code, (void)exception;
    rvi_panic("a thread's end was caught by a handler that did not go on with it");
}

static struct _Unwind_Exception *exception_of(struct ck_posix *posix)
{
    posix->exception.exception_class = 0;
    posix->exception.exception_cleanup = was_caught;
    return &posix->exception;
}

void ck_unwind(void *value)
{
    struct ck_posix *posix = ck_posix_self();

    posix->value = value;
    posix->is_ending = true;
    judge(ck_self);
    _Unwind_ForcedUnwind(exception_of(posix), stop, NULL);
    ck_posix_exit(value); /* a frame without unwind tables: the rest is left out */
}

void ck_cancel_now(void)
{
    ck_self->inside = 0;
    ck_unwind(PTHREAD_CANCELED);
}

void ck_cancel_test(void)
{
    if (ck_self->is_cancelled)
        ck_cancel_now();
}

void ck_cancel_at_point(void)
{
    if (ck_self->posix->cancel_type == PTHREAD_CANCEL_ASYNCHRONOUS)
        ck_cancel_now();
}

/* --- what pthread_cleanup_push() calls --- */

/* libc's header declares them with attributes of its own. */
/* libc declares them where it has no exceptions to do the same with. */
void __pthread_register_cancel(__pthread_unwind_buf_t *);
void __pthread_unregister_cancel(__pthread_unwind_buf_t *);
void __pthread_unwind_next(__pthread_unwind_buf_t *);

CK_EXPORT void __pthread_register_cancel(__pthread_unwind_buf_t *buffer)
{
    struct ck_posix *posix = ck_posix_self();

    *outer_of((struct ck_cleanup *)buffer) = posix->cleanups;
    posix->cleanups = (struct ck_cleanup *)buffer;
}

CK_EXPORT void __pthread_unregister_cancel(__pthread_unwind_buf_t *buffer)
{
    ck_posix_self()->cleanups = *outer_of((struct ck_cleanup *)buffer);
}

CK_EXPORT void __pthread_unwind_next(__pthread_unwind_buf_t *buffer)
{
    struct ck_posix *posix = ck_posix_self();

    if (!ck_self)
        CK_NEXT(__pthread_unwind_next)(buffer);
    posix->cleanups = *outer_of((struct ck_cleanup *)buffer);
    _Unwind_ForcedUnwind(exception_of(posix), stop, NULL);
    ck_posix_exit(posix->value);
}

/* The same, with the type changed and put back. */
void __pthread_register_cancel_defer(__pthread_unwind_buf_t *);
void __pthread_unregister_cancel_restore(__pthread_unwind_buf_t *);

CK_EXPORT void __pthread_register_cancel_defer(__pthread_unwind_buf_t *buffer)
{
    __pthread_register_cancel(buffer);
    pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED,
                          (int *)&outer_of((struct ck_cleanup *)buffer)[1]);
}

CK_EXPORT void __pthread_unregister_cancel_restore(__pthread_unwind_buf_t *buffer)
{
    __pthread_unregister_cancel(buffer);
    pthread_setcanceltype(*(int *)&outer_of((struct ck_cleanup *)buffer)[1], NULL);
}

/* --- the calls --- */

static int cancel(struct ck_thread *t)
{
    if (!t || t->posix->is_joined)
        return ESRCH;
    if (t->state == CK_ENDED)
        return 0;
    t->posix->cancel_is_pending = true;
    judge(t);
    ck_made_progress();
    if (t->is_cancelled && t->posix->in_cancellable_wait) /* N2 */
        ck_wake(t);
    return 0;
}

CK_EXPORT int pthread_cancel(pthread_t handle)
{
    if (!ck_enter())
        return CK_NEXT(pthread_cancel)(handle);
    struct ck_thread *t = ck_thread_of(handle);
    struct ck_op op = {CK_OP_CANCEL, true, 0, ck_thread_object(t), CK_CALLER};
    ck_point(&op);
    int r = cancel(t);
    ck_event(&op, t ? t->id : 0, 0);
    if (t == ck_self)
        ck_cancel_at_point();
    ck_leave();
    return r;
}

CK_EXPORT void pthread_testcancel(void)
{
    if (!ck_enter()) {
        if (!ck_self)
            CK_NEXT(pthread_testcancel)();
        return;
    }
    ck_point(&(struct ck_op){CK_OP_CANCEL, false, 0, ck_thread_object(ck_self), CK_CALLER});
    ck_cancel_test();
    ck_leave();
}

static int change(int *field, int value, int most, int *ret_before)
{
    if (value < 0 || value > most)
        return EINVAL;
    if (ret_before)
        *ret_before = *field;
    *field = value;
    if (ck_self)
        judge(ck_self);
    return 0;
}

/* Libc's own functions call libc's own setcancelstate, not this. */
CK_EXPORT int pthread_setcancelstate(int state, int *ret_before)
{
    if (!ck_shared)
        return CK_NEXT(pthread_setcancelstate)(state, ret_before);
    return change(&ck_posix_self()->cancel_state, state, PTHREAD_CANCEL_DISABLE, ret_before);
}

CK_EXPORT int pthread_setcanceltype(int type, int *ret_before)
{
    if (!ck_shared)
        return CK_NEXT(pthread_setcanceltype)(type, ret_before);
    return change(&ck_posix_self()->cancel_type, type, PTHREAD_CANCEL_ASYNCHRONOUS, ret_before);
}
