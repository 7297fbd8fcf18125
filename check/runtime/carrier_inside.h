/* SPDX-License-Identifier: MIT */
/* carrier_inside.h - what the two ways of carrying share. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "check/runtime/carrier.h"

struct ck_carrier {
    uintptr_t thread_pointer; /* 0: its thread-control block has not been made */
    pthread_t handle;
    void *context; /* fibers: where it goes on */
    uintptr_t stack_low, stack_high, guard_low;
    void (*body)(void *);
    void *arg;
    uint32_t turn; /* baton: a futex: 1, it may go on */
    bool has_begun;
    bool has_stack; /* of the usual size, or the main thread's */

    /* A request to unwind itself; wanted is 0 otherwise. */
    unsigned wanted, found;
    uintptr_t *frames;
    struct ck_carrier *asked_by;
};

/* carrier_fiber.c */
void ck_fiber_prepare(struct ck_carrier *carrier);
void ck_fiber_switch(struct ck_carrier *from, struct ck_carrier *to);
_Noreturn void ck_fiber_begin(struct ck_carrier *main);

/* carrier_baton.c */
void ck_baton_switch(struct ck_carrier *from, struct ck_carrier *to);

/** The kernel thread's. */
uintptr_t ck_thread_pointer(void);
void ck_thread_pointer_set(uintptr_t value);

/** Entry of a context of either way: calls the carrier's body. */
_Noreturn void ck_carrier_enter(void *carrier);

/** The carrier goes on: does what it was asked for first. */
void ck_carrier_resumed(struct ck_carrier *self);
