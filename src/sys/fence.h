/* SPDX-License-Identifier: MIT */
/* fence.h - a fence whose cost is paid by the rare side.
 *
 * Two threads that each store to their own word and then load the other's need a sequentially
 * consistent fence in between on both sides (Dekker's pattern). Where one side is hot and the other
 * rare, membarrier(2) lets the rare side run a full fence on every core that runs this process, and
 * the hot side needs only to keep the compiler from reordering:
 *
 *     hot:   store(mine); rvi_fence_light(); load(theirs);
 *     rare:  store(theirs); rvi_fence_heavy(); load(mine);
 *
 * At least one of the two sees the other's store. A light fence pairs with heavy ones only, never
 * with another light one. Measured: 0 against 5.4 ns on the hot side, some 12 us on the rare one.
 *
 * Where the kernel refuses (old, or a seccomp filter), under ThreadSanitizer and under an emulator,
 * both sides fall back to real fences, chosen once by rvi_fence_asym_init() before any other thread
 * runs: the flag is written only then, so plain reads of it do not race. */
#pragma once

#include <stdbool.h>

#include "base/atomic.h"
#include "base/check.h"

/* True when rvi_fence_light() is a mere compiler barrier. Read only. */
extern bool rvi_fence_is_asymmetric;

/* Register this process with the kernel. Idempotent. The first call comes before any thread that
 * uses the fences; later ones, from anywhere, change nothing. */
void rvi_fence_asym_init(void);

/* Test switch: true makes both sides real fences, false goes back to what the kernel allows. Only
 * while no other thread uses the fences, nor will use what was built on rvi_fence_is_free(). */
void rvi_fence_asym_force_symmetric(bool force);

static inline void rvi_fence_light(void)
{
    RVI_POINT_DEBUG(RVI_POINT_FENCE);
    if (!RVI_TSAN && rvi_likely(rvi_fence_is_asymmetric))
        rvi_compiler_barrier();
    else
        rvi_fence_seq_cst(); /* pairs: fence-asym */
}

/* Whether the light fence costs nothing but that it may not be reordered. For ThreadSanitizer,
 * whose fences are real ones everywhere, the answer is yes: what is built upon it is to be checked
 * too. */
static inline bool rvi_fence_is_free(void)
{
    return RVI_TSAN || rvi_fence_is_asymmetric;
}

/* The light fence of who has found once that it is free: without looking again. */
static inline void rvi_fence_free(void)
{
    RVI_POINT_DEBUG(RVI_POINT_FENCE);
    if (RVI_TSAN)
        rvi_fence_seq_cst(); /* pairs: fence-asym */
    else
        rvi_compiler_barrier();
}

/* Some 12 microseconds with other threads running: never on a path that must be fast. */
void rvi_fence_heavy(void);
