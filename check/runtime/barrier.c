/* SPDX-License-Identifier: MIT */
/* barrier.c - a model of pthread barriers.
 *
 *   B1  the number of threads is where pthread_barrier_init puts it; who has come is the model's
 *   B2  nobody comes to a round before all have left the one before the last: so what threads
 *       release to each other needs two places, by turns
 *
 * The last to come is the "serial" one.
 *
 * Checked by: tests/check */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "check/runtime/locks.h"
#include "check/runtime/misuse.h"
#include "check/runtime/next.h"
#include "check/runtime/objects.h"

struct barrier {
    struct ck_sync sync[2];
    uint64_t round;
    uint32_t arrived;
    uint32_t leaving; /* the round is over, and they did not run yet: the model must stay */
};

static struct barrier *model_of(const pthread_barrier_t *b)
{
    bool is_new;

    return ck_object(CK_BARRIER, b, sizeof(struct barrier), &is_new);
}

/* After libc's `in` and `current_round`. */
static uint32_t size_of(const pthread_barrier_t *b)
{
    uint32_t fields[3];

    memcpy(fields, b, sizeof fields);
    return fields[2];
}

static int open_it(const pthread_barrier_t *b, struct barrier *model)
{
    ck_acquire(&model->sync[model->round & 1]);
    model->leaving += model->arrived - 1;
    model->arrived = 0;
    model->round++;
    ck_made_progress();
    ck_wake_all(b);
    return PTHREAD_BARRIER_SERIAL_THREAD;
}

static int wait_for_round(const pthread_barrier_t *b, struct barrier *model, const struct ck_op *op)
{
    struct ck_wait wait = {CK_OP_BARRIER, b, CK_NOBODY, CK_NEVER, .fd = -1, .events = 0};
    uint64_t round = model->round;

    ck_event(op, model->arrived, CK_EVENT_BLOCKED);
    while (model->round == round)
        ck_block(&wait, false);
    ck_acquire(&model->sync[round & 1]);
    if (--model->leaving == 0)
        ck_wake_all(&model->leaving);
    ck_event(op, 0, 0);
    return 0;
}

static int arrive(const pthread_barrier_t *b, const struct ck_op *op)
{
    struct barrier *model = model_of(b);
    struct ck_sync *sync = &model->sync[model->round & 1];

    if (model->arrived++ == 0)
        ck_sync_fini(sync);
    ck_release(sync);
    if (model->arrived < size_of(b))
        return wait_for_round(b, model, op);
    ck_event(op, model->arrived, 0);
    return open_it(b, model);
}

static void forget(const pthread_barrier_t *b)
{
    struct barrier *model = ck_object_find(CK_BARRIER, b);

    if (!model)
        return;
    ck_sync_fini(&model->sync[0]);
    ck_sync_fini(&model->sync[1]);
    ck_object_forget(CK_BARRIER, b);
}

/* May come right after one thread's wait; libc waits then, too. */
static void wait_for_leaving(struct barrier *model)
{
    struct ck_wait wait = {CK_OP_BARRIER, &model->leaving, CK_NOBODY,
                           CK_NEVER,      .fd = -1,        .events = 0};

    while (model->leaving > 0)
        ck_block(&wait, false);
}

CK_EXPORT int pthread_barrier_init(pthread_barrier_t *b, const pthread_barrierattr_t *attr,
                                   unsigned count)
{
    int r = CK_NEXT(pthread_barrier_init)(b, attr, count);

    if (ck_enter()) {
        forget(b);
        ck_leave();
    }
    return r;
}

CK_EXPORT int pthread_barrier_destroy(pthread_barrier_t *b)
{
    if (!ck_enter())
        return CK_NEXT(pthread_barrier_destroy)(b);
    ck_point(CK_DO(CK_OP_DESTROY, true, b));
    struct barrier *model = model_of(b);
    if (model->arrived > 0)
        ck_misuse_fail(ck_misuse_begin(b, "a barrier is destroyed while a thread waits at it"));
    wait_for_leaving(model);
    forget(b);
    ck_leave();
    return 0;
}

CK_EXPORT int pthread_barrier_wait(pthread_barrier_t *b)
{
    if (!ck_enter())
        return CK_NEXT(pthread_barrier_wait)(b);
    const struct ck_op *op = CK_DO(CK_OP_BARRIER, true, b);
    ck_point(op);
    int r = arrive(b, op);
    ck_leave();
    return r;
}
