/* SPDX-License-Identifier: MIT */
/* seam.h - where a simulation takes the place of the operating system.
 *
 * A thread that simulates (sched/sim.h) sets `rvi_seam`; from then on whatever it would ask the
 * kernel for, src/sys asks there: time, waiting on a word, threads, sockets. The variable is the
 * thread's own, so that a runtime on other threads of the process never knows. In real life it is
 * NULL and looked at only where a system call, a lock or a message is due anyway.
 *
 * A point is a place at which another thread may go on: the simulation decides whether one does, as
 * the kernel's preemption would. Points are wherever the kernel is asked, where an object's lock is
 * taken and where a message is sent to another worker; with RVI_DEBUG_CHECKS >= 1 also before each
 * atomic access that is not relaxed, each relaxed read-modify-write and each light fence; with 2
 * before each relaxed store as well. What lies between two points runs as one. Accesses are
 * explored in sequentially consistent orders only: whether weaker ones would do is argued beside
 * the code, and not tested here.
 *
 * A signal handler is no thread: it takes the seam away while it runs. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

enum rvi_point {
    RVI_POINT_ATOMIC,
    RVI_POINT_FENCE,
    RVI_POINT_LOCK,  /* of an object is about to be taken */
    RVI_POINT_SEND,  /* of a message to another worker */
    RVI_POINT_SPAWN, /* somebody may come for a fresh task */
    RVI_POINT_LOOK,  /* a blocking call begins */
    RVI_POINT_CLOCK, /* is read */
    RVI_POINT_WAIT,  /* on a word, or for a thread's end */
    RVI_POINT_WAKE,
    RVI_POINT_START, /* of a thread */
    RVI_POINT_SPIN,  /* nothing more to do until others have got on */
    RVI_POINT_END,   /* of a thread */
};

struct rvi_net_seam;

struct rvi_seam {
    int cores;                /* that the simulated machine has */
    struct rvi_net_seam *net; /* its descriptors: sys/net_seam.h */
    void (*point)(struct rvi_seam *seam, enum rvi_point what);
    int64_t (*clock_now)(struct rvi_seam *seam);
    int (*futex_wait)(struct rvi_seam *seam, _Atomic(uint32_t) *word, uint32_t expected,
                      int64_t deadline_ns);
    void (*futex_wake)(struct rvi_seam *seam, _Atomic(uint32_t) *word, int count);
    int (*thread_start)(struct rvi_seam *seam, uintptr_t *ret, const char *name,
                        void *(*fn)(void *), void *arg);
    void (*thread_join)(struct rvi_seam *seam, uintptr_t thread);
    void (*thread_stack)(struct rvi_seam *seam, char **ret_low, char **ret_high);
};

extern _Thread_local struct rvi_seam *rvi_seam __attribute__((tls_model("initial-exec")));

/** A point. Out of line for the shim of atomics: its places may lie behind a switch to another
 * thread, where a thread-local's address that was computed before is wrong. */
void rvi_seam_point(enum rvi_point what);

static inline void rvi_point(enum rvi_point what)
{
    if (rvi_unlikely(rvi_seam != NULL))
        rvi_seam->point(rvi_seam, what);
}

#if RVI_DEBUG_CHECKS >= 1
#define RVI_POINT_DEBUG(what) rvi_seam_point(what)
#else
#define RVI_POINT_DEBUG(what) ((void)0)
#endif

/** Do the rest for real: in signal handlers, and around locks that other threads of the process
 * take as well. Returns what to hand to rvi_seam_return(). */
static inline struct rvi_seam *rvi_seam_leave(void)
{
    struct rvi_seam *seam = rvi_seam;

    rvi_seam = NULL;
    return seam;
}

static inline void rvi_seam_return(struct rvi_seam *seam)
{
    rvi_seam = seam;
}
