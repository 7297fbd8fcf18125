/* SPDX-License-Identifier: MIT */
/* spin.c - see spin.h.
 *
 * Checked by: tests/unit/shm/test_spin.c */
#include "shm/spin.h"

#include "base/atomic.h"
#include "sys/clock.h"
#include "sys/cpu.h"

/* MOST is what a wake across cores costs, and LEAST what a round trip between two that are awake
 * does; the clock is looked at every LOOKS turns of some 20 ns each. */
enum { MOST_NS = 50000, LEAST_NS = 2000, LOOKS = 16, TRY_EACH = 16 };

void rvi_spin_init(struct rvi_spin *spin, int usable_cores)
{
    *spin = (struct rvi_spin){.limit_ns = usable_cores > 1 ? MOST_NS : 0};
}

bool rvi_spin_again(const struct rvi_spin *spin, struct rvi_spin_turn *turn)
{
    if (spin->limit_ns == 0)
        return false;
    rvi_cpu_relax();
    if (++turn->looks % LOOKS != 0)
        return true;
    int64_t now = rvi_clock_now();
    if (turn->end_ns == 0)
        turn->end_ns = now + spin->limit_ns;
    return now < turn->end_ns;
}

void rvi_spin_end(struct rvi_spin *spin, bool found)
{
    int64_t limit = found ? spin->limit_ns * 2 : spin->limit_ns / 2;

    if (++spin->waits % TRY_EACH == 0)
        limit = MOST_NS;
    if (spin->limit_ns != 0)
        spin->limit_ns = limit < LEAST_NS ? LEAST_NS : limit > MOST_NS ? MOST_NS : limit;
}
