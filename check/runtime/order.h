/* SPDX-License-Identifier: MIT */
/* order.h - the order in which threads take locks. */
#pragma once

#include <stdint.h>

enum ck_take {
    CK_TAKE_TRIES = 1, /* would not have waited */
    CK_TAKE_READS = 2, /* shares it with others who read */
};

/** The current thread is about to have the lock: before it acquires what the last holder
 * released. */
void ck_order_take(const void *lock, uintptr_t pc, unsigned flags);

/** It gives it back. */
void ck_order_drop(const void *lock);

/** The lock is gone. */
void ck_order_forget(const void *lock);
