/* SPDX-License-Identifier: MIT */
/* bell.c - see bell.h.
 *
 * The word is taken away by an exchange, so of several workers one signals. It orders nothing
 * besides: what was written before each of their fences is seen after the sleeper's.
 *
 * Rejected: a futex in place of the eventfds. Who sleeps there hears of nothing else, and the
 * parent's threads wait for deaths, limits and words of the workers at the same time.
 *
 * Checked by: tests/unit/shm/test_bell.c, tests/stress/stress_shm.c */
#include "shm/bell.h"

#include "sys/fd.h"

int rvi_bell_init(struct rvi_bell *bell, struct rvi_bell_shared *shared)
{
    *bell = (struct rvi_bell){.shared = shared, .fds = {-1, -1, -1}};
    for (int who = RVI_BELL_SERVICE; who < RVI_BELL_SLEEPERS; who++) {
        bell->fds[who] = rvi_fd_event();
        if (bell->fds[who] < 0) {
            int r = bell->fds[who];
            rvi_bell_fini(bell);
            return r;
        }
    }
    return 0;
}

void rvi_bell_fini(struct rvi_bell *bell)
{
    for (int who = RVI_BELL_SERVICE; who < RVI_BELL_SLEEPERS; who++)
        if (bell->fds[who] >= 0)
            rvi_fd_close(bell->fds[who]);
    bell->shared = NULL;
}

void rvi_bell_set(struct rvi_bell *bell, enum rvi_bell_sleeper who)
{
    rvi_store_relaxed(&bell->shared->sleeper, who);
    rvi_fence_seq_cst(); /* pairs: bell */
}

bool rvi_bell_unset(struct rvi_bell *bell, enum rvi_bell_sleeper who)
{
    uint32_t sleeper = who;

    return rvi_cas_relaxed(&bell->shared->sleeper, &sleeper, RVI_BELL_NOBODY);
}

void rvi_bell_ring(const struct rvi_bell *bell)
{
    rvi_fence_seq_cst(); /* pairs: bell */
    if (rvi_likely(rvi_load_relaxed(&bell->shared->sleeper) == RVI_BELL_NOBODY))
        return;
    uint32_t who = rvi_exchange_relaxed(&bell->shared->sleeper, RVI_BELL_NOBODY);
    if (who != RVI_BELL_NOBODY && who < RVI_BELL_SLEEPERS)
        rvi_fd_event_signal(bell->fds[who]);
}
