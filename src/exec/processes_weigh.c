/* SPDX-License-Identifier: MIT */
/* processes_weigh.c - members that have too much memory: over memory_bytes one is killed with what
 * it runs, over recycle_bytes it is replaced.
 *
 * The kernel has no limit for what a process has resident, so the service looks at all members
 * every LOOK_NS while there are jobs. A job's own memory is not what a member is replaced for: one
 * that has too much gets no more jobs, and when it runs none it is weighed once more. One that was
 * given no job yet is not weighed: were a limit less than what a process begins with, one after the
 * other would come and go, and no job ever hear why.
 *
 * Checked by: tests/unit/exec/test_tier_processes.c, test_processes_weigh.c,
 * test_processes_stop.c */
#include "exec/processes.h"

#include <signal.h>

#include "sys/resident.h"

#define LOOK_NS (10 * RV_MILLISECOND)

/* Of one that has just ended, nothing. */
static uint64_t weight_of(const struct rvi_member *member)
{
    uint64_t bytes = 0;

    return rvi_resident_own(member->proc.pid, &bytes) == 0 ? bytes : 0;
}

static bool is_over(uint64_t bytes, uint64_t most)
{
    return most > 0 && bytes > most;
}

static void weigh(struct rvi_member *member)
{
    const struct rv_process_opts *opts = &member->pool->opts;
    uint64_t bytes = weight_of(member);

    if (is_over(bytes, opts->memory_bytes)) {
        rvi_member_condemn(member, RVI_VERDICT_MEMORY, SIGKILL);
    } else if (is_over(bytes, opts->recycle_bytes) && member->state == RVI_MEMBER_READY) {
        member->is_fat = true;
        rvi_member_retire(member);
    }
}

/* One that was to stop may yet end by its signal. */
bool rvi_member_is_slim(struct rvi_member *member)
{
    return member->is_fat && member->verdict == RVI_VERDICT_LEAVE && !member->pool->is_closing &&
           !is_over(weight_of(member), member->pool->opts.recycle_bytes);
}

rv_time rvi_processes_weigh(struct rvi_processes *pool, rv_time now)
{
    if (pool->opts.memory_bytes == 0 && pool->opts.recycle_bytes == 0)
        return RV_NEVER;
    RVI_LIST_FOREACH(link, &pool->members) {
        struct rvi_member *member = rvi_container_of(link, struct rvi_member, mine);
        bool may_leave = member->state == RVI_MEMBER_READY && member->jobs > 0;
        if (may_leave || (member->state == RVI_MEMBER_LEAVING && member->is_occupied))
            weigh(member);
    }
    return pool->occupied > 0 ? now + LOOK_NS : RV_NEVER;
}
