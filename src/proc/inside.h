/* SPDX-License-Identifier: MIT */
/* inside.h - what the two sides of this room say to each other, and what its files share. */
#pragma once

#include "proc/identity.h"
#include "proc/proc.h"

/** The first message to a worker; the role's hello follows it. What comes before `identity` never
 * changes, so that builds of any age can tell each other. */
struct rvi_first {
    uint64_t magic;
    struct rvi_identity identity;
    pid_t parent;
    uint32_t confinement; /* enum rv_confinement */
    char role[RVI_ROLE_BYTES];
};

/** The first message from a worker. */
struct rvi_answer {
    uint64_t magic;
    int32_t error; /* 0 or -errno */
    char text[RVI_REFUSAL_BYTES];
};

#define RVI_FIRST_MAGIC 0x306c657661726576u
#define RVI_ANSWER_MAGIC 0x316c657661726576u

/** Be a worker: read the first message, answer it, play the role. `life` goes with the process.
 *
 * @return the exit status */
int rvi_proc_be(int control, int life);

/** NULL: there is none. */
const struct rvi_role *rvi_role_find(const char *name);
