/* SPDX-License-Identifier: MIT */
/* c11.c - C11's threads, mutexes, conditions and thread-specific storage, by the models of
 * pthreads'.
 *
 * libc has one layout for both, and calls its own pthread functions from these, which an interposer
 * does not see. Answers are translated.
 *
 * Checked by: tests/check */
#include <threads.h>

#include <errno.h>
#include <pthread.h>
#include <stddef.h>

#include "check/runtime/locks.h"
#include "check/runtime/next.h"
#include "check/runtime/posix.h"

_Static_assert(sizeof(mtx_t) <= sizeof(pthread_mutex_t), "libc has one layout for both");
_Static_assert(sizeof(cnd_t) == sizeof(pthread_cond_t), "libc has one layout for both");

static int answer(int error)
{
    switch (error) {
    case 0:
        return thrd_success;
    case ENOMEM:
        return thrd_nomem;
    case ETIMEDOUT:
        return thrd_timedout;
    case EBUSY:
        return thrd_busy;
    default:
        return thrd_error;
    }
}

static pthread_mutex_t *mutex_of(mtx_t *m)
{
    return (pthread_mutex_t *)(void *)m;
}

static pthread_cond_t *cond_of(cnd_t *c)
{
    return (pthread_cond_t *)(void *)c;
}

/* ---- mutexes --------------------------------------------------------------------------------- */

CK_EXPORT int mtx_init(mtx_t *m, int type)
{
    int r = CK_NEXT(mtx_init)(m, type);

    if (ck_enter()) {
        ck_mutex_forget(mutex_of(m));
        ck_leave();
    }
    return r;
}

CK_EXPORT void mtx_destroy(mtx_t *m)
{
    if (ck_self)
        pthread_mutex_destroy(mutex_of(m));
    else
        CK_NEXT(mtx_destroy)(m);
}

CK_EXPORT int mtx_lock(mtx_t *m)
{
    if (!ck_enter())
        return CK_NEXT(mtx_lock)(m);
    const struct ck_op *op = CK_DO(CK_OP_LOCK, true, m);
    ck_point(op);
    int r = ck_mutex_lock(mutex_of(m), CK_NEVER, op);
    ck_leave();
    return answer(r);
}

CK_EXPORT int mtx_trylock(mtx_t *m)
{
    if (!ck_enter())
        return CK_NEXT(mtx_trylock)(m);
    const struct ck_op *op = CK_DO(CK_OP_TRYLOCK, true, m);
    ck_point(op);
    int r = ck_mutex_trylock(mutex_of(m), op);
    ck_leave();
    return answer(r);
}

CK_EXPORT int mtx_timedlock(mtx_t *restrict m, const struct timespec *restrict at)
{
    int64_t deadline;

    if (!ck_enter())
        return CK_NEXT(mtx_timedlock)(m, at);
    const struct ck_op *op = CK_DO(CK_OP_LOCK, true, m);
    int r = ck_time_deadline(CLOCK_REALTIME, at, &deadline);
    ck_point(op);
    if (r == 0)
        r = ck_mutex_lock(mutex_of(m), deadline, op);
    ck_leave();
    return answer(r);
}

CK_EXPORT int mtx_unlock(mtx_t *m)
{
    if (!ck_enter())
        return CK_NEXT(mtx_unlock)(m);
    const struct ck_op *op = CK_DO(CK_OP_UNLOCK, true, m);
    ck_point(op);
    int r = ck_mutex_unlock(mutex_of(m), op);
    ck_leave();
    return answer(r);
}

/* ---- conditions ------------------------------------------------------------------------------ */

CK_EXPORT int cnd_init(cnd_t *c)
{
    return answer(pthread_cond_init(cond_of(c), NULL));
}

CK_EXPORT void cnd_destroy(cnd_t *c)
{
    pthread_cond_destroy(cond_of(c));
}

CK_EXPORT int cnd_signal(cnd_t *c)
{
    if (!ck_enter())
        return CK_NEXT(cnd_signal)(c);
    const struct ck_op *op = CK_DO(CK_OP_SIGNAL, true, c);
    ck_point(op);
    ck_cond_signal(cond_of(c), false, op);
    ck_leave();
    return thrd_success;
}

CK_EXPORT int cnd_broadcast(cnd_t *c)
{
    if (!ck_enter())
        return CK_NEXT(cnd_broadcast)(c);
    const struct ck_op *op = CK_DO(CK_OP_BROADCAST, true, c);
    ck_point(op);
    ck_cond_signal(cond_of(c), true, op);
    ck_leave();
    return thrd_success;
}

CK_EXPORT int cnd_wait(cnd_t *c, mtx_t *m)
{
    if (!ck_enter())
        return CK_NEXT(cnd_wait)(c, m);
    const struct ck_op *op = CK_DO(CK_OP_WAIT, true, c);
    ck_point(op);
    int r = ck_cond_wait(cond_of(c), mutex_of(m), CK_NEVER, op);
    ck_leave();
    return answer(r);
}

CK_EXPORT int cnd_timedwait(cnd_t *restrict c, mtx_t *restrict m,
                            const struct timespec *restrict at)
{
    int64_t deadline;

    if (!ck_enter())
        return CK_NEXT(cnd_timedwait)(c, m, at);
    const struct ck_op *op = CK_DO(CK_OP_WAIT, true, c);
    int r = ck_time_deadline(CLOCK_REALTIME, at, &deadline);
    ck_point(op);
    if (r == 0)
        r = ck_cond_wait(cond_of(c), mutex_of(m), deadline, op);
    ck_leave();
    return answer(r);
}

/* ---- threads --------------------------------------------------------------------------------- */

CK_EXPORT int thrd_create(thrd_t *ret, thrd_start_t function, void *arg)
{
    if (!ck_enter())
        return CK_NEXT(thrd_create)(ret, function, arg);
    int r = ck_posix_create(ret, NULL, NULL, function, arg, CK_CALLER);
    ck_leave();
    return r == EAGAIN ? thrd_nomem : answer(r);
}

CK_EXPORT int thrd_join(thrd_t thread, int *ret)
{
    void *result = NULL;

    if (!ck_enter())
        return CK_NEXT(thrd_join)(thread, ret);
    int r = ck_posix_join(thread, &result, CK_NEVER, CK_CALLER);
    ck_leave();
    if (r == 0 && ret)
        *ret = (int)(intptr_t)result;
    return answer(r);
}

CK_EXPORT int thrd_detach(thrd_t thread)
{
    return answer(pthread_detach(thread));
}

CK_EXPORT void thrd_exit(int result)
{
    pthread_exit((void *)(intptr_t)result);
}

CK_EXPORT void thrd_yield(void)
{
    if (ck_enter()) {
        ck_yield(CK_CALLER);
        ck_leave();
    } else {
        CK_NEXT(thrd_yield)();
    }
}

CK_EXPORT int thrd_sleep(const struct timespec *delay, struct timespec *left)
{
    if (nanosleep(delay, left) == 0)
        return 0;
    return errno == EINTR ? -1 : -2;
}

/* ---- thread-specific storage ----------------------------------------------------------------- */

CK_EXPORT int tss_create(tss_t *ret, tss_dtor_t destructor)
{
    return answer(pthread_key_create(ret, destructor));
}

CK_EXPORT void tss_delete(tss_t key)
{
    pthread_key_delete(key);
}

CK_EXPORT void *tss_get(tss_t key)
{
    return pthread_getspecific(key);
}

CK_EXPORT int tss_set(tss_t key, void *value)
{
    return answer(pthread_setspecific(key, value));
}
