/* SPDX-License-Identifier: MIT */
/* layout.h - where everything lies in a process that runs tasks, for those who look at it from
 * outside: `ravel ps` and its kin, in a live process or in its core file.
 *
 * An ELF note of the program, or of libravel.so, leads to a constant table of what structures lie
 * where. A note is in the memory of every process and outlives strip(1). So the program pays
 * nothing for being looked at: no page to keep, no list, no instruction.
 *
 *     note "Ravel", type RVI_LAYOUT_NOTE: 4 bytes, how far from there struct rvi_layout lies
 *
 * Offsets are told rather than shared as structures, because the same version of the library is
 * built in several ways (checks, sanitizers), of which the reader is one. The meanings are those of
 * the headers: who reads a process has to be of its version, and `version` and `enumerators` tell.
 *
 * Rejected: a shared page that the runtime keeps up to date (each switch would have to write it);
 * symbols or debug information, as tools/rv_gdb.py uses them (stripped programs have none).
 *
 * Checked by: tests/unit/task/test_layout.c, tests/look */
#pragma once

#include <stdint.h>

#include "sched/roll.h"

enum {
    RVI_LAYOUT_NOTE = 1,     /* the type of the note */
    RVI_LAYOUT_REVISION = 3, /* of struct rvi_layout and of what is in it */
};

#define RVI_LAYOUT_OWNER "Ravel"
#define RVI_LAYOUT_MAGIC UINT64_C(0x74756f79616c7672) /* "rvlayout" */

/* What is told: R(record, type) a structure, F(record, member, name) what is in it. */
#define RVI_LAYOUT(R, F)                                                                           \
    R(SCHED, struct rvi_sched)                                                                     \
    F(SCHED, worker_count, WORKER_COUNT)                                                           \
    F(SCHED, workers, WORKERS)                                                                     \
    F(SCHED, first_task, FIRST_TASK)                                                               \
    F(SCHED, next_sched, NEXT)                                                                     \
    F(SCHED, helpers.call_count, HELPER_CALLS)                                                     \
    F(SCHED, monitor.stalls, STALLS)                                                               \
    R(WORKER, struct rvi_worker)                                                                   \
    F(WORKER, sched, SCHED)                                                                        \
    F(WORKER, index, INDEX)                                                                        \
    F(WORKER, thread_id, THREAD_ID)                                                                \
    F(WORKER, probes, PROBES)                                                                      \
    F(WORKER, now_ms, NOW_MS)                                                                      \
    F(WORKER, tick, TICK)                                                                          \
    F(WORKER, unswitched, UNSWITCHED)                                                              \
    F(WORKER, next_id, NEXT_ID)                                                                    \
    F(WORKER, finished, FINISHED)                                                                  \
    F(WORKER, stolen, STOLEN)                                                                      \
    F(WORKER, sleeps, SLEEPS)                                                                      \
    F(WORKER, slab.chunks, CHUNKS)                                                                 \
    F(WORKER, slab.fresh, SLAB_FRESH)                                                              \
    F(WORKER, slab.stride, STRIDE)                                                                 \
    F(WORKER, fresh.bottom, DEQUE_BOTTOM)                                                          \
    F(WORKER, fresh.top, DEQUE_TOP)                                                                \
    F(WORKER, timers.heap.count, TIMERS)                                                           \
    F(WORKER, alarms.heap.count, ALARMS)                                                           \
    F(WORKER, sleeper.state, SLEEPER)                                                              \
    F(WORKER, sleeper.call, CALL)                                                                  \
    F(WORKER, probing.task_id, PROBED_ID)                                                          \
    F(WORKER, probing.since, PROBED_SINCE)                                                         \
    F(WORKER, probing.counts.run_ns, RUN_NS)                                                       \
    F(WORKER, probing.trace, TRACE)                                                                \
    R(CHUNK, struct rvi_slab_chunk)                                                                \
    F(CHUNK, next, NEXT)                                                                           \
    F(CHUNK, end, END)                                                                             \
    R(TASK, struct rvi_task)                                                                       \
    F(TASK, id, ID)                                                                                \
    F(TASK, site, SITE)                                                                            \
    F(TASK, fn, FN)                                                                                \
    F(TASK, birth, BIRTH)                                                                          \
    F(TASK, group, GROUP)                                                                          \
    F(TASK, sibling.next, SIBLING)                                                                 \
    F(TASK, ctx, CTX)                                                                              \
    F(TASK, stack, STACK)                                                                          \
    F(TASK, home, HOME)                                                                            \
    F(TASK, state, STATE)                                                                          \
    F(TASK, why, WHY)                                                                              \
    F(TASK, parked_ms, PARKED_MS)                                                                  \
    F(TASK, scopes, SCOPES)                                                                        \
    F(TASK, own_name, OWN_NAME)                                                                    \
    R(ACCOUNT, struct rvi_account)                                                                 \
    F(ACCOUNT, spawned_at, SPAWNED_AT)                                                             \
    F(ACCOUNT, parks, PARKS)                                                                       \
    F(ACCOUNT, wakes, WAKES)                                                                       \
    F(ACCOUNT, yields, YIELDS)                                                                     \
    F(ACCOUNT, migrations, MIGRATIONS)                                                             \
    F(ACCOUNT, run_ns, RUN_NS)                                                                     \
    F(ACCOUNT, queued_ns, QUEUED_NS)                                                               \
    R(SCOPE, struct rv_scope)                                                                      \
    F(SCOPE, cancel.reason, REASON)                                                                \
    F(SCOPE, policy, POLICY)                                                                       \
    F(SCOPE, is_closing, IS_CLOSING)                                                               \
    F(SCOPE, name, NAME)                                                                           \
    F(SCOPE, owner, OWNER)                                                                         \
    F(SCOPE, outer, OUTER)                                                                         \
    F(SCOPE, deadline, DEADLINE)                                                                   \
    R(SHARD, struct rvi_shard)                                                                     \
    F(SHARD, scope, SCOPE)                                                                         \
    R(SITE, struct rv_site)                                                                        \
    F(SITE, file, FILE)                                                                            \
    F(SITE, func, FUNC)                                                                            \
    F(SITE, name, NAME)                                                                            \
    F(SITE, line, LINE)                                                                            \
    R(STACK, struct rvi_stack)                                                                     \
    F(STACK, user, USER)                                                                           \
    F(STACK, low, LOW)                                                                             \
    F(STACK, high, HIGH)

enum rvi_layout_record {
    RVI_LAYOUT(RVI_LAYOUT_RECORD_NAME, RVI_LAYOUT_NO_FIELD) RVI_LAYOUT_RECORDS
};

enum rvi_layout_field { RVI_LAYOUT(RVI_LAYOUT_NO_RECORD, RVI_LAYOUT_FIELD_NAME) RVI_LAYOUT_FIELDS };

struct rvi_layout {
    uint64_t magic;
    uint32_t revision;
    uint32_t bytes;       /* of this structure */
    char version[16];     /* the library's */
    uint32_t enumerators; /* a number that changes with those of states and reasons */
    uint32_t records[RVI_LAYOUT_RECORDS]; /* sizes */
    struct rvi_layout_field_at fields[RVI_LAYOUT_FIELDS];
    const void *scheds; /* where the list of schedulers begins */
    const void *door;   /* struct rvi_trace_door */
    const void *code;   /* in the library's own code: rvi_backtracer_new() */
    const void *roll;   /* the list of executors and others: sched/roll.h */
};

/** What stands in `enumerators`. */
#define RVI_LAYOUT_ENUMERATORS (RVI_WHY_LAST << 8 | RVI_TASK_PARKED_SEEN)

extern const struct rvi_layout rvi_layout;
