/* SPDX-License-Identifier: MIT */
#include <ravel/time.h>

#include <errno.h>

#include "sched/wait.h"
#include "sys/clock.h"

rv_time rv_now(void)
{
    return rvi_clock_now();
}

rv_time rv_after(rv_time length)
{
    rv_time now = rvi_clock_now();

    if (length <= 0)
        return now;
    return length > RV_NEVER - now ? RV_NEVER : now + length;
}

/* Nobody else knows a sleeper. */
static bool withdraw_sleeper(struct rvi_waiter *w, void *object)
{
    (void)w;
    (void)object;
    return true;
}

int rv_sleep_until(rv_time when)
{
    struct rvi_waiter w;
    int r = rvi_wait_allowed();

    if (r < 0)
        return r;
    rvi_waiter_init(&w);
    r = rvi_wait(&w, when, RVI_WHY_SLEEP, withdraw_sleeper, NULL);
    return r == -ETIME ? 0 : r;
}

int rv_sleep(rv_time length)
{
    return rv_sleep_until(rv_after(length));
}
