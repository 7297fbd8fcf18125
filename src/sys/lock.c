/* SPDX-License-Identifier: MIT */
/* lock.c - the contended half of the futex lock.
 *
 * The spin is bounded by turns, not by time: the sections are a few dozen instructions, so an
 * owner that is running is out after a few hundred cycles, and one that was preempted is worth a
 * sleep. */
#include "sys/lock.h"

#include "sys/cpu.h"
#include "sys/futex.h"

enum { FREE, HELD, CONTENDED };

enum {
    SPIN_TURNS = 100,
    SIMULATED_TURNS = 1, /* or nobody would ever sleep */
};

/* Also while others sleep: the word stays CONTENDED for one more owner than there were sleepers, so
 * whoever gave up on sight of it would send the next one to sleep, and that one the next. */
static bool spin_acquire(struct rvi_lock *lock)
{
    int turns = rvi_seam ? SIMULATED_TURNS : SPIN_TURNS;

    for (int turn = 0; turn < turns; turn++) {
        if (rvi_load_relaxed(&lock->word) == FREE && rvi_lock_try_acquire(lock))
            return true;
        rvi_cpu_relax();
    }
    return false;
}

void rvi_lock_acquire_slow(struct rvi_lock *lock)
{
    if (spin_acquire(lock))
        return;
    while (rvi_exchange_acquire(&lock->word, CONTENDED) != FREE) /* pairs: lock */
        (void)rvi_futex_wait(&lock->word, CONTENDED, INT64_MAX);
}

void rvi_lock_release_slow(struct rvi_lock *lock)
{
    rvi_futex_wake(&lock->word, 1);
}
