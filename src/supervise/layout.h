/* SPDX-License-Identifier: MIT */
/* layout.h - what lies where in supervisors, for those who look from outside: see sched/roll.h and
 * task/layout.h.
 *
 * A supervisor's services lie behind it. */
#pragma once

#include "sched/roll.h"

#define RVI_SUPERVISOR_LAYOUT(R, F)                                                                \
    R(SUPERVISOR, struct rv_supervisor)                                                            \
    F(SUPERVISOR, name, NAME)                                                                      \
    F(SUPERVISOR, strategy, STRATEGY)                                                              \
    F(SUPERVISOR, restart_count, RESTARTS)                                                         \
    F(SUPERVISOR, count, COUNT)                                                                    \
    R(KEPT, struct rvi_kept)                                                                       \
    F(KEPT, above, ABOVE)                                                                          \
    F(KEPT, name, NAME)                                                                            \
    F(KEPT, what.process, PROCESS)                                                                 \
    F(KEPT, below, BELOW)                                                                          \
    F(KEPT, begun, BEGUN)                                                                          \
    F(KEPT, due, DUE)                                                                              \
    F(KEPT, state, STATE)                                                                          \
    F(KEPT, starts, STARTS)                                                                        \
    F(KEPT, pid, PID)                                                                              \
    F(KEPT, end.error, ERROR)                                                                      \
    F(KEPT, end.text[0], TEXT)

enum rvi_supervisor_record {
    RVI_SUPERVISOR_LAYOUT(RVI_LAYOUT_RECORD_NAME, RVI_LAYOUT_NO_FIELD) RVI_SUPERVISOR_RECORDS
};

enum rvi_supervisor_field {
    RVI_SUPERVISOR_LAYOUT(RVI_LAYOUT_NO_RECORD, RVI_LAYOUT_FIELD_NAME) RVI_SUPERVISOR_FIELDS
};

extern const struct rvi_layout_part rvi_supervisor_layout;
