/* SPDX-License-Identifier: MIT */
/* thread.h - threads that belong to the runtime, and two facts about the process. */
#pragma once

#include <pthread.h>
#include <stddef.h>

/* Start a thread with every asynchronous signal blocked, so that signals meant for the program go
 * to the program's own threads; the synchronous ones (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP,
 * SIGSYS, SIGABRT) stay open, and so does SIGPROF for profilers. name is cut to 15 bytes (the
 * kernel's limit); NULL inherits the starter's. Returns 0, or -EAGAIN or -ENOMEM and no thread. */
int rvi_thread_start(pthread_t *ret, const char *name, void *(*fn)(void *), void *arg);

/* Set how late the kernel may fire the calling thread's timers (its default is 50 us), and return
 * the old value, -errno where it cannot be set. 0 goes back to the thread's default. */
long rvi_timer_slack_set(unsigned long slack_ns);

/* Wait until a thread that rvi_thread_start() has started is over. Once each. */
void rvi_thread_join(pthread_t thread);

/* The kernel's number of the calling thread. */
int rvi_thread_id(void);

size_t rvi_page_bytes(void);

/* Let another thread have the core. */
void rvi_thread_yield(void);
