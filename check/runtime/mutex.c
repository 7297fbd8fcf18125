/* SPDX-License-Identifier: MIT */
/* mutex.c - a model of pthread mutexes.
 *
 *   M1  __lock, __owner, __count and __nusers of the program's mutex are its state (locks.h). An
 *       owner is CK_OWNER_FIRST plus the thread's id; another one was written before control began,
 *       by the main thread
 *   M2  who unlocks wakes all who wait, and each looks again. So which of them is next, or whether
 *       a newcomer overtakes them all, is up to the schedule: as with libc's
 *   M3  misuse that libc does not answer by an error ends the execution: a normal mutex locked
 *       twice by one thread, unlocked by another, destroyed while it is held
 *
 * Priority inheritance and protection are no more than normal here: the schedule has no priorities.
 *
 * Checked by: tests/check */
#include "check/runtime/locks.h"

#include <errno.h>
#include <string.h>

#include "check/runtime/deadlock.h"
#include "check/runtime/misuse.h"
#include "check/runtime/next.h"
#include "check/runtime/objects.h"
#include "check/runtime/order.h"
#include "check/runtime/spin.h"

/* Of __kind, as libc lays it out. */
enum { KIND_TYPE = 3, KIND_ROBUST = 16 };

struct mutex {
    struct ck_sync sync;
    uintptr_t taken_at;
    uint32_t taken_by;
    uint64_t taken_step;
    bool is_lost; /* robust: its owner died, and it was unlocked without being made consistent */
    bool is_inconsistent;
};

/* libc's pthread_mutex_destroy leaves this mark. */
static bool is_destroyed(const pthread_mutex_t *m)
{
    return m->__data.__kind == -1;
}

static struct mutex *model_of(const pthread_mutex_t *m)
{
    bool is_new;

    return ck_object(CK_MUTEX, m, sizeof(struct mutex), &is_new);
}

static int type_of(const pthread_mutex_t *m)
{
    return m->__data.__kind & KIND_TYPE;
}

static bool is_robust(const pthread_mutex_t *m)
{
    return m->__data.__kind & KIND_ROBUST;
}

uint32_t ck_mutex_holder(const pthread_mutex_t *m)
{
    int64_t id = (int64_t)m->__data.__owner - CK_OWNER_FIRST;

    if (m->__data.__lock == 0)
        return CK_NOBODY;
    if (id < 0)
        return 0;
    return id < ck_thread_count ? (uint32_t)id : CK_NOBODY;
}

bool ck_mutex_is_mine(const pthread_mutex_t *m)
{
    return ck_mutex_holder(m) == ck_self->id;
}

static bool owner_is_dead(const pthread_mutex_t *m)
{
    uint32_t holder = ck_mutex_holder(m);

    return holder != CK_NOBODY && ck_threads[holder]->state == CK_ENDED;
}

_Noreturn static void misused(const pthread_mutex_t *m, const char *what)
{
    const struct mutex *model = ck_object_find(CK_MUTEX, m);
    struct ck_report *report = ck_misuse_begin(m, what);

    if (model && model->taken_at && m->__data.__lock)
        ck_misuse_holder(report, model->taken_by, model->taken_at, model->taken_step);
    ck_misuse_fail(report);
}

static void take(pthread_mutex_t *m, struct mutex *model, const struct ck_op *op, bool by_trying)
{
    ck_order_take(m, op->pc, by_trying ? CK_TAKE_TRIES : 0);
    ck_acquire(&model->sync);
    m->__data.__lock = 1;
    m->__data.__owner = (int)(CK_OWNER_FIRST + ck_self->id);
    m->__data.__nusers++;
    if (type_of(m) == PTHREAD_MUTEX_RECURSIVE)
        m->__data.__count = 1;
    model->taken_at = op->pc;
    model->taken_by = ck_self->id;
    model->taken_step = ck_self->step;
}

/* Held by the thread itself: what libc answers; -1: it would wait for itself. */
static int take_again(pthread_mutex_t *m)
{
    if (type_of(m) == PTHREAD_MUTEX_ERRORCHECK)
        return EDEADLK;
    if (type_of(m) != PTHREAD_MUTEX_RECURSIVE)
        return -1;
    if (m->__data.__count + 1 == 0)
        return EAGAIN;
    m->__data.__count++;
    return 0;
}

/* EBUSY: another one has it. -1: as take_again. */
static int try_once(pthread_mutex_t *m, const struct ck_op *op, bool by_trying)
{
    struct mutex *model = model_of(m);

    if (is_destroyed(m))
        misused(m, "a mutex is locked after it was destroyed");
    if (model->is_lost)
        return ENOTRECOVERABLE;
    if (m->__data.__lock == 0) {
        take(m, model, op, by_trying);
        return 0;
    }
    if (ck_mutex_is_mine(m))
        return take_again(m);
    if (!is_robust(m) || !owner_is_dead(m))
        return EBUSY;
    m->__data.__nusers = 0;
    model->is_inconsistent = true;
    take(m, model, op, by_trying);
    return EOWNERDEAD;
}

static int wait_until_free(pthread_mutex_t *m, int64_t deadline, const struct ck_op *op)
{
    ck_event(op, 0, CK_EVENT_BLOCKED);
    return ck_wait_for(
        &(struct ck_wait){op->kind, m, ck_mutex_holder(m), deadline, .fd = -1, .events = 0});
}

int ck_mutex_lock(pthread_mutex_t *m, int64_t deadline, const struct ck_op *op)
{
    int r;

    while ((r = try_once(m, op, false)) == EBUSY || r == -1) {
        if (r == -1 && deadline == CK_NEVER)
            misused(m, "a mutex is locked twice by the same thread");
        if (wait_until_free(m, deadline, op) == -ETIMEDOUT) {
            r = ETIMEDOUT;
            break;
        }
    }
    ck_event(op, (uint64_t)r, r == ETIMEDOUT ? CK_EVENT_TIMED_OUT : 0);
    return r;
}

int ck_mutex_trylock(pthread_mutex_t *m, const struct ck_op *op)
{
    int r = try_once(m, op, true);

    if (r == -1 || r == EDEADLK)
        r = EBUSY;
    ck_event(op, (uint64_t)r, 0);
    return r;
}

static int judge_unlock(const pthread_mutex_t *m)
{
    if (is_destroyed(m))
        misused(m, "a mutex is unlocked after it was destroyed");
    if (m->__data.__lock != 0 && ck_mutex_is_mine(m))
        return 0;
    if (type_of(m) == PTHREAD_MUTEX_RECURSIVE || type_of(m) == PTHREAD_MUTEX_ERRORCHECK ||
        is_robust(m))
        return EPERM;
    misused(m, m->__data.__lock ? "a mutex is unlocked by a thread that does not hold it"
                                : "a mutex is unlocked that nobody holds");
}

int ck_mutex_unlock(pthread_mutex_t *m, const struct ck_op *op)
{
    struct mutex *model = model_of(m);
    int r = judge_unlock(m);

    if (op)
        ck_event(op, (uint64_t)r, 0);
    if (r != 0)
        return r;
    if (type_of(m) == PTHREAD_MUTEX_RECURSIVE && m->__data.__count > 1) {
        m->__data.__count--;
        return 0;
    }
    model->is_lost = model->is_inconsistent;
    m->__data.__count = 0;
    m->__data.__owner = 0;
    m->__data.__nusers--;
    m->__data.__lock = 0;
    ck_order_drop(m);
    ck_release_store(&model->sync);
    ck_spin_worked();
    ck_wake_all(m);
    return 0;
}

void ck_mutex_forget(const pthread_mutex_t *m)
{
    struct mutex *model = ck_object_find(CK_MUTEX, m);

    ck_order_forget(m);
    if (!model)
        return;
    ck_sync_fini(&model->sync);
    ck_object_forget(CK_MUTEX, m);
}

static void wake_if_mine(const void *address, void *model, void *arg)
{
    (void)arg;
    if (((struct mutex *)model)->taken_by == ck_self->id)
        ck_wake_all(address);
}

void ck_mutex_thread_ends(void)
{
    ck_object_each(CK_MUTEX, wake_if_mine, NULL);
}

/* ---- the program's calls --------------------------------------------------------------------- */

CK_EXPORT int pthread_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *attr)
{
    int r = CK_NEXT(pthread_mutex_init)(m, attr);

    if (ck_enter()) {
        ck_mutex_forget(m);
        ck_leave();
    }
    return r;
}

CK_EXPORT int pthread_mutex_destroy(pthread_mutex_t *m)
{
    if (!ck_enter())
        return CK_NEXT(pthread_mutex_destroy)(m);
    ck_point(CK_DO(CK_OP_DESTROY, true, m));
    if (m->__data.__lock != 0 && !owner_is_dead(m))
        misused(m, "a mutex is destroyed while a thread holds it");
    ck_mutex_forget(m);
    int r = CK_NEXT(pthread_mutex_destroy)(m);
    ck_leave();
    return r;
}

CK_EXPORT int pthread_mutex_lock(pthread_mutex_t *m)
{
    if (!ck_enter())
        return CK_NEXT(pthread_mutex_lock)(m);
    const struct ck_op *op = CK_DO(CK_OP_LOCK, true, m);
    ck_point(op);
    int r = ck_mutex_lock(m, CK_NEVER, op);
    ck_leave();
    return r;
}

CK_EXPORT int pthread_mutex_trylock(pthread_mutex_t *m)
{
    if (!ck_enter())
        return CK_NEXT(pthread_mutex_trylock)(m);
    const struct ck_op *op = CK_DO(CK_OP_TRYLOCK, true, m);
    ck_point(op);
    int r = ck_mutex_trylock(m, op);
    ck_leave();
    return r;
}

/* libc looks at the time only when it would have to wait. */
static int lock_until(pthread_mutex_t *m, clockid_t clock, const struct timespec *at,
                      const struct ck_op *op)
{
    int64_t deadline;

    ck_point(op);
    if (ck_time_deadline(clock, at, &deadline) == 0)
        return ck_mutex_lock(m, deadline, op);
    int r = try_once(m, op, false);
    return r == EBUSY || r == -1 ? EINVAL : r;
}

CK_EXPORT int pthread_mutex_timedlock(pthread_mutex_t *m, const struct timespec *at)
{
    if (!ck_enter())
        return CK_NEXT(pthread_mutex_timedlock)(m, at);
    int r = lock_until(m, CLOCK_REALTIME, at, CK_DO(CK_OP_LOCK, true, m));
    ck_leave();
    return r;
}

CK_EXPORT int pthread_mutex_clocklock(pthread_mutex_t *m, clockid_t clock,
                                      const struct timespec *at)
{
    if (!ck_enter())
        return CK_NEXT(pthread_mutex_clocklock)(m, clock, at);
    int r = clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC
                ? lock_until(m, clock, at, CK_DO(CK_OP_LOCK, true, m))
                : EINVAL;
    ck_leave();
    return r;
}

CK_EXPORT int pthread_mutex_unlock(pthread_mutex_t *m)
{
    if (!ck_enter())
        return CK_NEXT(pthread_mutex_unlock)(m);
    const struct ck_op *op = CK_DO(CK_OP_UNLOCK, true, m);
    ck_point(op);
    int r = ck_mutex_unlock(m, op);
    ck_leave();
    return r;
}

CK_EXPORT int pthread_mutex_consistent(pthread_mutex_t *m)
{
    if (!ck_enter())
        return CK_NEXT(pthread_mutex_consistent)(m);
    struct mutex *model = model_of(m);
    int r = is_robust(m) && model->is_inconsistent && ck_mutex_is_mine(m) ? 0 : EINVAL;
    if (r == 0)
        model->is_inconsistent = false;
    ck_leave();
    return r;
}
