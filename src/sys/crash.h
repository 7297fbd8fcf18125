/* SPDX-License-Identifier: MIT */
/* crash.h - a worker process that dies by a thread's doing says on its standard error what it was
 * doing, what has killed it, and where. */
#pragma once

/** From now on write a line when a deadly signal comes (but SIGKILL), or exit() is called within a
 * job; then die as before. The calling thread can also use up its stack. Once a process.
 *
 * @return a descriptor that is readable when a thread has crashed and wants rvi_crash_tell(), for
 *         which it waits a moment
 * Errors: -EMFILE, -ENOMEM; others of sigaction(2) */
int rvi_crash_watch(void) __attribute__((warn_unused_result));

/** What the process is doing from now on; NULL: nothing of the program's. Any thread, one at a
 * time.
 * Lifetime: name until the next call */
void rvi_crash_set_job(const char *name);

/** There is a thread from now on that watches the descriptor and calls rvi_crash_tell(). Once. */
void rvi_crash_has_teller(void);

/** Write the backtrace of the thread that has crashed; by another one. */
void rvi_crash_tell(void);
