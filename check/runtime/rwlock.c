/* SPDX-License-Identifier: MIT */
/* rwlock.c - a model of pthread read-write locks.
 *
 *   R1  __readers of the program's lock is eight times the number of holds for reading, or 3 when
 *       it is held for writing, as libc has it; __cur_writer is who (mutex.c: M1). The model knows
 *       who reads. Where the two disagree the memory was written anew, and the model starts afresh
 *   R2  readers pass writers who wait, as by libc's default, unless the lock's kind prefers writers
 *       and is not recursive
 *   R3  who unlocks wakes all who wait, and each looks again
 *   R4  readers synchronise with writers alone: `written` is what the last writer released, `read`
 *       what readers did since
 *
 * Checked by: tests/check */
#include <errno.h>
#include <pthread.h>

#include "check/runtime/arena.h"
#include "check/runtime/deadlock.h"
#include "check/runtime/locks.h"
#include "check/runtime/misuse.h"
#include "check/runtime/next.h"
#include "check/runtime/objects.h"
#include "check/runtime/order.h"
#include "check/runtime/spin.h"

enum { READER = 8, WRITTEN = 3 };

struct reader {
    uint32_t thread;
    uint32_t holds;
};

struct rwlock {
    struct ck_sync written, read;
    struct reader *readers;
    uint32_t reader_count, reader_room;
    uint32_t waiting_writers;
    uintptr_t taken_at; /* by the writer */
    uint64_t taken_step;
};

static void reset_if_stale(const pthread_rwlock_t *l, struct rwlock *model)
{
    uint32_t holds = 0;

    for (uint32_t i = 0; i < model->reader_count; i++)
        holds += model->readers[i].holds;
    if (holds * READER != l->__data.__readers && l->__data.__readers != WRITTEN)
        model->reader_count = 0;
}

static struct rwlock *model_of(const pthread_rwlock_t *l)
{
    bool is_new;
    struct rwlock *model = ck_object(CK_RWLOCK, l, sizeof *model, &is_new);

    reset_if_stale(l, model);
    return model;
}

static bool is_written(const pthread_rwlock_t *l)
{
    return (l->__data.__readers & WRITTEN) == WRITTEN;
}

static uint32_t writer_of(const pthread_rwlock_t *l)
{
    int64_t id = (int64_t)l->__data.__cur_writer - CK_OWNER_FIRST;

    if (!is_written(l))
        return CK_NOBODY;
    if (id < 0)
        return 0;
    return id < ck_thread_count ? (uint32_t)id : CK_NOBODY;
}

uint32_t ck_rwlock_holder(const void *rwlock, uint32_t i)
{
    const struct rwlock *model = ck_object_find(CK_RWLOCK, rwlock);
    const pthread_rwlock_t *l = rwlock;

    if (is_written(l))
        return i == 0 ? writer_of(l) : CK_NOBODY;
    return model && i < model->reader_count ? model->readers[i].thread : CK_NOBODY;
}

static struct reader *mine(const struct rwlock *model)
{
    for (uint32_t i = 0; i < model->reader_count; i++) {
        if (model->readers[i].thread == ck_self->id)
            return &model->readers[i];
    }
    return NULL;
}

static struct reader *add_reader(struct rwlock *model)
{
    if (model->reader_count == model->reader_room) {
        uint32_t room = model->reader_room ? 2 * model->reader_room : 8;
        struct reader *readers = ck_alloc(room * sizeof *readers);

        for (uint32_t i = 0; i < model->reader_count; i++)
            readers[i] = model->readers[i];
        ck_free(model->readers, model->reader_room * sizeof *readers);
        model->readers = readers;
        model->reader_room = room;
    }
    model->readers[model->reader_count] = (struct reader){ck_self->id, 0};
    return &model->readers[model->reader_count++];
}

/* ---- taking ---------------------------------------------------------------------------------- */

static bool may_read(const pthread_rwlock_t *l, const struct rwlock *model)
{
    bool prefers_writers = l->__data.__flags == PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP;

    return !is_written(l) && !(prefers_writers && model->waiting_writers > 0);
}

static void read_it(pthread_rwlock_t *l, struct rwlock *model, const struct ck_op *op,
                    bool by_trying)
{
    struct reader *reader = mine(model);

    if (!reader) {
        ck_order_take(l, op->pc, CK_TAKE_READS | (by_trying ? CK_TAKE_TRIES : 0));
        reader = add_reader(model);
    }
    reader->holds++;
    l->__data.__readers += READER;
    ck_acquire(&model->written);
}

static void write_it(pthread_rwlock_t *l, struct rwlock *model, const struct ck_op *op,
                     bool by_trying)
{
    ck_order_take(l, op->pc, by_trying ? CK_TAKE_TRIES : 0);
    l->__data.__readers = WRITTEN;
    l->__data.__wrphase_futex = 1;
    l->__data.__cur_writer = (int)(CK_OWNER_FIRST + ck_self->id);
    model->taken_at = op->pc;
    model->taken_step = ck_self->step;
    ck_acquire(&model->written);
    ck_acquire(&model->read);
}

/* 0, EBUSY, or EDEADLK where libc sees that the thread would wait for itself. */
static int try_once(pthread_rwlock_t *l, const struct ck_op *op, bool by_trying)
{
    struct rwlock *model = model_of(l);

    if (writer_of(l) == ck_self->id)
        return by_trying ? EBUSY : EDEADLK;
    if (op->kind == CK_OP_RDLOCK) {
        if (!may_read(l, model))
            return EBUSY;
        read_it(l, model, op, by_trying);
        return 0;
    }
    if (l->__data.__readers != 0)
        return EBUSY;
    write_it(l, model, op, by_trying);
    return 0;
}

static int wait_until_free(pthread_rwlock_t *l, int64_t deadline, const struct ck_op *op)
{
    struct rwlock *model = model_of(l);
    bool writes = op->kind == CK_OP_WRLOCK;
    struct ck_wait wait = {op->kind, l, ck_rwlock_holder(l, 0), deadline, .fd = -1, .events = 0};

    ck_event(op, 0, CK_EVENT_BLOCKED);
    model->waiting_writers += writes;
    int r = ck_wait_for(&wait);
    model_of(l)->waiting_writers -= writes;
    if (r == -ETIMEDOUT && writes)
        ck_wake_all(l);
    return r;
}

static int lock(pthread_rwlock_t *l, int64_t deadline, const struct ck_op *op)
{
    int r;

    while ((r = try_once(l, op, false)) == EBUSY) {
        if (wait_until_free(l, deadline, op) == -ETIMEDOUT) {
            r = ETIMEDOUT;
            break;
        }
    }
    ck_event(op, (uint64_t)r, r == ETIMEDOUT ? CK_EVENT_TIMED_OUT : 0);
    return r;
}

static int lock_now(pthread_rwlock_t *l, const struct ck_op *op)
{
    int r = try_once(l, op, true);

    ck_event(op, (uint64_t)r, 0);
    return r;
}

static int lock_until(pthread_rwlock_t *l, clockid_t clock, const struct timespec *at,
                      const struct ck_op *op)
{
    int64_t deadline;
    int r = ck_time_deadline(clock, at, &deadline);

    if (r != 0)
        return r;
    ck_point(op);
    return lock(l, deadline, op);
}

/* ---- giving back ----------------------------------------------------------------------------- */

_Noreturn static void misused(const pthread_rwlock_t *l, const char *what)
{
    struct ck_report *report = ck_misuse_begin(l, what);
    const struct rwlock *model = ck_object_find(CK_RWLOCK, l);

    if (model && is_written(l) && writer_of(l) != CK_NOBODY)
        ck_misuse_holder(report, writer_of(l), model->taken_at, model->taken_step);
    ck_misuse_fail(report);
}

static void stop_writing(pthread_rwlock_t *l, struct rwlock *model)
{
    l->__data.__cur_writer = 0;
    l->__data.__wrphase_futex = 0;
    l->__data.__readers = 0;
    ck_order_drop(l);
    ck_release_store(&model->written);
    ck_sync_fini(&model->read);
}

static void stop_reading(pthread_rwlock_t *l, struct rwlock *model, struct reader *reader)
{
    l->__data.__readers -= READER;
    ck_release(&model->read);
    if (--reader->holds > 0)
        return;
    ck_order_drop(l);
    *reader = model->readers[--model->reader_count];
}

static void unlock(pthread_rwlock_t *l, const struct ck_op *op)
{
    struct rwlock *model = model_of(l);
    struct reader *reader = mine(model);

    ck_event(op, 0, 0);
    if (writer_of(l) == ck_self->id)
        stop_writing(l, model);
    else if (reader)
        stop_reading(l, model, reader);
    else
        misused(l, "a read-write lock is unlocked by a thread that does not hold it");
    ck_spin_worked();
    ck_wake_all(l);
}

static void forget(const pthread_rwlock_t *l)
{
    struct rwlock *model = ck_object_find(CK_RWLOCK, l);

    ck_order_forget(l);
    if (!model)
        return;
    ck_sync_fini(&model->written);
    ck_sync_fini(&model->read);
    ck_free(model->readers, model->reader_room * sizeof *model->readers);
    ck_object_forget(CK_RWLOCK, l);
}

/* ---- the program's calls --------------------------------------------------------------------- */

CK_EXPORT int pthread_rwlock_init(pthread_rwlock_t *l, const pthread_rwlockattr_t *attr)
{
    int r = CK_NEXT(pthread_rwlock_init)(l, attr);

    if (ck_enter()) {
        forget(l);
        ck_leave();
    }
    return r;
}

CK_EXPORT int pthread_rwlock_destroy(pthread_rwlock_t *l)
{
    if (!ck_enter())
        return CK_NEXT(pthread_rwlock_destroy)(l);
    ck_point(CK_DO(CK_OP_DESTROY, true, l));
    if (l->__data.__readers != 0)
        misused(l, "a read-write lock is destroyed while a thread holds it");
    forget(l);
    int r = CK_NEXT(pthread_rwlock_destroy)(l);
    ck_leave();
    return r;
}

CK_EXPORT int pthread_rwlock_rdlock(pthread_rwlock_t *l)
{
    if (!ck_enter())
        return CK_NEXT(pthread_rwlock_rdlock)(l);
    const struct ck_op *op = CK_DO(CK_OP_RDLOCK, true, l);
    ck_point(op);
    int r = lock(l, CK_NEVER, op);
    ck_leave();
    return r;
}

CK_EXPORT int pthread_rwlock_wrlock(pthread_rwlock_t *l)
{
    if (!ck_enter())
        return CK_NEXT(pthread_rwlock_wrlock)(l);
    const struct ck_op *op = CK_DO(CK_OP_WRLOCK, true, l);
    ck_point(op);
    int r = lock(l, CK_NEVER, op);
    ck_leave();
    return r;
}

CK_EXPORT int pthread_rwlock_tryrdlock(pthread_rwlock_t *l)
{
    if (!ck_enter())
        return CK_NEXT(pthread_rwlock_tryrdlock)(l);
    const struct ck_op *op = CK_DO(CK_OP_RDLOCK, true, l);
    ck_point(op);
    int r = lock_now(l, op);
    ck_leave();
    return r;
}

CK_EXPORT int pthread_rwlock_trywrlock(pthread_rwlock_t *l)
{
    if (!ck_enter())
        return CK_NEXT(pthread_rwlock_trywrlock)(l);
    const struct ck_op *op = CK_DO(CK_OP_WRLOCK, true, l);
    ck_point(op);
    int r = lock_now(l, op);
    ck_leave();
    return r;
}

CK_EXPORT int pthread_rwlock_timedrdlock(pthread_rwlock_t *l, const struct timespec *at)
{
    if (!ck_enter())
        return CK_NEXT(pthread_rwlock_timedrdlock)(l, at);
    int r = lock_until(l, CLOCK_REALTIME, at, CK_DO(CK_OP_RDLOCK, true, l));
    ck_leave();
    return r;
}

CK_EXPORT int pthread_rwlock_timedwrlock(pthread_rwlock_t *l, const struct timespec *at)
{
    if (!ck_enter())
        return CK_NEXT(pthread_rwlock_timedwrlock)(l, at);
    int r = lock_until(l, CLOCK_REALTIME, at, CK_DO(CK_OP_WRLOCK, true, l));
    ck_leave();
    return r;
}

CK_EXPORT int pthread_rwlock_clockrdlock(pthread_rwlock_t *l, clockid_t clock,
                                         const struct timespec *at)
{
    if (!ck_enter())
        return CK_NEXT(pthread_rwlock_clockrdlock)(l, clock, at);
    int r = lock_until(l, clock, at, CK_DO(CK_OP_RDLOCK, true, l));
    ck_leave();
    return r;
}

CK_EXPORT int pthread_rwlock_clockwrlock(pthread_rwlock_t *l, clockid_t clock,
                                         const struct timespec *at)
{
    if (!ck_enter())
        return CK_NEXT(pthread_rwlock_clockwrlock)(l, clock, at);
    int r = lock_until(l, clock, at, CK_DO(CK_OP_WRLOCK, true, l));
    ck_leave();
    return r;
}

CK_EXPORT int pthread_rwlock_unlock(pthread_rwlock_t *l)
{
    if (!ck_enter())
        return CK_NEXT(pthread_rwlock_unlock)(l);
    const struct ck_op *op = CK_DO(CK_OP_RWUNLOCK, true, l);
    ck_point(op);
    unlock(l, op);
    ck_leave();
    return 0;
}
