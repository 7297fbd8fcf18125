/* SPDX-License-Identifier: MIT */
/* identity.h - which build this process runs: of the program, and of this library.
 *
 * Parent and worker must be of one build, as jobs travel as bytes: one that understands a structure
 * otherwise would give wrong results, not errors. A linker's build-id stands for a module; one that
 * has none is known by its code and constants, as they lie in memory. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct rvi_identity {
    uint64_t program[2];
    uint64_t ravel[2]; /* the program's again, if it contains this library */
};

/** This process's. Blocks: where there is no build-id the module's pages are read, once. */
void rvi_identity_own(struct rvi_identity *ret);

bool rvi_identity_is_same(const struct rvi_identity *a, const struct rvi_identity *b);

enum { RVI_BUILD_BYTES = 33 };

/** This process's in 32 hex digits, for those who only have to tell builds apart. */
void rvi_identity_build(char ret[static RVI_BUILD_BYTES]);

/** Testing: let this process say that it is of another build from now on; and again of its own. */
void rvi_identity_forge(bool forges);
