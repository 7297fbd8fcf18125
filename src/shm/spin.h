/* SPDX-License-Identifier: MIT */
/* spin.h - how long to look for something before sleeping for it, following what has come of it.
 *
 * Waking a sleeper on another core costs as much as spinning for some ten microseconds, on both
 * sides. So who waits spins about as long as a sleep would cost, which is never worse than twice
 * the best (Karlin, Li, Manasse, Owicki 1991, "Empirical studies of competitive spinning"); and
 * less while it does not help, down to a little. One wait in some is as long as at first all the
 * same: two sides that both sleep by now would otherwise never find out that it helps again. On one
 * core it never does. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct rvi_spin {
    int64_t limit_ns; /* of the next turn */
    unsigned waits;
};

/* One wait; begins as zeros. */
struct rvi_spin_turn {
    unsigned looks;
    int64_t end_ns;
};

/** Whether to spin at all depends on how many cores those that take part have between them. */
void rvi_spin_init(struct rvi_spin *spin, int usable_cores);

/** After a look in vain: lose a moment. False: it has been long enough, sleep. */
bool rvi_spin_again(const struct rvi_spin *spin, struct rvi_spin_turn *turn);

/** The wait is over: whether what was waited for came while spinning. */
void rvi_spin_end(struct rvi_spin *spin, bool found);
