/* SPDX-License-Identifier: MIT */
#include "loop/sleeper.h"

#include <errno.h>

#include "base/check.h"
#include "sys/futex.h"

void rvi_sleeper_prepare(struct rvi_sleeper *s)
{
    rvi_store_seq_cst(&s->state, RVI_SLEEPER_ASLEEP); /* pairs: sleeper */
}

enum rvi_sleeper_state rvi_sleeper_cancel(struct rvi_sleeper *s)
{
    uint32_t was = rvi_exchange_acquire(&s->state, RVI_SLEEPER_AWAKE); /* pairs: sleeper */
    return was == RVI_SLEEPER_ASLEEP ? RVI_SLEEPER_AWAKE : (enum rvi_sleeper_state)was;
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
    uint32_t asleep = RVI_SLEEPER_ASLEEP;

    RV_DCHECK(reason == RVI_SLEEPER_CALLED || reason == RVI_SLEEPER_ENLISTED);
    if (!rvi_sleeper_looks_asleep(s))
        return false;
    if (!rvi_cas_seq_cst(&s->state, &asleep, (uint32_t)reason)) /* pairs: sleeper */
        return false;
    rvi_futex_wake(&s->state, 1);
    return true;
}
