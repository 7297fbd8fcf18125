/* SPDX-License-Identifier: MIT */
/* carrier.h - what carries a thread of the program: its own stack and thread-control block, and who
 * has the turn.
 *
 * Two ways, chosen once an execution:
 * - fibers (carrier_fiber.c): all bodies run on the one kernel thread of the execution. Each has
 *   the stack and the thread-control block of a real thread that was made before and parks at once,
 *   so errno, thread-locals, pthread_self() and stdio's locks are right. A switch exchanges
 *   registers and the thread pointer.
 * - the baton (carrier_baton.c): a kernel thread each, of which one goes on. For debuggers, and for
 *   processors that do not let a program set its thread pointer. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ck_carrier;

/** In the server, before a fork: threads in reserve, so that executions need not make them. May be
 * called again for more. */
void ck_carriers_prepare(unsigned count);

/** In an execution: its main thread is on the way. Calls `body(arg)` on the main thread's carrier;
 * body never returns. */
_Noreturn void ck_carriers_begin(bool by_baton, void (*body)(void *), void *arg);

/** The carrier of the main thread. */
struct ck_carrier *ck_carrier_main(void);

/** One that will call `body(arg)` when it is first switched to; body never returns. NULL: none can
 * be had (errno).
 * @param stack_low  the program's own stack, of stack_bytes; 0: one is made, at least as large */
struct ck_carrier *ck_carrier_new(void (*body)(void *), void *arg, uintptr_t stack_low,
                                  size_t stack_bytes);

/** Give the turn; returns when somebody gives it back. */
void ck_carrier_switch(struct ck_carrier *from, struct ck_carrier *to);

/** What pthread_self() says there: a pthread_t. */
uintptr_t ck_carrier_handle(const struct ck_carrier *carrier);

/** Its stack, [low, high). */
void ck_carrier_stack(const struct ck_carrier *carrier, uintptr_t *low, uintptr_t *high);

/** Frames of one that does not run; innermost first. */
unsigned ck_carrier_backtrace(struct ck_carrier *carrier, uintptr_t *ret, unsigned most);

/** Whether the address is in the guard below its stack. */
bool ck_carrier_is_overflow(const struct ck_carrier *carrier, uintptr_t address);

/** Libc is making a thread-control block: what it allocates is the runtime's. */
extern bool ck_carrier_is_being_made;
