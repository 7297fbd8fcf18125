/* SPDX-License-Identifier: MIT */
/* spinlock.c - a model of pthread spin locks.
 *
 *   P1  the program's word is the state, in libc's values: on x86 1 is free, elsewhere 0
 *   P2  a thread that would spin waits, and is woken by the unlock
 *   P3  the word says nothing of the holder: the model does
 *
 * Checked by: tests/check */
#include <errno.h>
#include <pthread.h>

#include "check/runtime/deadlock.h"
#include "check/runtime/locks.h"
#include "check/runtime/misuse.h"
#include "check/runtime/next.h"
#include "check/runtime/objects.h"
#include "check/runtime/order.h"
#include "check/runtime/spin.h"

#if defined(__x86_64__)
enum { SPIN_FREE = 1, SPIN_TAKEN = 0 };
#else
enum { SPIN_FREE = 0, SPIN_TAKEN = 1 };
#endif

struct spin {
    struct ck_sync sync;
    uint32_t holder;
    uintptr_t taken_at;
    uint64_t taken_step;
};

static struct spin *model_of(const volatile void *lock)
{
    bool is_new;
    struct spin *model =
        ck_object(CK_SPIN, (const void *)(uintptr_t)lock, sizeof(struct spin), &is_new);

    if (is_new)
        model->holder = CK_NOBODY;
    return model;
}

_Noreturn static void misused(const volatile void *lock, const struct spin *model, const char *what)
{
    struct ck_report *report = ck_misuse_begin((const void *)(uintptr_t)lock, what);

    if (model->holder != CK_NOBODY)
        ck_misuse_holder(report, model->holder, model->taken_at, model->taken_step);
    ck_misuse_fail(report);
}

static bool try_once(pthread_spinlock_t *lock, const struct ck_op *op, bool by_trying)
{
    struct spin *model = model_of(lock);

    if (*lock != SPIN_FREE)
        return false;
    ck_order_take((const void *)(uintptr_t)lock, op->pc, by_trying ? CK_TAKE_TRIES : 0);
    *lock = SPIN_TAKEN;
    model->holder = ck_self->id;
    model->taken_at = op->pc;
    model->taken_step = ck_self->step;
    ck_acquire(&model->sync);
    ck_event(op, 0, 0);
    return true;
}

static void take(pthread_spinlock_t *lock, const struct ck_op *op)
{
    while (!try_once(lock, op, false)) {
        const struct spin *model = model_of(lock);

        if (model->holder == ck_self->id)
            misused(lock, model, "a spin lock is locked twice by the same thread");
        ck_event(op, 0, CK_EVENT_BLOCKED);
        ck_wait_for(&(struct ck_wait){CK_OP_SPIN_LOCK, (const void *)(uintptr_t)lock, model->holder,
                                      CK_NEVER, .fd = -1, .events = 0});
    }
}

static void give_back(pthread_spinlock_t *lock, const struct ck_op *op)
{
    struct spin *model = model_of(lock);

    if (*lock == SPIN_FREE || model->holder != ck_self->id)
        misused(lock, model, "a spin lock is unlocked by a thread that does not hold it");
    ck_event(op, 0, 0);
    model->holder = CK_NOBODY;
    *lock = SPIN_FREE;
    ck_order_drop((const void *)(uintptr_t)lock);
    ck_release_store(&model->sync);
    ck_spin_worked();
    ck_wake_all((const void *)(uintptr_t)lock);
}

static void forget(const volatile void *lock)
{
    const void *plain = (const void *)(uintptr_t)lock;
    struct spin *model = ck_object_find(CK_SPIN, plain);

    ck_order_forget(plain);
    if (!model)
        return;
    ck_sync_fini(&model->sync);
    ck_object_forget(CK_SPIN, plain);
}

CK_EXPORT int pthread_spin_init(pthread_spinlock_t *lock, int shared)
{
    int r = CK_NEXT(pthread_spin_init)(lock, shared);

    if (ck_enter()) {
        forget(lock);
        ck_leave();
    }
    return r;
}

CK_EXPORT int pthread_spin_destroy(pthread_spinlock_t *lock)
{
    if (ck_enter()) {
        struct spin *model = model_of(lock);

        ck_point(CK_DO(CK_OP_DESTROY, true, lock));
        if (model->holder != CK_NOBODY)
            misused(lock, model, "a spin lock is destroyed while a thread holds it");
        forget(lock);
        ck_leave();
    }
    return 0;
}

CK_EXPORT int pthread_spin_lock(pthread_spinlock_t *lock)
{
    if (!ck_enter())
        return CK_NEXT(pthread_spin_lock)(lock);
    const struct ck_op *op = CK_DO(CK_OP_SPIN_LOCK, true, lock);
    ck_point(op);
    take(lock, op);
    ck_leave();
    return 0;
}

CK_EXPORT int pthread_spin_trylock(pthread_spinlock_t *lock)
{
    if (!ck_enter())
        return CK_NEXT(pthread_spin_trylock)(lock);
    const struct ck_op *op = CK_DO(CK_OP_TRYLOCK, true, lock);
    ck_point(op);
    bool taken = try_once(lock, op, true);
    ck_leave();
    return taken ? 0 : EBUSY;
}

CK_EXPORT int pthread_spin_unlock(pthread_spinlock_t *lock)
{
    if (!ck_enter())
        return CK_NEXT(pthread_spin_unlock)(lock);
    const struct ck_op *op = CK_DO(CK_OP_SPIN_UNLOCK, true, lock);
    ck_point(op);
    give_back(lock, op);
    ck_leave();
    return 0;
}
