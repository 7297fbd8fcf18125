/* SPDX-License-Identifier: MIT */
/* hb.h - a thread's place in happens-before, for those that detect races: clocks.c, races.c,
 * access.c, atomics.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check/runtime/clocks.h"

/* Who did something and when, in one word: the clock in bits 0 to 31, the thread above it. Records
 * in the shadow (shadow.h) have bytes and kind above that. */
enum { CK_ID_THREAD_SHIFT = 32 };

struct ck_hb {
    uint64_t id;         /* now: rises with each release */
    uint32_t thread;     /* as in id */
    uintptr_t stack_low; /* the thread's own stack; 0 bytes: not known */
    size_t stack_bytes;
    struct ck_sync clock; /* what happened before now, by thread */
    struct ck_sync
        forks; /* as clock, by creation and join alone: what no schedule can turn round */
    struct ck_sync loaded; /* what relaxed loads have seen, for an acquire fence to come */
    struct ck_sync fenced; /* what the last release fence releases, for relaxed stores to come */
};

/** The entry of a thread in a clock; 0: nothing of it is known. */
static inline uint32_t ck_clock_of(const struct ck_sync *clock, uint32_t thread)
{
    return thread < clock->count ? clock->clock[thread] : 0;
}

/* What an atomic operation at this object does to happens-before, as C11 (5.1.2.4, 7.17) amended by
 * C++20 (a release sequence is the store and the read-modify-writes after it) says. `at`
 * NULL: nobody has released there. */
void ck_hb_load(const struct ck_sync *at, bool is_acquire);
void ck_hb_store(struct ck_sync *at, bool is_release);
void ck_hb_modify(struct ck_sync *at, bool is_acquire, bool is_release);
void ck_hb_fence(bool is_acquire, bool is_release);
