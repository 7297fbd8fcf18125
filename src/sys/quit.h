/* SPDX-License-Identifier: MIT */
/* quit.h - call a function, on a thread of its own, whenever SIGQUIT comes. */
#pragma once

#include <stdbool.h>

/** Somebody wants it: the first starts the thread and takes the signal over, if the program has
 * left it at its default. Where no thread can be had, or the signal is the program's, nothing
 * changes. `fn` is the same for all. Returns whether rvi_quit_close() is to be called. */
bool rvi_quit_open(void (*fn)(void));

/** The last one gives the signal back as it was and ends the thread. */
void rvi_quit_close(void);
