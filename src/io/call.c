/* SPDX-License-Identifier: MIT */
#include "io/call.h"

#include <errno.h>

#include <ravel/task.h>

#include "sched/sched.h"
#include "sched/wait.h"
#include "sys/clock.h"

static int perform(void *op)
{
    struct rvi_op *o = op;
    return (int)rvi_op_perform(o);
}

/* TODO(loop): a stand-in until src/loop has its backends: it looks again every so often. */
int64_t rvi_io_call(struct rvi_op *op, rv_time deadline)
{
    int64_t r = rvi_wait_allowed();
    struct rvi_sched *sched = rvi_sched_self();

    if (r < 0)
        return r;
    if (rvi_op_readiness(op) == 0)
        return sched ? rvi_helpers_call(&sched->helpers, perform, op) : rvi_op_perform(op);
    while ((r = rvi_op_try(op)) == -EAGAIN || r == -EOPNOTSUPP) {
        rv_time next = rvi_clock_now() + RV_MILLISECOND / 2;
        if (r == -EOPNOTSUPP)
            return rvi_op_perform(op);
        if (next > deadline)
            return -ETIME;
        r = rv_sleep_until(next);
        if (r < 0)
            return r;
    }
    return r;
}
