/* SPDX-License-Identifier: MIT */
/* futex.h - wait on a word of memory until somebody says that it changed. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

/* Sleep while *word == expected. deadline_ns is absolute on rvi_clock_now()'s clock, INT64_MAX for
 * never. Returns 0 when woken (perhaps for nothing: check the word again), -EAGAIN when the word
 * already differed, -EINTR after a signal handler, -ETIME at the deadline. */
int rvi_futex_wait(_Atomic(uint32_t) *word, uint32_t expected, int64_t deadline_ns);

/* Wake up to count sleepers on the word. Touches no memory, so the word may already be freed. */
void rvi_futex_wake(_Atomic(uint32_t) *word, int count);

/* The same on a word that other processes map as well: by where it lies in what is mapped, which
 * takes the kernel longer to find than an address of this process. */
int rvi_futex_wait_shared(_Atomic(uint32_t) *word, uint32_t expected, int64_t deadline_ns);
void rvi_futex_wake_shared(_Atomic(uint32_t) *word, int count);
