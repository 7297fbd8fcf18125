/* SPDX-License-Identifier: MIT */
/* trace.h - decisions: recorded where they are not the default one, and followed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "check/wire.h"

/** From the plan. */
void ck_trace_begin(void);

/** What the plan says about a thread's nth decision; false: nothing, so the default. CK_FOLLOW. */
bool ck_trace_find(uint32_t thread, uint32_t nth, uint32_t *ret_value);

/** A decision other than the default one was made. */
void ck_trace_record(uint32_t thread, uint32_t nth, uint32_t value);

/** Numbers that a model of chance needs (rare time-outs, ck_choose), by the plan's seed. */
uint64_t ck_trace_random(void);

/** A decision is made that could have been others, by bit. CK_LOG_DECISIONS. */
void ck_trace_decision(const struct ck_decision *decision);

/** Decisions do not tell all that was possible. */
void ck_trace_is_partial(void);
