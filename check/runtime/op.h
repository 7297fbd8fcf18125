/* SPDX-License-Identifier: MIT */
/* op.h - what a thread is about to do at a scheduling point. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The names in reports are in driver/words.c. Values are part of the wire: append only. */
enum ck_op_kind {
    CK_OP_NONE,
    CK_OP_START, /* a thread's first step */
    CK_OP_END,
    CK_OP_READ,
    CK_OP_WRITE,
    CK_OP_ATOMIC_LOAD,
    CK_OP_ATOMIC_STORE,
    CK_OP_ATOMIC_RMW, /* and compare-exchange */
    CK_OP_FENCE,
    CK_OP_CREATE,
    CK_OP_JOIN,
    CK_OP_DETACH,
    CK_OP_LOCK,
    CK_OP_TRYLOCK,
    CK_OP_UNLOCK,
    CK_OP_WAIT,  /* on a condition variable: its mutex is released */
    CK_OP_WOKEN, /* from it: the mutex is taken again */
    CK_OP_SIGNAL,
    CK_OP_BROADCAST,
    CK_OP_RDLOCK,
    CK_OP_WRLOCK,
    CK_OP_RWUNLOCK,
    CK_OP_SEM_WAIT,
    CK_OP_SEM_POST,
    CK_OP_BARRIER,
    CK_OP_ONCE,
    CK_OP_SPIN_LOCK,
    CK_OP_SPIN_UNLOCK,
    CK_OP_FUTEX_WAIT,
    CK_OP_FUTEX_WAKE,
    CK_OP_SLEEP,
    CK_OP_YIELD,
    CK_OP_CANCEL,
    CK_OP_KILL,
    CK_OP_IO, /* a call that may block, or is seen by another thread: read, write, … */
    CK_OP_ALLOC,
    CK_OP_FREE,
    CK_OP_EXIT, /* of the process */
    CK_OP_DESTROY,
    CK_OP_KINDS,
};

struct ck_op {
    enum ck_op_kind kind;
    bool is_write; /* conflicts with any other on its object; two that are not do not conflict */
    uint32_t bytes;
    uint64_t object; /* address; 0: conflicts with nothing */
    uintptr_t pc;    /* of the call or access in the program */
};
