/* SPDX-License-Identifier: MIT */
#include "loop/sleeper.h"

#include <errno.h>

#include "base/check.h"
#include "sys/fd.h"
#include "sys/futex.h"

int rvi_sleeper_open_call(struct rvi_sleeper *s)
{
    int fd = rvi_fd_event();

    if (fd >= 0)
        s->call = fd;
    return fd < 0 ? fd : 0;
}

void rvi_sleeper_fini(struct rvi_sleeper *s)
{
    if (s->call >= 0)
        rvi_fd_close(s->call);
}

void rvi_sleeper_prepare(struct rvi_sleeper *s, enum rvi_sleeper_state how)
{
    RV_DCHECK(how == RVI_SLEEPER_ASLEEP || (how == RVI_SLEEPER_ASLEEP_IN_LOOP && s->call >= 0));
    rvi_store_seq_cst(&s->state, (uint32_t)how); /* pairs: sleeper */
}

enum rvi_sleeper_state rvi_sleeper_cancel(struct rvi_sleeper *s)
{
    uint32_t was = rvi_exchange_acquire(&s->state, RVI_SLEEPER_AWAKE); /* pairs: sleeper */
    return was >= RVI_SLEEPER_ASLEEP ? RVI_SLEEPER_AWAKE : (enum rvi_sleeper_state)was;
}

enum rvi_sleeper_state rvi_sleeper_sleep(struct rvi_sleeper *s, rv_time deadline)
{
    while (rvi_load_acquire(&s->state) == RVI_SLEEPER_ASLEEP) { /* pairs: sleeper */
        if (rvi_futex_wait(&s->state, RVI_SLEEPER_ASLEEP, deadline) == -ETIME)
            break;
    }
    return rvi_sleeper_cancel(s);
}

bool rvi_sleeper_wake(struct rvi_sleeper *s, enum rvi_sleeper_state reason)
{
    uint32_t how = rvi_load_seq_cst(&s->state); /* pairs: sleeper */

    RV_DCHECK(reason == RVI_SLEEPER_CALLED || reason == RVI_SLEEPER_ENLISTED);
    if (how < RVI_SLEEPER_ASLEEP)
        return false;
    if (!rvi_cas_seq_cst(&s->state, &how, (uint32_t)reason)) /* pairs: sleeper */
        return false;
    if (how == RVI_SLEEPER_ASLEEP)
        rvi_futex_wake(&s->state, 1);
    else
        rvi_fd_event_signal(s->call);
    return true;
}
