/* SPDX-License-Identifier: MIT */
/* toy.h - programs of some lines, and a runtime for them that keeps to wire.h: what explorer and
 * minimiser are tried on where there is no real one.
 *
 * A program is a list of bodies; the first is main's. A body is a list of ops, ended by T_END.
 * Threads have registers 0 to 3, registers begin at 0; variables begin at 0. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check/wire.h"

enum toy_kind {
    T_END,
    /* Points. */
    T_READ,  /* a = var b */
    T_WRITE, /* var b = a */
    T_STORE, /* var b = the number a */
    T_CAS,   /* if var b is a: it becomes c, a = 1; otherwise a = 0. a, c: registers */
    T_LOCK,  /* mutex b */
    T_UNLOCK,
    T_WAIT,   /* on condition b, mutex a */
    T_SIGNAL, /* condition b */
    T_CREATE, /* a thread with body b */
    T_JOIN,   /* thread b, in order of creation; main is 0 */
    T_NOISE,  /* an access to var b of no consequence */
    /* No points. */
    T_SET,    /* a = the number b */
    T_ADD,    /* a += the number b */
    T_PLUS,   /* a += register b */
    T_IF,     /* if a is not the number b, skip c ops */
    T_LESS,   /* if a is not less than the number b, skip c ops */
    T_GO,     /* c ops on, or back */
    T_ASSERT, /* a is the number b */
    T_SAME,   /* a is register b, or fail */
};

struct toy_op {
    enum toy_kind kind;
    int a, b, c;
};

struct toy {
    const char *name;
    const struct toy_op *bodies[8];
};

/** Those with a bug, ended by one without a name. */
extern const struct toy toy_bugs[];

/** A correct one with two threads, and one with a single thread. */
extern const struct toy toy_correct, toy_alone;

/** Run the plan that is in the mapping, as the runtime does. */
void toy_run(const struct toy *toy, struct ck_shared *shared);

/** A mapping of zeros; never freed by itself. */
struct ck_shared *toy_shared_new(void);
void toy_shared_free(struct ck_shared *shared);
