/* SPDX-License-Identifier: MIT */
/* sem.c - a model of POSIX semaphores.
 *
 *   S1  the value is the lower half of the first 64 bits of the program's semaphore, as libc has
 *       it: so one in shared memory is another process's too
 *   S2  a post wakes all who wait, and each looks again: who comes first is the schedule's choice
 *   S3  another process that waits for it is woken by the kernel; and what one posts is looked for
 *       when no thread can run (process.c)
 *
 * sem_open is libc's own: it gives a mapping with such a semaphore in it.
 *
 * Checked by: tests/check */
#include <semaphore.h>

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check/runtime/answer.h"
#include "check/runtime/locks.h"
#include "check/runtime/misuse.h"
#include "check/runtime/next.h"
#include "check/runtime/objects.h"
#include "check/runtime/signals.h"

struct sem {
    struct ck_sync sync;
    uint32_t waiting;
};

static struct sem *model_of(const sem_t *s)
{
    bool is_new;

    return ck_object(CK_SEM, s, sizeof(struct sem), &is_new);
}

static uint32_t *value_of(sem_t *s)
{
    return (uint32_t *)(void *)s + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

static bool try_once(sem_t *s, struct sem *model)
{
    if (*value_of(s) == 0)
        return false;
    --*value_of(s);
    ck_acquire(&model->sync);
    return true;
}

static int sleep_until_posted(sem_t *s, struct sem *model, int64_t deadline, const struct ck_op *op)
{
    struct ck_wait wait = {op->kind, s, CK_NOBODY, deadline, .fd = -1, .events = 0};

    ck_event(op, 0, CK_EVENT_BLOCKED);
    model->waiting++;
    int r = ck_block(&wait, true);
    model->waiting--;
    return r;
}

/* An error number. */
static int take(sem_t *s, int64_t deadline, const struct ck_op *op)
{
    struct sem *model = model_of(s);
    uint64_t interrupted = ck_signals_interrupted();

    while (!try_once(s, model)) {
        if (ck_signals_interrupted() != interrupted)
            return EINTR;
        int r = sleep_until_posted(s, model, deadline, op);
        if (r == -ECANCELED)
            ck_cancel_now();
        if (r == -ETIMEDOUT) {
            ck_event(op, 0, CK_EVENT_TIMED_OUT);
            return ETIMEDOUT;
        }
    }
    ck_event(op, *value_of(s), 0);
    return 0;
}

static int take_until(sem_t *s, clockid_t clock, const struct timespec *at, const struct ck_op *op)
{
    int64_t deadline;

    if (ck_time_deadline(clock, at, &deadline) != 0)
        return EINVAL;
    ck_point(op);
    return take(s, deadline, op);
}

/* S3. The upper half of the 64 bits is how many wait by libc's own means. */
static void wake_elsewhere(sem_t *s)
{
    uint32_t *halves = (uint32_t *)(void *)s;

    if (halves[__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__] != 0)
        CK_NEXT(syscall)(SYS_futex, value_of(s), FUTEX_WAKE, 1, NULL);
}

bool ck_sem_is_free(const void *s)
{
    return *value_of((sem_t *)(uintptr_t)s) != 0;
}

static int post(sem_t *s, const struct ck_op *op)
{
    struct sem *model = model_of(s);

    if (*value_of(s) == SEM_VALUE_MAX)
        return EOVERFLOW;
    ++*value_of(s);
    ck_event(op, *value_of(s), 0);
    ck_release(&model->sync);
    ck_made_progress();
    ck_wake_all(s);
    wake_elsewhere(s);
    return 0;
}

static void forget(const sem_t *s)
{
    struct sem *model = ck_object_find(CK_SEM, s);

    if (!model)
        return;
    ck_sync_fini(&model->sync);
    ck_object_forget(CK_SEM, s);
}

/* ---- the program's calls --------------------------------------------------------------------- */

CK_EXPORT int sem_init(sem_t *s, int shared, unsigned value)
{
    int r = CK_NEXT(sem_init)(s, shared, value);

    if (ck_enter()) {
        forget(s);
        ck_leave();
    }
    return r;
}

CK_EXPORT int sem_destroy(sem_t *s)
{
    if (!ck_enter())
        return CK_NEXT(sem_destroy)(s);
    ck_point(CK_DO(CK_OP_DESTROY, true, s));
    struct sem *model = ck_object_find(CK_SEM, s);
    if (model && model->waiting > 0)
        ck_misuse_fail(ck_misuse_begin(s, "a semaphore is destroyed while a thread waits for it"));
    forget(s);
    ck_leave();
    return 0;
}

CK_EXPORT int sem_wait(sem_t *s)
{
    if (!ck_enter())
        return CK_NEXT(sem_wait)(s);
    const struct ck_op *op = CK_DO(CK_OP_SEM_WAIT, true, s);
    ck_point(op);
    int r = take(s, CK_NEVER, op);
    ck_leave();
    return ck_answer(r);
}

CK_EXPORT int sem_trywait(sem_t *s)
{
    if (!ck_enter())
        return CK_NEXT(sem_trywait)(s);
    const struct ck_op *op = CK_DO(CK_OP_SEM_WAIT, true, s);
    ck_point(op);
    bool taken = try_once(s, model_of(s));
    ck_event(op, *value_of(s), 0);
    ck_leave();
    return ck_answer(taken ? 0 : EAGAIN);
}

CK_EXPORT int sem_timedwait(sem_t *restrict s, const struct timespec *restrict at)
{
    if (!ck_enter())
        return CK_NEXT(sem_timedwait)(s, at);
    int r = take_until(s, CLOCK_REALTIME, at, CK_DO(CK_OP_SEM_WAIT, true, s));
    ck_leave();
    return ck_answer(r);
}

CK_EXPORT int sem_clockwait(sem_t *restrict s, clockid_t clock, const struct timespec *restrict at)
{
    if (!ck_enter())
        return CK_NEXT(sem_clockwait)(s, clock, at);
    int r = clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC
                ? take_until(s, clock, at, CK_DO(CK_OP_SEM_WAIT, true, s))
                : EINVAL;
    ck_leave();
    return ck_answer(r);
}

CK_EXPORT int sem_post(sem_t *s)
{
    if (!ck_enter())
        return CK_NEXT(sem_post)(s);
    const struct ck_op *op = CK_DO(CK_OP_SEM_POST, true, s);
    ck_point(op);
    int r = post(s, op);
    ck_leave();
    return ck_answer(r);
}

CK_EXPORT int sem_getvalue(sem_t *restrict s, int *restrict value)
{
    if (!ck_enter())
        return CK_NEXT(sem_getvalue)(s, value);
    ck_point(CK_DO(CK_OP_SEM_WAIT, false, s));
    *value = (int)*value_of(s);
    ck_leave();
    return 0;
}
