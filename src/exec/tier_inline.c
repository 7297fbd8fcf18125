/* SPDX-License-Identifier: MIT */
/* tier_inline.c - jobs run in rv_submit, by whoever submits: no queue, no runner, done at return.
 *
 * It is what a program is debugged on, and the answer for jobs smaller than the hand-over. A job
 * sees the cancellation of its submitter; nobody else could ask it to stop, because nobody has its
 * future yet. Its time cannot be cut short, so a job that took too long says so afterwards:
 * RV_OUTCOME_TIMEOUT. For a time before which it must not begin, its submitter waits. */
#include "exec/executor.h"

#include <errno.h>

#include <ravel/time.h>

#include "base/check.h"

static int open_inline(struct rv_executor *ex, const char *arg, const struct rv_executor_opts *opts)
{
    (void)opts;
    ex->width = 1;
    return arg ? -EINVAL : 0;
}

/* A job whose time is over before that need not wait for it. */
static int wait_for_time(const struct rv_future *f, rv_time deadline)
{
    rv_time when = f->not_before;

    if (f->deadline > 0 && f->deadline < when)
        when = f->deadline;
    int r = rv_sleep_until(when < deadline ? when : deadline);
    return r == 0 && deadline < when ? -ETIME : r;
}

static int submit_inline(struct rv_executor *ex, struct rv_future *f, rv_time deadline)
{
    int r = rvi_unlikely(f->not_before > 0) ? wait_for_time(f, deadline) : 0;

    if (r == 0)
        r = rvi_backlog_admit(ex, f);
    if (r == 0)
        (void)rvi_backlog_run(f, NULL);
    return r;
}

/* A job that closes its own executor would wait for itself. */
static int may_close_inline(struct rv_executor *ex)
{
    bool biased = rvi_bias_lock(&ex->lock);
    uint64_t in_flight = rvi_executor_in_flight(ex);

    rvi_bias_unlock(&ex->lock, biased);
    if (in_flight > 0)
        rvi_panic("rv_executor_close: a job of this inline executor is still running; close it "
                  "outside its own jobs");
    return 0;
}

static void close_inline(struct rv_executor *ex)
{
    (void)ex;
}

const struct rvi_tier rvi_tier_inline = {
    .name = "inline",
    .bytes = sizeof(struct rv_executor),
    .open = open_inline,
    .submit = submit_inline,
    .may_close = may_close_inline,
    .close = close_inline,
};
