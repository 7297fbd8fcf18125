/* SPDX-License-Identifier: MIT */
/* sync.h - mutex, condition, semaphore, event: between tasks, between threads, and between the two.
 *
 * They live in the caller's memory; RV_*_INIT or *_init makes them, and all-zero memory is the same
 * as RV_*_INIT. There is nothing to destroy, but nobody may be using one when its memory goes. A
 * waiting task blocks only itself. Waiters are served first come, first served; of a mutex between
 * threads see what rv_mutex_unlock() says.
 *
 * While one worker alone uses an object, its operations need no atomic read-modify-write; the first
 * other thread that touches it pays some 10 microseconds once. */
#pragma once

#include <ravel/def.h>
#include <ravel/time.h>

RV_BEGIN_DECLS

/** Mutual exclusion with an owner. Not recursive: locking it twice is a misuse that stops the
 * program. */
struct rv_mutex {
    uint64_t opaque[8];
};
/* clang-format off */
/** Initialises an unlocked struct rv_mutex; so does all-zero memory. */
#define RV_MUTEX_INIT {{0}}
/* clang-format on */

/** Make a mutex, unlocked.
 *
 * @param m  caller's memory
 * Errors:  none
 * Blocks:  no
 * Threads: any, before others see it
 * Lifetime: until the last user is done with it */
RV_API void rv_mutex_init(struct rv_mutex *m);

/** Lock a mutex, waiting in line while another holds it. Before that, if another thread holds it
 * and this one has nothing else to run, look for a moment whether it gets free: some microseconds.
 *
 * @param m         the mutex
 * @param deadline  absolute monotonic nanoseconds, or RV_NEVER
 * @return 0; the caller holds it
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -ENOMEM no room for the timer
 * Blocks:  the task, never its thread; a plain thread itself
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: keep m alive until unlocked */
RV_API RV_NODISCARD int rv_mutex_lock(struct rv_mutex *m, rv_time deadline);

/** Lock a mutex if that needs no waiting.
 *
 * @param m  the mutex
 * @return 0; the caller holds it
 * Errors:  -EAGAIN another holds it
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: keep m alive until unlocked */
RV_API RV_NODISCARD int rv_mutex_try_lock(struct rv_mutex *m);

/** Unlock a mutex, and see to it that the first in line, if there is one, gets it.
 *
 * As long as the tasks of one worker alone use it, the first in line holds it from that moment.
 * Otherwise it is free until that one has woken up, and whoever is there may take it first, the
 * caller too; but the first in line is not overtaken any more, and holds it from the moment of
 * unlocking, once it has waited for a millisecond.
 *
 * @param m  held by the caller; otherwise it is a misuse that stops the program
 * Errors:  none; works in a cancelled task
 * Blocks:  no
 * Threads: the task or thread that locked it
 * Lifetime: nothing is held; whoever locks it next may free it after unlocking
 * Source:  F. Pizlo, "Locking in WebKit", 2016; the Go authors, sync.Mutex, 2016 */
RV_API void rv_mutex_unlock(struct rv_mutex *m);

/** A place to wait for a change that a mutex guards. */
struct rv_cond {
    uint64_t opaque[8];
};
/* clang-format off */
/** Initialises a struct rv_cond; so does all-zero memory. */
#define RV_COND_INIT {{0}}
/* clang-format on */

/** Make a condition.
 *
 * @param c  caller's memory
 * Errors:  none
 * Blocks:  no
 * Threads: any, before others see it
 * Lifetime: until the last user is done with it */
RV_API void rv_cond_init(struct rv_cond *c);

/** Unlock the mutex, wait for a signal, lock the mutex again: the first two as one step.
 *
 * There are no wake-ups without a signal, but others may have held the mutex in between: look at
 * your condition in a loop all the same. The mutex is held again whatever is returned.
 *
 * @param c         the condition
 * @param m         held by the caller
 * @param deadline  absolute monotonic nanoseconds, or RV_NEVER; bounds the wait for the signal
 * @return 0 signalled
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -ENOMEM no room for the timer. A signal is
 *          never lost to a waiter that returns one of these.
 * Blocks:  the task, never its thread; a plain thread itself
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: keep both alive until return */
RV_API RV_NODISCARD int rv_cond_wait(struct rv_cond *c, struct rv_mutex *m, rv_time deadline);

/** Wake the first waiter, if there is one.
 *
 * @param c  the condition
 * Errors:  none
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers; with or without the mutex
 * Lifetime: nothing is held */
RV_API void rv_cond_signal(struct rv_cond *c);

/** Wake every waiter that is there now.
 *
 * @param c  the condition
 * Errors:  none
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers; with or without the mutex
 * Lifetime: nothing is held */
RV_API void rv_cond_broadcast(struct rv_cond *c);

/** A counting semaphore. */
struct rv_sem {
    uint64_t opaque[8];
};
/* clang-format off */
/** Initialises a struct rv_sem without units; so does all-zero memory. */
#define RV_SEM_INIT {{0}}
/* clang-format on */

/** Make a semaphore.
 *
 * @param s      caller's memory
 * @param count  units that are there at the start; more than 2^63 is a misuse that stops the
 *               program
 * Errors:  none
 * Blocks:  no
 * Threads: any, before others see it
 * Lifetime: until the last user is done with it */
RV_API void rv_sem_init(struct rv_sem *s, uint64_t count);

/** Take one unit, waiting in line until there is one.
 *
 * @param s         the semaphore
 * @param deadline  absolute monotonic nanoseconds, or RV_NEVER
 * @return 0; one unit is the caller's
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -ENOMEM no room for the timer
 * Blocks:  the task, never its thread; a plain thread itself
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: keep s alive until return */
RV_API RV_NODISCARD int rv_sem_wait(struct rv_sem *s, rv_time deadline);

/** Take one unit if that needs no waiting.
 *
 * @param s  the semaphore
 * @return 0; one unit is the caller's
 * Errors:  -EAGAIN none is left, or others wait in line
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_sem_try_wait(struct rv_sem *s);

/** Give units; waiters in line receive them first.
 *
 * @param s      the semaphore
 * @param count  units to add; more than 2^63 in all is a misuse that stops the program
 * Errors:  none; works in a cancelled task
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: nothing is held */
RV_API void rv_sem_post(struct rv_sem *s, uint64_t count);

/** Something that happens once and stays happened, until it is reset. */
struct rv_event {
    uint64_t opaque[8];
};
/* clang-format off */
/** Initialises a struct rv_event that has not happened; so does all-zero memory. */
#define RV_EVENT_INIT {{0}}
/* clang-format on */

/** Make an event that has not happened.
 *
 * @param e  caller's memory
 * Errors:  none
 * Blocks:  no
 * Threads: any, before others see it
 * Lifetime: until the last user is done with it */
RV_API void rv_event_init(struct rv_event *e);

/** Let it happen: every waiter wakes, later ones do not wait.
 *
 * @param e  the event; setting it twice is the same as once
 * Errors:  none; works in a cancelled task
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: a waiter may free e as soon as it has returned from rv_event_wait: this call touches e
 *           no more after it has let the waiter go */
RV_API void rv_event_set(struct rv_event *e);

/** Make it not have happened.
 *
 * @param e  the event
 * Errors:  none
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: nothing is held */
RV_API void rv_event_reset(struct rv_event *e);

/** Whether it has happened.
 *
 * @param e  the event
 * @return 1 or 0
 * Errors:  none
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: nothing is held */
RV_API int rv_event_is_set(struct rv_event *e);

/** Wait until it has happened.
 *
 * @param e         the event
 * @param deadline  absolute monotonic nanoseconds, or RV_NEVER
 * @return 0 it has
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -ENOMEM no room for the timer
 * Blocks:  the task, never its thread; a plain thread itself
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: keep e alive until return */
RV_API RV_NODISCARD int rv_event_wait(struct rv_event *e, rv_time deadline);

RV_END_DECLS
