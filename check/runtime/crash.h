/* SPDX-License-Identifier: MIT */
/* crash.h - signals that mean a bug. */
#pragma once

/** In the server: handlers, on a stack of their own. Executions inherit them. */
void ck_crash_prepare(void);

/** A stack for the handlers of this kernel thread. */
void ck_crash_stack_begin(void);

/** The signal by which the watchdog asks where an execution hangs. */
enum { CK_SIGNAL_STUCK = 16 /* SIGSTKFLT, which nobody uses */ };
