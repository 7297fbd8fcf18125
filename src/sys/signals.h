/* SPDX-License-Identifier: MIT */
/* signals.h - signals from handlers to readers of pipes. Above it is io/signal.c. */
#pragma once

#include <signal.h>

#include <ravel/signal.h>

/** Let a handler write each signal of a set, a struct rv_signal_info, into a pipe.
 *
 * @param ret_fd  where to read them from; the caller's
 * @return the subscription
 * Errors: as rv_signals_open() */
int rvi_signals_subscribe(const sigset_t *set, int *ret_fd) __attribute__((warn_unused_result));

/** One was read: a further one will be written. Returns how many have not been, since the last
 * time. */
unsigned rvi_signals_took(int subscription, int signal);

/** No handler writes when this returns. */
void rvi_signals_unsubscribe(int subscription);
