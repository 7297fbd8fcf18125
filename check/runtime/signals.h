/* SPDX-License-Identifier: MIT */
/* signals.h - signals that threads of the program send each other. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct ck_thread;

/** Some thread has a signal pending: asked at each point, so that ck_signals_deliver is called. */
extern bool ck_signals_pending;

/** Run the handlers of what is pending for the current thread and not blocked by it. From a point,
 * or from ck_block when it was woken. */
void ck_signals_deliver(void);

/** A thread begins: it blocks what its creator blocks. */
void ck_signals_begin(const struct ck_thread *child, const struct ck_thread *creator);

/** How many handlers the current thread has run: a call that may be interrupted compares. */
uint64_t ck_signals_handled(void);

/** Those among them that were not to restart what they interrupt. */
uint64_t ck_signals_interrupted(void);

/** A signal for the process, of the kernel's own making. False: no thread lets it in. */
bool ck_signals_send(int sig);

/** Whether the program has a handler for it. */
bool ck_signals_are_handled(int sig);

/** Whether a thread waits for signals in sigwait(3) or its like; and whether one of these has come
 * from outside (its thread is woken then). */
bool ck_signals_are_awaited(void);
bool ck_signals_look(void);
