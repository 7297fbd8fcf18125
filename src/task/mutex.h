/* SPDX-License-Identifier: MIT */
/* mutex.h - what a condition needs of a mutex beyond its public face. */
#pragma once

#include <ravel/sync.h>

/** Lock whatever is cancelled and however long it takes: a condition's waiter has to hold the mutex
 * when it returns, also when it returns an error. */
void rvi_mutex_lock_always(struct rv_mutex *m);

/** Unlock on behalf of `caller`, the function that a misuse is reported under. */
void rvi_mutex_unlock_for(struct rv_mutex *m, const char *caller);
