/* SPDX-License-Identifier: MIT */
/* fault.h - say plainly that a task's stack overflowed, instead of a bare "Segmentation fault". */
#pragma once

#include <stddef.h>

#include "sys/stack.h"

/* Write the words that name the task which runs on the stack ("task 'parse' spawned at main.c:12")
 * into buf, at most n bytes, no terminator needed, and return how many. Runs in a signal handler:
 * no locks, no allocation, no stdio. */
typedef int rvi_fault_describe(const struct rvi_stack *stack, char *buf, size_t n);

/* Watch the guards of a pool. The first call puts the SIGSEGV and SIGBUS handlers in place, the
 * last uninstall puts back what was there. Up to 16 pools at once. describe may be NULL.
 * Errors: -ENOSPC too many pools; others from sigaction(2). */
int rvi_fault_install(struct rvi_stack_pool *pool, rvi_fault_describe *describe)
    __attribute__((warn_unused_result));

/* Before the pool is closed. */
void rvi_fault_uninstall(struct rvi_stack_pool *pool);

/* A worker's alternate signal stack, without which a handler cannot run once the stack is used up.
 * One that the thread has already (AddressSanitizer sets one) is kept. */
struct rvi_fault_thread {
    void *mapping; /* NULL when the thread had its own */
    size_t mapping_bytes;
};
int rvi_fault_thread_enter(struct rvi_fault_thread *thread) __attribute__((warn_unused_result));
void rvi_fault_thread_leave(struct rvi_fault_thread *thread);
