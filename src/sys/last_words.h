/* SPDX-License-Identifier: MIT */
/* last_words.h - a line that a thread leaves behind when the process dies by its doing. */
#pragma once

#include <signal.h>

/* From now on, when the calling thread aborts (a panic, an assertion), faults, calls exit() or is
 * stopped by a sanitizer, write `line`, newline included, to standard error first. One line a
 * thread at a time.
 *
 * Errors: others from sigaction(2)
 * Lifetime: line until rvi_last_words_forget() */
int rvi_last_words_set(const char *line) __attribute__((warn_unused_result));

/* The thread has got through. */
void rvi_last_words_forget(void);

/* What is called as well when a thread's doing kills the process: by a signal handler or a
 * sanitizer, so it does what those may. Not by exit(). */
typedef void rvi_last_words_fn(void);

/* Call fn from now on. There is one; it stays.
 *
 * Errors: others from sigaction(2) */
int rvi_last_words_also(rvi_last_words_fn *fn) __attribute__((warn_unused_result));

/* What is called before all of that by a signal handler, with what the handler was given. */
typedef void rvi_death_fn(int signal, const siginfo_t *info, const void *ucontext);

/* Call fn from now on. There is one; it stays.
 *
 * Errors: others from sigaction(2) */
int rvi_last_words_report(rvi_death_fn *fn) __attribute__((warn_unused_result));
