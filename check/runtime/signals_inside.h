/* SPDX-License-Identifier: MIT */
/* signals_inside.h - what the two halves of the model of signals share. */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "check/runtime/sched.h"

enum { CK_SIGNALS = 64 };

/* A thread's; sets of signals are words of bits. */
struct ck_signals_own {
    uint64_t pending, blocked, awaited;
    uint64_t handled, interrupted; /* all handlers; those without SA_RESTART */
};

extern struct ck_signals_own ck_signals_own[CK_THREADS_MOST];
extern uint64_t ck_signals_of_process; /* pending for it; handlers of the kernel's write it, too */
extern siginfo_t ck_signals_info[CK_SIGNALS + 1]; /* of the latest */

static inline struct ck_signals_own *ck_signals_mine(void)
{
    return &ck_signals_own[ck_self->id];
}

static inline uint64_t ck_signal_bit(int sig)
{
    return UINT64_C(1) << (sig - 1);
}

static inline uint64_t ck_signal_bits(const sigset_t *set)
{
    uint64_t bits;

    memcpy(&bits, set, sizeof bits);
    return bits;
}

/** One of `wanted` that is pending for the current thread, no longer pending then; 0: none. */
int ck_signals_take(uint64_t wanted);

/** Pending for the thread, which is woken if it waits for it or does not block it. */
void ck_signals_send_to(struct ck_thread *thread, int sig);

/** The first thread that does not block it; NULL: none. */
struct ck_thread *ck_signals_who_lets_in(int sig);
