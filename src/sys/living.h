/* SPDX-License-Identifier: MIT */
/* living.h - which process this is, and whether another one still lives, for those who know each
 * other by nothing but words in shared memory. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/** A process, as others on this machine know it. A number is used again some time after its process
 * has ended, so its start tells it from the next of that number. */
struct rvi_living {
    uint32_t pid;   /* less than 2^22, as the kernel promises */
    uint32_t start; /* in ticks since the machine began, the low bits; 0: not known */
};

/** The calling process. Right also in the child of a fork. */
struct rvi_living rvi_living_self(void);

/** Whether a process has surely ended: none of its threads will run another instruction. False when
 * it cannot be found out (another PID namespace, no /proc, a filter).
 *
 * Errors:  none
 * Blocks:  no
 * Threads: any */
bool rvi_living_has_ended(struct rvi_living process);
