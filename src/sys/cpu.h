/* SPDX-License-Identifier: MIT */
/* cpu.h - the instructions that C cannot say. */
#pragma once

#include "base/seam.h"

/* One turn of a spin loop: saves power, and lets the other hardware thread of the core run. */
static inline void rvi_cpu_relax(void)
{
    rvi_point(RVI_POINT_SPIN);
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    /* isb waits about as long as x86's pause; yield is a no-op on most cores. */
    __asm__ volatile("isb" ::: "memory");
#else
#error "ravel runs on x86-64 and aarch64"
#endif
}
