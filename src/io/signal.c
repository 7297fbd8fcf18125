/* SPDX-License-Identifier: MIT */
#include <ravel/signal.h>

#include <errno.h>

#include <ravel/io.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/seam.h"
#include "io/call.h"
#include "loop/fds.h"
#include "sys/signals.h"

struct rv_signals {
    int subscription;
    int fd;
};

int rv_signals_open(rv_signals **ret, const sigset_t *set)
{
    rv_signals *signals = rvi_seam ? NULL : rvi_alloc(sizeof *signals);

    if (!signals)
        return rvi_seam ? -ENOTSUP : -ENOMEM;
    int r = rvi_signals_subscribe(set, &signals->fd);
    if (r < 0) {
        rvi_free(signals);
        return r;
    }
    signals->subscription = r;
    rvi_fds_made(signals->fd, true);
    *ret = signals;
    return 0;
}

/* Each was written in one piece, so it comes in one. */
int rv_signal_wait(rv_signals *signals, struct rv_signal_info *ret, rv_time deadline)
{
    struct rv_signal_info info;
    struct rvi_op op = rvi_op_read(signals->fd, &info, sizeof info, RVI_OP_AT_POSITION);
    op.why = RVI_WHY_SIGNAL;
    int64_t n = rvi_io_call(&op, deadline);

    if (n < 0)
        return (int)n;
    RV_CHECK(n == sizeof info);
    info.missed = rvi_signals_took(signals->subscription, info.signal);
    *ret = info;
    return 0;
}

int rv_signals_fd(const rv_signals *signals)
{
    return signals->fd;
}

rv_signals *rv_signals_close(rv_signals *signals)
{
    if (!signals)
        return NULL;
    rvi_signals_unsubscribe(signals->subscription);
    rv_close(signals->fd);
    rvi_free(signals);
    return NULL;
}
