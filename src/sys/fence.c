/* SPDX-License-Identifier: MIT */
/* fence.c - the heavy side of the asymmetric fence.
 *
 * MEMBARRIER_CMD_PRIVATE_EXPEDITED interrupts every core that runs a thread of this process, and
 * returns once each has executed a full fence. It has to be registered once per process; the
 * registration survives fork and is forgotten by exec.
 *
 * Rejected: MEMBARRIER_CMD_GLOBAL, which waits for an RCU grace period, some milliseconds; mprotect
 * of a dummy page, which relies on how page tables are flushed and holds on x86 alone. */
#include "sys/fence.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/seam.h"
#include "sys/call.h"

bool rvi_fence_is_asymmetric;

static _Atomic(bool) is_initialised;

static long membarrier(enum rvi_call_site call, int command)
{
    return RVI_CALL_AT(call, syscall(SYS_membarrier, command, 0, 0));
}

/* Registered and tried once for real: an emulator or a filter may grant the query alone. */
static bool kernel_has_membarrier(void)
{
    long commands = membarrier(RVI_CALL_ASK_BARRIER, MEMBARRIER_CMD_QUERY);
    if (RVI_TSAN || commands < 0 || !(commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED))
        return false;
    return membarrier(RVI_CALL_REGISTER_BARRIER, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0 &&
           membarrier(RVI_CALL_TRY_BARRIER, MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0;
}

void rvi_fence_asym_init(void)
{
    if (!rvi_exchange_relaxed(&is_initialised, true))
        rvi_fence_is_asymmetric = kernel_has_membarrier();
}

void rvi_fence_asym_force_symmetric(bool force)
{
    rvi_store_relaxed(&is_initialised, true);
    rvi_fence_is_asymmetric = !force && kernel_has_membarrier();
}

void rvi_fence_heavy(void)
{
    rvi_fence_seq_cst();                      /* pairs: fence-asym */
    if (!rvi_fence_is_asymmetric || rvi_seam) /* simulated threads share one core */
        return;
    /* It worked at init. The one thing that it may still lack is memory for a set of cores; without
     * it the light sides are mere compiler barriers, so there is nothing but to ask again. */
    while (membarrier(RVI_CALL_BARRIER, MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0) {
        RV_CHECK(errno == ENOMEM);
        sched_yield();
    }
}
