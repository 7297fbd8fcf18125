/* SPDX-License-Identifier: MIT */
/* locks.h - what the models of locks, condition variables and waits share.
 *
 * Where a primitive's state fits into the program's own memory, it stays there, as libc would have
 * it: so one that is copied, wiped or taken by a static constructor means what it does without the
 * checker, and a forked child goes on with it. A model adds what libc does not know: clocks, the
 * holder, where it was taken. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "check/runtime/clocks.h"
#include "check/runtime/sched.h"

struct ck_wasted;

enum { CK_NOBODY = UINT32_MAX };

/* An operation of the current call on the object. */
#define CK_DO(kind_, is_write_, object_)                                                           \
    (&(struct ck_op){kind_, is_write_, 0, (uintptr_t)(object_), CK_CALLER})

/* Sentinels of a mutex's owner field lie beyond kernel thread ids. */
enum { CK_OWNER_FIRST = 1 << 24 };

/* mutex.c. Results are pthread's: 0 or an error number. `op` is the one announced at the point;
 * NULL for an unlock that is a part of another operation. */
int ck_mutex_lock(pthread_mutex_t *m, int64_t deadline, const struct ck_op *op);
int ck_mutex_trylock(pthread_mutex_t *m, const struct ck_op *op);
int ck_mutex_unlock(pthread_mutex_t *m, const struct ck_op *op);

/** Whether the current thread has it. */
bool ck_mutex_is_mine(const pthread_mutex_t *m);

/** The thread that has it; CK_NOBODY: nobody, or one that is not known. */
uint32_t ck_mutex_holder(const pthread_mutex_t *m);

/** A new one is there, or none any longer: what was known of the address is not. */
void ck_mutex_forget(const pthread_mutex_t *m);

/** The current thread ends: those who wait for its robust mutexes look again. */
void ck_mutex_thread_ends(void);

/* cond.c */
int ck_cond_wait(pthread_cond_t *c, pthread_mutex_t *m, int64_t deadline, const struct ck_op *op);
void ck_cond_signal(pthread_cond_t *c, bool is_for_all, const struct ck_op *op);
void ck_cond_forget(const pthread_cond_t *c);

/** The latest signal that found nobody; NULL: there was none. */
const struct ck_wasted *ck_cond_wasted(const void *c);

/* futex.c. The latest wake-up there that found nobody. */
const struct ck_wasted *ck_futex_wasted(const void *word);

/* cancel.c: ck_block has returned -ECANCELED, and the model is in order: the thread ends. */
_Noreturn void ck_cancel_now(void);

/* once.c. True: the caller runs the routine, and then says so by ck_once_end. */
bool ck_once_begin(int *state, const struct ck_op *op);
void ck_once_end(int *state, bool is_done);

/* sem.c. Whether a thread that waits for it would find it posted. */
bool ck_sem_is_free(const void *s);

/* rwlock.c. Each thread that has it, by number of `i`; CK_NOBODY: no more. */
uint32_t ck_rwlock_holder(const void *rwlock, uint32_t i);

/* time.c. Where on the virtual clock it is; CK_NEVER for NULL. A moment that is no time: EINVAL. */
int ck_time_deadline(clockid_t clock, const struct timespec *at, int64_t *ret_deadline);
int64_t ck_time_after(const struct timespec *delay);
