/* SPDX-License-Identifier: MIT */
/* quit.h - call a function, on a thread of its own, whenever SIGQUIT or SIGINT comes. */
#pragma once

#include <stdbool.h>

/** Somebody wants it: the first takes the signal over, if the program has left it at its default,
 * and starts the thread if the other one has not. Where no thread can be had, or the signal is the
 * program's, nothing changes. The second SIGINT since then ends the program.
 *
 * @param number  SIGQUIT or SIGINT
 * @param fn      the same for all who ask for this signal; it may still be called once when all
 *                have closed
 * @return whether rvi_quit_close() is to be called */
bool rvi_quit_open(int number, void (*fn)(void));

/** The last one gives the signal back as it was, and ends the thread if nobody needs it. */
void rvi_quit_close(int number);
