/* SPDX-License-Identifier: MIT */
/* replay.h - a failure as a file: all that an execution depends on. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "check/wire.h"

/* A module of the program, and which build of it. */
struct ck_build {
    char path[256];
    char id[48]; /* hexadecimal; of the linker, or else "=" and a hash of the contents */
};

struct ck_replay {
    char *program;     /* its file, an absolute path */
    char **argv;       /* ended by NULL */
    char *folder;      /* it was started in */
    bool is_preloaded; /* found without recompiling */
    uint32_t kind;     /* of the failure: enum ck_kind */
    uint64_t hash;     /* of the execution's order */
    uint64_t steps;
    struct ck_plan plan; /* mode CK_FOLLOW; counts are those below */
    struct ck_switch *switches;
    struct ck_place *locations; /* modules by index into builds */
    struct ck_build *builds;
    uint32_t build_count;
};

/** Fill in everything about an execution that has just ended: the plan, its trace as switches, the
 * modules. Program, argv and folder are the caller's to set by ck_replay_command(), before.
 * Errors: -ENOMEM. */
int ck_replay_take(struct ck_replay *replay, const struct ck_shared *shared)
    __attribute__((warn_unused_result));

/** What is run: copied. Errors: -ENOMEM. */
int ck_replay_command(struct ck_replay *replay, const char *program, const char *const *argv,
                      const char *folder) __attribute__((warn_unused_result));

/** Write the file, whole or not at all. Errors: those of files. */
int ck_replay_write(const struct ck_replay *replay, const char *path)
    __attribute__((warn_unused_result));

/** Read one.
 *
 * @param ret_why  on failure, a sentence
 * Errors: those of files; -EINVAL it is none, or not whole; -ENOMEM */
int ck_replay_read(struct ck_replay *replay, const char *path, struct rvi_text *ret_why)
    __attribute__((warn_unused_result));

/** Put it into a mapping whose program is loaded: plan, switches, locations as they are there.
 * Errors: -EINVAL the program, or a library of it, is another build: which, is in *ret_why. */
int ck_replay_load(const struct ck_replay *replay, struct ck_shared *shared,
                   struct rvi_text *ret_why) __attribute__((warn_unused_result));

/** An empty one is all zeros. */
void ck_replay_fini(struct ck_replay *replay);
