/* SPDX-License-Identifier: MIT */
/* rwlock.h - a lock that many may hold for reading, or one for writing.
 *
 * It lives in the caller's memory; RV_RWLOCK_INIT, rv_rwlock_init or all-zero memory is an unlocked
 * one, and there is nothing to destroy. It is phase-fair (B. Brandenburg and J. Anderson, 2010):
 * when both kinds wait, phases of readers and single writers take turns, so a reader waits for one
 * writer at most, however many stand in line, and a writer for the writers before it and one phase
 * of readers for each. Nobody starves.
 *
 * Who locked it unlocks it. It is not recursive and cannot be upgraded: who holds it must not lock
 * it again, for reading neither, because a writer may have come between. */
#pragma once

#include <ravel/def.h>
#include <ravel/time.h>

RV_BEGIN_DECLS

/** Shared for readers, exclusive for a writer. */
struct rv_rwlock {
    uint64_t opaque[8];
};
/* clang-format off */
/** Initialises an unlocked struct rv_rwlock; so does all-zero memory. */
#define RV_RWLOCK_INIT {{0}}
/* clang-format on */

/** Make a lock that nobody holds.
 *
 * @param l  caller's memory
 * Errors:  none
 * Blocks:  no
 * Threads: any, before others see it
 * Lifetime: until the last user is done with it */
RV_API void rv_rwlock_init(struct rv_rwlock *l);

/** Lock for reading, beside other readers; waits while a writer holds the lock or is in line.
 *
 * @param l         the lock; held by the caller already, it is a misuse that stops the program
 *                  where it is seen
 * @param deadline  absolute monotonic nanoseconds, or RV_NEVER
 * @return 0; the caller holds it for reading
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -ENOMEM no room for the timer
 * Blocks:  the task, never its thread; a plain thread itself
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: keep l alive until unlocked */
RV_API RV_NODISCARD int rv_rwlock_read_lock(struct rv_rwlock *l, rv_time deadline);

/** Lock for reading if that needs no waiting.
 *
 * @param l  the lock
 * @return 0; the caller holds it for reading
 * Errors:  -EAGAIN a writer holds it or is in line
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: keep l alive until unlocked */
RV_API RV_NODISCARD int rv_rwlock_try_read_lock(struct rv_rwlock *l);

/** End reading; the last reader gives the lock to the first writer in line.
 *
 * @param l  held for reading by the caller; otherwise it is a misuse that stops the program, at
 *           the latest when the last reader has gone
 * Errors:  none; works in a cancelled task
 * Blocks:  no
 * Threads: the task or thread that locked it
 * Lifetime: nothing is held */
RV_API void rv_rwlock_read_unlock(struct rv_rwlock *l);

/** Lock for writing, alone; writers wait in line.
 *
 * @param l         the lock; held by the caller already, it is a misuse that stops the program
 *                  where it is seen
 * @param deadline  absolute monotonic nanoseconds, or RV_NEVER
 * @return 0; the caller holds it for writing
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -ENOMEM no room for the timer
 * Blocks:  the task, never its thread; a plain thread itself
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: keep l alive until unlocked */
RV_API RV_NODISCARD int rv_rwlock_write_lock(struct rv_rwlock *l, rv_time deadline);

/** Lock for writing if that needs no waiting.
 *
 * @param l  the lock
 * @return 0; the caller holds it for writing
 * Errors:  -EAGAIN another holds it
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: keep l alive until unlocked */
RV_API RV_NODISCARD int rv_rwlock_try_write_lock(struct rv_rwlock *l);

/** End writing; all readers that wait have the lock from that moment, or else the first writer.
 *
 * @param l  held for writing by the caller; otherwise it is a misuse that stops the program
 * Errors:  none; works in a cancelled task
 * Blocks:  no
 * Threads: the task or thread that locked it
 * Lifetime: nothing is held */
RV_API void rv_rwlock_write_unlock(struct rv_rwlock *l);

RV_END_DECLS
