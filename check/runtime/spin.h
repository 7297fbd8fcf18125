/* SPDX-License-Identifier: MIT */
/* spin.h - who gets no further by himself. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct ck_thread;

/** At each point of a thread, whose candidate says what it is about to do: by numbers that are the
 * same in every process, as decisions depend on it. */
void ck_spin_point(struct ck_thread *thread);

/** It says so itself. */
void ck_spin_yield(struct ck_thread *thread);

/** It offers its turn: sched_yield(). */
void ck_spin_offer(struct ck_thread *thread);

/** 0, or when it was last seen to get no further: see struct rvi_candidate. */
uint64_t ck_spin_since(const struct ck_thread *thread);

/** Points since anybody last did something new. */
uint64_t ck_spin_quiet(void);

/** The same, where having had a lock does not count as something new. */
uint64_t ck_spin_rut(void);

/** It has had a lock. Where plain accesses are not seen that may have changed anything. */
void ck_spin_worked(void);

/** A deadline was come to: whoever looks again may find something else. */
void ck_spin_time_passed(void);

/** Somebody gets further by other means: a deadline has passed. */
void ck_spin_reset(void);
