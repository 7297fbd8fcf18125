/* SPDX-License-Identifier: MIT */
/* watch.h - whether a thread waits by reading plain memory again and again. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/** From now on the current thread's accesses are shown to ck_watch(). */
void ck_watch_open(void);

/** It touches these bytes, up to 8 that can be read.
 * @param ret_spins  it has come round without anything new
 * @return whether to go on watching */
bool ck_watch(uintptr_t address, unsigned bytes, bool is_write, uintptr_t pc, bool *ret_spins);
