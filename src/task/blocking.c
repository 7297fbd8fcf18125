/* SPDX-License-Identifier: MIT */
#include <ravel/blocking.h>

#include <errno.h>

#include <ravel/sync.h>

#include "base/alloc.h"
#include "base/atomic.h"
#include "base/check.h"
#include "sched/sched.h"
#include "sched/wait.h"
#include "task/runtime.h"

struct rv_limiter {
    struct rv_sem room;
    _Atomic(uint32_t) users; /* calls that run or wait */
};

int rv_limiter_new(rv_limiter **ret, unsigned max)
{
    if (max == 0)
        return -EINVAL;
    rv_limiter *limiter = rvi_calloc(1, sizeof *limiter);
    if (!limiter)
        return -ENOMEM;
    rv_sem_init(&limiter->room, max);
    *ret = limiter;
    return 0;
}

rv_limiter *rv_limiter_free(rv_limiter *limiter)
{
    if (limiter && rvi_load_acquire(&limiter->users) != 0) /* pairs: limiter-users */
        rvi_panic("rv_limiter_free(): a call is using the limiter: free it when all have returned");
    rvi_free(limiter);
    return NULL;
}

static int call_limited(struct rvi_sched *sched, rv_fn *fn, void *arg, rv_limiter *limiter,
                        rv_time deadline)
{
    int r = rv_sem_wait(&limiter->room, deadline);

    if (r < 0)
        return r;
    r = rvi_wait_allowed(); /* the turn may have come just after the cancellation */
    if (r == 0)
        r = rvi_helpers_call(&sched->helpers, fn, arg);
    rv_sem_post(&limiter->room, 1);
    return r;
}

int rvi_blocking_until(rv_fn *fn, void *arg, rv_limiter *limiter, rv_time deadline)
{
    struct rvi_sched *sched = rvi_sched_self();

    if (!sched)
        return fn(arg);
    if (!limiter)
        limiter = rvi_runtime_of(sched)->blocking;
    rvi_fetch_add_relaxed(&limiter->users, 1);
    int r = call_limited(sched, fn, arg, limiter, deadline);
    rvi_fetch_sub_release(&limiter->users, 1); /* pairs: limiter-users */
    return r;
}

int rv_blocking(rv_fn *fn, void *arg, rv_limiter *limiter)
{
    return rvi_blocking_until(fn, arg, limiter, RV_NEVER);
}
