/* SPDX-License-Identifier: MIT */
/* layout.h - what lies where in executors and worker processes, for those who look from outside:
 * see sched/roll.h and task/layout.h.
 *
 * An executor is the first member of its tier's structure. */
#pragma once

#include "sched/roll.h"

#define RVI_EXECUTOR_LAYOUT(R, F)                                                                  \
    R(EXECUTOR, struct rv_executor)                                                                \
    F(EXECUTOR, tier, TIER)                                                                        \
    F(EXECUTOR, width, WIDTH)                                                                      \
    F(EXECUTOR, limit, LIMIT)                                                                      \
    F(EXECUTOR, choice[0], CHOICE)                                                                 \
    F(EXECUTOR, running.head.prev, RUNNING)                                                        \
    F(EXECUTOR, running.head.next, FIRST_RUNNING)                                                  \
    F(EXECUTOR, delayed.head.prev, DELAYED)                                                        \
    F(EXECUTOR, delayed.head.next, FIRST_DELAYED)                                                  \
    F(EXECUTOR, runners, RUNNERS)                                                                  \
    F(EXECUTOR, refusal, REFUSAL)                                                                  \
    F(EXECUTOR, submitted, SUBMITTED)                                                              \
    F(EXECUTOR, ended, ENDED)                                                                      \
    F(EXECUTOR, cancelled, CANCELLED)                                                              \
    F(EXECUTOR, queued, QUEUED)                                                                    \
    F(EXECUTOR, deaths, DEATHS)                                                                    \
    F(EXECUTOR, retried, RETRIED)                                                                  \
    F(EXECUTOR, poisoned, POISONED)                                                                \
    F(EXECUTOR, started, STARTED)                                                                  \
    F(EXECUTOR, recycled, RECYCLED)                                                                \
    F(EXECUTOR, away_since, AWAY_SINCE)                                                            \
    R(TIER, struct rvi_tier)                                                                       \
    F(TIER, name, NAME)                                                                            \
    R(FUTURE, struct rv_future)                                                                    \
    F(FUTURE, link.prev, LINK)                                                                     \
    F(FUTURE, link.next, NEXT)                                                                     \
    F(FUTURE, job, JOB)                                                                            \
    F(FUTURE, since, SINCE)                                                                        \
    R(JOB, struct rv_job)                                                                          \
    F(JOB, name, NAME)                                                                             \
    R(POOL, struct rvi_processes)                                                                  \
    F(POOL, members.head.prev, MEMBERS)                                                            \
    F(POOL, members.head.next, FIRST_MEMBER)                                                       \
    R(MEMBER, struct rvi_member)                                                                   \
    F(MEMBER, mine.prev, LINK)                                                                     \
    F(MEMBER, mine.next, NEXT)                                                                     \
    F(MEMBER, state, STATE)                                                                        \
    F(MEMBER, jobs, JOBS)                                                                          \
    F(MEMBER, ring.slots, SLOTS)                                                                   \
    F(MEMBER, ring.mask, MASK)                                                                     \
    F(MEMBER, ring.sent, SENT)                                                                     \
    F(MEMBER, ring.collected, COLLECTED)                                                           \
    F(MEMBER, entries[0].future, ENTRY_FUTURES)                                                    \
    F(MEMBER, number, NUMBER)                                                                      \
    F(MEMBER, proc.pid, PID)                                                                       \
    F(MEMBER, started, STARTED)                                                                    \
    R(ENTRY, struct rvi_entry)                                                                     \
    F(ENTRY, begun, BEGUN)                                                                         \
    R(SLOT, struct rvi_slot)                                                                       \
    F(SLOT, state, STATE)                                                                          \
    F(SLOT, bytes[0], LETTER)                                                                      \
    R(LETTER, struct rvi_letter)                                                                   \
    F(LETTER, begun, BEGUN)

enum rvi_executor_record {
    RVI_EXECUTOR_LAYOUT(RVI_LAYOUT_RECORD_NAME, RVI_LAYOUT_NO_FIELD) RVI_EXECUTOR_RECORDS
};

enum rvi_executor_field {
    RVI_EXECUTOR_LAYOUT(RVI_LAYOUT_NO_RECORD, RVI_LAYOUT_FIELD_NAME) RVI_EXECUTOR_FIELDS
};

extern const struct rvi_layout_part rvi_executor_layout;
