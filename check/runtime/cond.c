/* SPDX-License-Identifier: MIT */
/* cond.c - a model of pthread condition variables.
 *
 *   C1  a waiter is on its condition variable's list from when it has released the mutex, which is
 *       one step, until a signal takes it off, or it leaves by its deadline or by cancellation
 *   C2  a signal takes off one of those who wait then, by choice; never one that comes later
 *   C3  who was taken off competes for the mutex like anyone else, so that a condition that was
 *       true at the signal may be false again when the wait returns
 *   C4  a signal that found nobody is remembered: a waiter that stays for ever may have needed it
 *
 * Without a signal nobody leaves: a program without a loop around its wait would fail by wake-ups
 * that libc gives next to never. The loop's other reason, C3, is explored.
 *
 * Checked by: tests/check */
#include <errno.h>
#include <pthread.h>

#include "check/runtime/deadlock.h"
#include "check/runtime/locks.h"
#include "check/runtime/misuse.h"
#include "check/runtime/next.h"
#include "check/runtime/objects.h"

/* On the stack of the thread that waits. */
struct waiter {
    struct rvi_link link;
    struct ck_thread *thread;
    bool is_signalled;
};

struct cond {
    struct ck_sync sync;
    struct rvi_list waiters;
    uint32_t waiter_count;
    uint32_t leaving; /* were signalled, and did not run yet: the model must stay */
    struct ck_wasted wasted;
};

static struct cond *model_of(const pthread_cond_t *c)
{
    bool is_new;
    struct cond *model = ck_object(CK_COND, c, sizeof *model, &is_new);

    if (is_new)
        rvi_list_init(&model->waiters);
    return model;
}

/* As pthread_cond_init leaves it for attributes that say so. */
static clockid_t clock_of(const pthread_cond_t *c)
{
    return c->__data.__wrefs & 2 ? CLOCK_MONOTONIC : CLOCK_REALTIME;
}

static void take_off(struct cond *model, struct waiter *waiter)
{
    rvi_link_remove(&waiter->link);
    model->waiter_count--;
}

static void signal_nth(struct cond *model, uint32_t nth)
{
    struct rvi_link *link = model->waiters.head.next;

    while (nth-- > 0)
        link = link->next;
    struct waiter *waiter = rvi_container_of(link, struct waiter, link);
    take_off(model, waiter);
    model->leaving++;
    waiter->is_signalled = true;
    ck_wake(waiter->thread);
}

void ck_cond_signal(pthread_cond_t *c, bool is_for_all, const struct ck_op *op)
{
    struct cond *model = model_of(c);

    ck_event(op, model->waiter_count, 0);
    if (model->waiter_count == 0) {
        ck_wasted_note(&model->wasted, op->pc);
        return;
    }
    ck_release(&model->sync);
    ck_made_progress();
    if (!is_for_all)
        signal_nth(model, ck_choose(model->waiter_count));
    while (is_for_all && model->waiter_count > 0)
        signal_nth(model, 0);
}

/* Until signalled: 0, -ETIMEDOUT or -ECANCELED. Who has been signalled does not leave otherwise, or
 * the signal would be lost with him. */
static int sleep_until_signalled(struct cond *model, struct waiter *waiter, const void *c,
                                 int64_t deadline)
{
    struct ck_wait wait = {CK_OP_WAIT, c, CK_NOBODY, deadline, .fd = -1, .events = 0};
    int r = 0;

    while (!waiter->is_signalled && r == 0)
        r = ck_block(&wait, true);
    if (!waiter->is_signalled) {
        take_off(model, waiter);
        return r;
    }
    ck_acquire(&model->sync);
    if (--model->leaving == 0)
        ck_wake_all(&model->leaving);
    return 0;
}

static void check_mutex_held(pthread_cond_t *c, pthread_mutex_t *m)
{
    if (ck_mutex_is_mine(m))
        return;
    ck_misuse_fail(
        ck_misuse_begin(c, "a condition variable is waited for without holding its mutex"));
}

/* Of a recursive mutex libc gives up one level, which may leave it taken; and so does this. */
int ck_cond_wait(pthread_cond_t *c, pthread_mutex_t *m, int64_t deadline, const struct ck_op *op)
{
    struct cond *model = model_of(c);
    struct waiter waiter = {.thread = ck_self};
    const struct ck_op woken = {CK_OP_WOKEN, true, 0, (uintptr_t)m, op->pc};

    check_mutex_held(c, m);
    int r = ck_mutex_unlock(m, NULL);
    if (r != 0)
        return r;
    rvi_list_push_back(&model->waiters, &waiter.link);
    model->waiter_count++;
    ck_event(op, 0, CK_EVENT_BLOCKED);
    ck_announce(&woken);
    int why = sleep_until_signalled(model, &waiter, c, deadline);
    r = ck_mutex_lock(m, CK_NEVER, &woken);
    if (why == -ECANCELED)
        ck_cancel_now();
    return r != 0 ? r : -why;
}

void ck_cond_forget(const pthread_cond_t *c)
{
    struct cond *model = ck_object_find(CK_COND, c);

    if (!model)
        return;
    ck_sync_fini(&model->sync);
    ck_object_forget(CK_COND, c);
}

const struct ck_wasted *ck_cond_wasted(const void *c)
{
    const struct cond *model = ck_object_find(CK_COND, c);

    return model && model->wasted.count ? &model->wasted : NULL;
}

/* ---- the program's calls --------------------------------------------------------------------- */

CK_EXPORT int pthread_cond_init(pthread_cond_t *c, const pthread_condattr_t *attr)
{
    int r = CK_NEXT(pthread_cond_init)(c, attr);

    if (ck_enter()) {
        ck_cond_forget(c);
        ck_leave();
    }
    return r;
}

/* May come right after a broadcast; libc waits then, too. */
static void wait_for_leaving(struct cond *model)
{
    struct ck_wait wait = {CK_OP_BROADCAST, &model->leaving, CK_NOBODY,
                           CK_NEVER,        .fd = -1,        .events = 0};

    while (model->leaving > 0)
        ck_block(&wait, false);
}

static void check_nobody_waits(const pthread_cond_t *c, const struct cond *model)
{
    if (model->waiter_count == 0)
        return;
    ck_misuse_fail(
        ck_misuse_begin(c, "a condition variable is destroyed while a thread waits for it"));
}

CK_EXPORT int pthread_cond_destroy(pthread_cond_t *c)
{
    if (!ck_enter())
        return CK_NEXT(pthread_cond_destroy)(c);
    ck_point(CK_DO(CK_OP_DESTROY, true, c));
    struct cond *model = model_of(c);
    check_nobody_waits(c, model);
    wait_for_leaving(model);
    ck_cond_forget(c);
    ck_leave();
    return 0;
}

CK_EXPORT int pthread_cond_signal(pthread_cond_t *c)
{
    if (!ck_enter())
        return CK_NEXT(pthread_cond_signal)(c);
    const struct ck_op *op = CK_DO(CK_OP_SIGNAL, true, c);
    ck_point(op);
    ck_cond_signal(c, false, op);
    ck_leave();
    return 0;
}

CK_EXPORT int pthread_cond_broadcast(pthread_cond_t *c)
{
    if (!ck_enter())
        return CK_NEXT(pthread_cond_broadcast)(c);
    const struct ck_op *op = CK_DO(CK_OP_BROADCAST, true, c);
    ck_point(op);
    ck_cond_signal(c, true, op);
    ck_leave();
    return 0;
}

CK_EXPORT int pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
    if (!ck_enter())
        return CK_NEXT(pthread_cond_wait)(c, m);
    const struct ck_op *op = CK_DO(CK_OP_WAIT, true, c);
    ck_point(op);
    int r = ck_cond_wait(c, m, CK_NEVER, op);
    ck_leave();
    return r;
}

static int wait_until(pthread_cond_t *c, pthread_mutex_t *m, clockid_t clock,
                      const struct timespec *at, const struct ck_op *op)
{
    int64_t deadline;
    int r = ck_time_deadline(clock, at, &deadline);

    if (r != 0)
        return r;
    ck_point(op);
    return ck_cond_wait(c, m, deadline, op);
}

CK_EXPORT int pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m,
                                     const struct timespec *at)
{
    if (!ck_enter())
        return CK_NEXT(pthread_cond_timedwait)(c, m, at);
    int r = wait_until(c, m, clock_of(c), at, CK_DO(CK_OP_WAIT, true, c));
    ck_leave();
    return r;
}

CK_EXPORT int pthread_cond_clockwait(pthread_cond_t *c, pthread_mutex_t *m, clockid_t clock,
                                     const struct timespec *at)
{
    if (!ck_enter())
        return CK_NEXT(pthread_cond_clockwait)(c, m, clock, at);
    int r = clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC
                ? wait_until(c, m, clock, at, CK_DO(CK_OP_WAIT, true, c))
                : EINVAL;
    ck_leave();
    return r;
}
