/* SPDX-License-Identifier: MIT */
/* objects.h - from the address of a primitive in the program to its model: open addressing, in the
 * arena. An object is made at its first use, from what its memory says (static initialisers). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ck_object_kind {
    CK_MUTEX,
    CK_COND,
    CK_RWLOCK,
    CK_SEM,
    CK_BARRIER,
    CK_SPIN,
    CK_ONCE,
    CK_ATOMIC,
    CK_FUTEX,
    CK_KEY,
    CK_STREAM,  /* stdio's: stdio.c */
    CK_ORDERED, /* any kind of lock: order.c */
    CK_OBJECT_KINDS,
};

/** The model at this address, `bytes` of zeros if it is the first use (*is_new then). */
void *ck_object(enum ck_object_kind kind, const void *address, size_t bytes, bool *is_new);

/** NULL: not seen yet. */
void *ck_object_find(enum ck_object_kind kind, const void *address);

/** It is destroyed, or its memory is freed. */
void ck_object_forget(enum ck_object_kind kind, const void *address);

/** Call for each of a kind, in order of their first use. */
void ck_object_each(enum ck_object_kind kind,
                    void (*call)(const void *address, void *model, void *arg), void *arg);
