/* SPDX-License-Identifier: MIT */
/* posix.h - what a thread is to pthreads, beyond that it runs. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <unwind.h>

#include "check/runtime/sched.h"

enum { CK_KEYS_MOST = 1024, CK_NAME_BYTES = 16 };

struct ck_cleanup;        /* cancel.c */
struct ck_at_thread_exit; /* keys.c */

struct ck_posix {
    void *(*start)(void *);
    int (*start_c11)(void *);
    void *arg;
    void *value;
    uintptr_t created_at; /* by this call */
    struct ck_thread *joiner;
    bool is_detached;
    bool is_joined;
    bool is_ending;
    bool in_cancellable_wait;
    bool cancel_is_pending;
    int cancel_state, cancel_type; /* PTHREAD_CANCEL_* */
    struct ck_cleanup *cleanups;   /* innermost first */
    struct ck_at_thread_exit *at_exit;
    const void **values; /* of keys; NULL: none was ever set */
    uint64_t *value_ages;
    struct _Unwind_Exception exception; /* cancel.c: of its forced unwinding */
    char name[CK_NAME_BYTES];
};

/** The main thread's; it is there before the execution. */
extern struct ck_posix ck_posix_main;

/** The caller's: the main thread's as long as there is no execution. */
static inline struct ck_posix *ck_posix_self(void)
{
    return ck_self ? ck_self->posix : &ck_posix_main;
}

/** The program has started threads before its main(): no execution can have them. */
extern bool ck_threads_came_early;

/** A thread of this execution that can still be joined, signalled, …; NULL: none. */
struct ck_thread *ck_thread_of(pthread_t handle);

/** Run what is registered for a thread's end: C++ destructors of thread-locals, then keys'. */
void ck_keys_run_destructors(void);

/** The former alone: exit() does that for the thread that calls it. */
void ck_keys_run_thread_locals(void);

/** The current thread is over, its cleanup handlers and destructors too (they run in here). */
_Noreturn void ck_posix_exit(void *value);

/** Unwind the current thread's stack, running cleanup handlers and C++ destructors; then it
 * ends. */
_Noreturn void ck_unwind(void *value);

/** ck_point has seen that the thread is cancelled: asynchronously, it ends here. */
void ck_cancel_at_point(void);

/** Ends here if it is cancelled and lets itself be: at the begin of a cancellation point. */
void ck_cancel_test(void);

/** ck_block has returned -ECANCELED, and the model is in order: the thread ends. */
_Noreturn void ck_cancel_now(void);

/** pthread_create with either kind of start function. */
int ck_posix_create(pthread_t *ret, const pthread_attr_t *attr, void *(*start)(void *),
                    int (*start_c11)(void *), void *arg, uintptr_t pc);
int ck_posix_join(pthread_t handle, void **ret_value, int64_t deadline, uintptr_t pc);
