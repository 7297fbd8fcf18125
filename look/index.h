/* SPDX-License-Identifier: MIT */
/* index.h - from an address of the target's to the number of what we know of it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { LOOK_NONE = -1 };

/** Zeroed memory is an empty one. */
struct look_index {
    struct look_index_place {
        uint64_t address; /* 0: free */
        int64_t number;
    } * places;
    size_t count, size; /* a power of two, or 0 */
};

/** Remember `number` for an address, which is not 0. Errors: -ENOMEM. */
int look_index_put(struct look_index *index, uint64_t address, int64_t number)
    __attribute__((warn_unused_result));

/** The number that was put for it last, or LOOK_NONE. */
int64_t look_index_get(const struct look_index *index, uint64_t address);

void look_index_fini(struct look_index *index);
