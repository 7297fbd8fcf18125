/* SPDX-License-Identifier: MIT */
/* threads.c - pthread_create to pthread_exit.
 *
 *   T1  a handle is the carrier's pthread_t (carrier.c, C1: no two threads of an execution share
 *       one)
 *   T2  a thread has ended for others (they can join it) after its cleanup handlers, the
 *       destructors of its thread-locals and of its keys, which all run under control
 *   T3  the last thread that ends takes the process with it, status 0
 *
 * Checked by: tests/check/runtime.py */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check/runtime/arena.h"
#include "check/runtime/carrier.h"
#include "check/runtime/clocks.h"
#include "check/runtime/deadlock.h"
#include "check/runtime/entry.h"
#include "check/runtime/locks.h"
#include "check/runtime/next.h"
#include "check/runtime/posix.h"
#include "check/runtime/signals.h"
#include "check/runtime/spin.h"

struct ck_posix ck_posix_main;
bool ck_threads_came_early;

struct ck_thread *ck_thread_of(pthread_t handle)
{
    for (uint32_t i = 0; i < ck_thread_count; i++) {
        if (ck_carrier_handle(ck_threads[i]->carrier) == handle)
            return ck_threads[i];
    }
    return NULL;
}

static bool is_over(const struct ck_thread *t)
{
    return !t || t->posix->is_joined || (t->state == CK_ENDED && t->posix->is_detached);
}

/* --- beginning and end --- */

static void body(void *arg)
{
    struct ck_posix *posix = arg;
    uintptr_t start = posix->start_c11 ? (uintptr_t)posix->start_c11 : (uintptr_t)posix->start;

    ck_event(&(struct ck_op){CK_OP_START, false, 0, 0, start + 1}, 0, 0);
    void *value = posix->start_c11 ? (void *)(intptr_t)posix->start_c11(posix->arg)
                                   : posix->start(posix->arg);

    ck_posix_exit(value);
}

void ck_posix_exit(void *value)
{
    struct ck_thread *self = ck_self;
    struct ck_posix *posix = self->posix;

    posix->value = value;
    posix->is_ending = true;
    posix->cancel_state = PTHREAD_CANCEL_DISABLE;
    self->is_cancelled = false;
    ck_keys_run_destructors();
    if (ck_alive_count() == 1) /* T3 */
        exit(0);
    self->inside++;
    ck_point(&(struct ck_op){CK_OP_END, true, 0, ck_thread_object(self), 0});
    ck_event(&self->next, 0, 0);
    if (ck_alive_count() == 1) {
        self->inside--;
        exit(0);
    }
    ck_mutex_thread_ends();
    ck_thread_end();
}

struct how {
    int detach;
    size_t stack_bytes;
    void *stack_low;
};

static struct how how_of(const pthread_attr_t *attr)
{
    struct how how = {PTHREAD_CREATE_JOINABLE, 0, NULL};
    pthread_attr_t defaults;

    if (!attr) {
        if (pthread_getattr_default_np(&defaults) == 0) {
            pthread_attr_getstacksize(&defaults, &how.stack_bytes);
            pthread_attr_destroy(&defaults);
        }
        return how;
    }
    pthread_attr_getdetachstate(attr, &how.detach);
    pthread_attr_getstacksize(attr, &how.stack_bytes);
    if (pthread_attr_getstack(attr, &how.stack_low, &how.stack_bytes) != 0)
        how.stack_low = NULL;
    /* None was set: libc says where one of that size below address 0 would begin. */
    if ((uintptr_t)how.stack_low + how.stack_bytes == 0)
        how.stack_low = NULL;
    return how;
}

int ck_posix_create(pthread_t *ret, const pthread_attr_t *attr, void *(*start)(void *),
                    int (*start_c11)(void *), void *arg, uintptr_t pc)
{
    struct ck_op op = {CK_OP_CREATE, true, 0, 0, pc};
    struct how how = how_of(attr);

    ck_point(&op);
    struct ck_posix *posix = ck_alloc(sizeof *posix);
    *posix =
        (struct ck_posix){.start = start, .start_c11 = start_c11, .arg = arg, .created_at = pc};
    posix->is_detached = how.detach == PTHREAD_CREATE_DETACHED;
    memcpy(posix->name, ck_self->posix->name, sizeof posix->name);
    struct ck_carrier *carrier =
        ck_carrier_new(body, posix, (uintptr_t)how.stack_low, how.stack_bytes);
    if (!carrier)
        return EAGAIN;
    struct ck_thread *child = ck_thread_new(carrier, posix);
    child->candidate.location = ck_self->candidate.location;
    ck_hb_begin(child, ck_self);
    ck_signals_begin(child, ck_self);
    *ret = ck_carrier_handle(carrier);
    ck_made_progress();
    op.object = ck_thread_object(child);
    ck_event(&op, child->id, 0);
    return 0;
}

CK_EXPORT int pthread_create(pthread_t *ret, const pthread_attr_t *attr, void *(*start)(void *),
                             void *arg)
{
    if (!ck_enter()) {
        ck_threads_came_early |= !ck_self && ck_attached > 0;
        return CK_NEXT(pthread_create)(ret, attr, start, arg);
    }
    int r = ck_posix_create(ret, attr, start, NULL, arg, CK_CALLER);
    ck_leave();
    return r;
}

CK_EXPORT void pthread_exit(void *value)
{
    if (!ck_enter())
        CK_NEXT(pthread_exit)(value);
    ck_leave();
    ck_unwind(value);
}

/* --- joining --- */

static int judge_join(const struct ck_thread *t)
{
    if (is_over(t))
        return ESRCH;
    if (t->posix->is_detached || (t->posix->joiner && t->posix->joiner != ck_self))
        return EINVAL;
    if (t == ck_self || t->posix->joiner == ck_self || ck_self->posix->joiner == t)
        return EDEADLK;
    return 0;
}

static int await_end(struct ck_thread *t, int64_t deadline, const struct ck_op *op)
{
    struct ck_wait wait = {CK_OP_JOIN, (void *)ck_thread_object(t), t->id, deadline, -1, 0};
    int r = 0;

    t->posix->joiner = ck_self;
    while (t->state != CK_ENDED && r == 0) {
        ck_event(op, t->id, CK_EVENT_BLOCKED);
        r = ck_wait_for(&wait);
    }
    t->posix->joiner = NULL;
    return r;
}

static void take_value(struct ck_thread *t, void **ret_value)
{
    ck_hb_join(t);
    t->posix->is_joined = true;
    if (ret_value)
        *ret_value = t->posix->value;
}

int ck_posix_join(pthread_t handle, void **ret_value, int64_t deadline, uintptr_t pc)
{
    struct ck_thread *t = ck_thread_of(handle);
    struct ck_op op = {CK_OP_JOIN, true, 0, ck_thread_object(t), pc};

    ck_cancel_test();
    ck_point(&op);
    int r = judge_join(t);
    if (r == 0)
        r = -await_end(t, deadline, &op);
    if (r == ECANCELED)
        ck_cancel_now();
    if (r == 0)
        take_value(t, ret_value);
    ck_event(&op, t ? t->id : 0, r == ETIMEDOUT ? CK_EVENT_TIMED_OUT : 0);
    return r;
}

CK_EXPORT int pthread_join(pthread_t handle, void **ret_value)
{
    if (!ck_enter())
        return CK_NEXT(pthread_join)(handle, ret_value);
    int r = ck_posix_join(handle, ret_value, CK_NEVER, CK_CALLER);
    ck_leave();
    return r;
}

CK_EXPORT int pthread_clockjoin_np(pthread_t handle, void **ret_value, clockid_t clock,
                                   const struct timespec *at)
{
    int64_t deadline = CK_NEVER;

    if (!ck_enter())
        return CK_NEXT(pthread_clockjoin_np)(handle, ret_value, clock, at);
    int r = ck_time_deadline(clock, at, &deadline);
    if (r == 0)
        r = ck_posix_join(handle, ret_value, deadline, CK_CALLER);
    ck_leave();
    return r;
}

CK_EXPORT int pthread_timedjoin_np(pthread_t handle, void **ret_value, const struct timespec *at)
{
    int64_t deadline = CK_NEVER;

    if (!ck_enter())
        return CK_NEXT(pthread_timedjoin_np)(handle, ret_value, at);
    int r = ck_time_deadline(CLOCK_REALTIME, at, &deadline);
    if (r == 0)
        r = ck_posix_join(handle, ret_value, deadline, CK_CALLER);
    ck_leave();
    return r;
}

static int try_join(pthread_t handle, void **ret_value, uintptr_t pc)
{
    struct ck_thread *t = ck_thread_of(handle);

    ck_point(&(struct ck_op){CK_OP_JOIN, true, 0, ck_thread_object(t), pc});
    int r = judge_join(t);
    if (r == 0 && t->state != CK_ENDED)
        r = EBUSY;
    if (r == 0)
        take_value(t, ret_value);
    return r;
}

CK_EXPORT int pthread_tryjoin_np(pthread_t handle, void **ret_value)
{
    if (!ck_enter())
        return CK_NEXT(pthread_tryjoin_np)(handle, ret_value);
    int r = try_join(handle, ret_value, CK_CALLER);
    ck_leave();
    return r;
}

CK_EXPORT int pthread_detach(pthread_t handle)
{
    if (!ck_enter())
        return CK_NEXT(pthread_detach)(handle);
    struct ck_thread *t = ck_thread_of(handle);
    struct ck_op op = {CK_OP_DETACH, true, 0, ck_thread_object(t), CK_CALLER};
    ck_point(&op);
    int r = is_over(t) ? ESRCH : t->posix->is_detached ? EINVAL : 0;
    if (r == 0)
        t->posix->is_detached = true;
    ck_event(&op, t ? t->id : 0, 0);
    ck_leave();
    return r;
}

/* --- what a thread is told and asked --- */

CK_EXPORT int pthread_getattr_np(pthread_t handle, pthread_attr_t *ret)
{
    if (!ck_enter())
        return CK_NEXT(pthread_getattr_np)(handle, ret);
    struct ck_thread *t = ck_thread_of(handle);
    int r = t ? pthread_attr_init(ret) : ESRCH;
    if (r == 0)
        r = pthread_attr_setstack(ret, (void *)t->stack_low, t->stack_high - t->stack_low);
    if (r == 0)
        r = pthread_attr_setdetachstate(ret, t->posix->is_detached ? PTHREAD_CREATE_DETACHED
                                                                   : PTHREAD_CREATE_JOINABLE);
    ck_leave();
    return r;
}

CK_EXPORT int pthread_setname_np(pthread_t handle, const char *name)
{
    if (!ck_enter())
        return CK_NEXT(pthread_setname_np)(handle, name);
    struct ck_thread *t = ck_thread_of(handle);
    int r = !t ? ESRCH : strlen(name) >= CK_NAME_BYTES ? ERANGE : 0;
    if (r == 0)
        strcpy(t->posix->name, name);
    ck_leave();
    return r;
}

CK_EXPORT int pthread_getname_np(pthread_t handle, char *ret, size_t bytes)
{
    if (!ck_enter())
        return CK_NEXT(pthread_getname_np)(handle, ret, bytes);
    struct ck_thread *t = ck_thread_of(handle);
    int r = !t ? ESRCH : bytes < CK_NAME_BYTES ? ERANGE : 0;
    if (r == 0)
        strcpy(ret, t->posix->name);
    ck_leave();
    return r;
}

/* Which processor, and how urgently, is the schedule's: taken, and of no effect. */
static int of_thread(pthread_t handle)
{
    return is_over(ck_thread_of(handle)) ? ESRCH : 0;
}

CK_EXPORT int pthread_setaffinity_np(pthread_t handle, size_t bytes, const cpu_set_t *set)
{
    return ck_self ? of_thread(handle) : CK_NEXT(pthread_setaffinity_np)(handle, bytes, set);
}

CK_EXPORT int pthread_getaffinity_np(pthread_t handle, size_t bytes, cpu_set_t *ret)
{
    if (!ck_self)
        return CK_NEXT(pthread_getaffinity_np)(handle, bytes, ret);
    int r = of_thread(handle);
    if (r == 0 && sched_getaffinity(0, bytes, ret) != 0)
        r = errno;
    return r;
}

CK_EXPORT int pthread_setschedparam(pthread_t handle, int policy, const struct sched_param *param)
{
    return ck_self ? of_thread(handle) : CK_NEXT(pthread_setschedparam)(handle, policy, param);
}

CK_EXPORT int pthread_setschedprio(pthread_t handle, int priority)
{
    return ck_self ? of_thread(handle) : CK_NEXT(pthread_setschedprio)(handle, priority);
}

CK_EXPORT int pthread_getschedparam(pthread_t handle, int *ret_policy, struct sched_param *ret)
{
    if (!ck_self)
        return CK_NEXT(pthread_getschedparam)(handle, ret_policy, ret);
    *ret_policy = SCHED_OTHER;
    ret->sched_priority = 0;
    return of_thread(handle);
}

CK_EXPORT int sched_yield(void)
{
    if (!ck_enter())
        return CK_NEXT(sched_yield)();
    ck_spin_offer(ck_self);
    ck_point(&(struct ck_op){CK_OP_YIELD, false, 0, 0, CK_CALLER});
    ck_leave();
    return 0;
}
