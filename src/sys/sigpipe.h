/* SPDX-License-Identifier: MIT */
/* sigpipe.h - writing where nobody reads is an error to the caller, not the end of the program. */
#pragma once

#include <stdbool.h>

struct rvi_sigpipe {
    bool was_open; /* the thread took the signal before */
};

/** Keep SIGPIPE from the calling thread until rvi_sigpipe_release(). */
void rvi_sigpipe_hold(struct rvi_sigpipe *state);

/** On the same thread: forget what has come meanwhile. */
void rvi_sigpipe_release(const struct rvi_sigpipe *state);

/** Call a function that may change what the program does on SIGPIPE, and put it back after. */
void rvi_sigpipe_keep(void (*fn)(void *arg), void *arg);
