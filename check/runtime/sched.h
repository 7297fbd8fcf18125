/* SPDX-License-Identifier: MIT */
/* sched.h - who runs: the runtime's core, for everything that models a primitive.
 *
 * All threads of the program are run one at a time, whatever backend carries them. A thread comes
 * to a point before each visible operation; there it may be that others run first. An operation
 * itself (everything between two points) is atomic, so models need no locks.
 *
 * How a model is written:
 *
 *     CK_EXPORT int pthread_mutex_lock(pthread_mutex_t *m)
 *     {
 *         if (!ck_enter())                              // not controlled: the real one
 *             return ck_real.pthread_mutex_lock(m);
 *         ck_point(&(struct ck_op){CK_OP_LOCK, true, 0, (uintptr_t)m, CK_CALLER});
 *         int r = lock(mutex_of(m));                    // loops: while (taken) ck_block(...)
 *         ck_leave();
 *         return r;
 *     }
 *
 * It never blocks in the kernel, nor in libc. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "check/runtime/op.h"
#include "check/wire.h"

#define CK_EXPORT __attribute__((visibility("default")))
#define CK_CALLER ((uintptr_t)__builtin_return_address(0))
#define CK_NEVER INT64_MAX

enum ck_state { CK_READY_TO_RUN, CK_BLOCKED, CK_ENDED };

/* Why a thread is blocked. Reports say it in words: driver/words.c. */
struct ck_wait {
    enum ck_op_kind kind;
    const void *object;
    uint32_t holder;  /* the thread that has it, for cycles; UINT32_MAX: nobody, or unknown */
    int64_t deadline; /* on the virtual clock; CK_NEVER: none */
    int fd;           /* CK_OP_IO; -1 */
    short events;     /* CK_OP_IO: poll(2)'s */
};

struct ck_hb;      /* clocks.h */
struct ck_carrier; /* carrier.h: what carries it: a fiber or a kernel thread */
struct ck_posix;   /* posix.h: join, detach, keys, cancellation */
struct ck_spin;

struct ck_thread {
    uint32_t id; /* in order of creation, the main thread 0; never used again in an execution */
    enum ck_state state;
    bool is_put_off;    /* another was chosen though it could go on: its next event says so */
    bool is_woken;      /* CK_BLOCKED and then woken: state is ready, ck_block returns 0 */
    uint32_t inside;    /* depth of ck_enter() */
    uint32_t decisions; /* counted: struct ck_switch */
    uint32_t points;
    uint64_t step;     /* when it came to its latest point */
    struct ck_op next; /* what it is about to do, once it runs */
    struct rvi_candidate candidate;
    struct ck_spin *spin; /* spin.c */
    uint64_t order;       /* hash of what it did, after what: order of conflicts alone */
    bool is_cancelled;    /* and may be: ck_block ends if it says that it can be */
    struct ck_wait wait;
    uintptr_t stack_low, stack_high;
    struct ck_hb *hb;
    struct ck_carrier *carrier;
    struct ck_posix *posix;
};

/** The one that runs. NULL outside of an execution. */
extern struct ck_thread *ck_self __attribute__((visibility("hidden")));

/** Those of this execution, by id. */
extern struct ck_thread *ck_threads[CK_THREADS_MOST];
extern uint32_t ck_thread_count;

/** The mapping; NULL: not under check. */
extern struct ck_shared *ck_shared;

/** A thread as the object of an operation: no address, and the same number in every process. */
static inline uintptr_t ck_thread_object(const struct ck_thread *thread)
{
    return thread ? thread->id + 1 : 0;
}

/** Begin an interposed call. False: the caller makes the real one, because no execution is under
 * control, or because the runtime itself is calling. */
static inline bool ck_enter(void)
{
    struct ck_thread *self = ck_self;

    if (!self || self->inside)
        return false;
    self->inside++;
    return true;
}

static inline void ck_leave(void)
{
    ck_self->inside--;
}

/** A scheduling point: others may run before it returns. Also looks for cancellation's delivery of
 * signals. The operation is the caller's, after it returns. */
void ck_point(const struct ck_op *op);

/** What the thread will do once it is woken, if that is not what it announced at its point. */
void ck_announce(const struct ck_op *op);

/** Wait until somebody wakes this thread by ck_wake(), or the deadline is chosen.
 * A wake-up is a hint: whoever calls looks again at what it waits for, in a loop.
 *
 * @return 0 woken, -ETIMEDOUT, or -ECANCELED if `is_cancellable` and cancellation came */
int ck_block(const struct ck_wait *wait, bool is_cancellable);

/** Does nothing for one that is not blocked. */
void ck_wake(struct ck_thread *thread);

/** All that are blocked on the object. */
void ck_wake_all(const void *object);

/** One of 0 to n - 1, by the seed; recorded as a decision. n >= 1. */
uint32_t ck_choose(uint32_t n);

/** The thread says that it gets no further unless others run. */
void ck_yield(uintptr_t pc);

/** A value was written that was not there before: somebody gets further. For livelock. */
void ck_made_progress(void);

/** Set by the entry points of -fsanitize=thread: the program's plain accesses are seen. Otherwise a
 * lock that is taken and released may hide any change. */
extern bool ck_is_instrumented;

/** The virtual clock, ns since the execution began; rises by little at each point, and to a
 * deadline when it is chosen. */
int64_t ck_now(void);

/** Some of it passes: for who does nothing but look at it. */
void ck_pass(int64_t ns);

/** It runs for the first time when it is chosen. */
struct ck_thread *ck_thread_new(struct ck_carrier *carrier, struct ck_posix *posix);

/** The current one has ended: somebody else goes on. */
_Noreturn void ck_thread_end(void);

/** Threads that have not ended. */
uint32_t ck_alive_count(void);

/** The execution begins; its main thread is what runs. */
void ck_sched_begin(struct ck_carrier *main, struct ck_posix *posix);

/** What is only known at the end, into the result. May be called again. */
void ck_sched_finish(void);

/** Write an event if the plan wants it: the operation that the thread has just made. */
void ck_event(const struct ck_op *op, uint64_t value, unsigned flags);
