/* SPDX-License-Identifier: MIT */
/* learn.h - which places in code touch memory that threads share, learned in one execution and used
 * in others. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Of the plan's locations. Both are NULL and 0 when it has none. */
extern const uintptr_t *ck_learned_places __attribute__((visibility("hidden")));
extern unsigned ck_learned_shift __attribute__((visibility("hidden")));

/** In an execution: take in the plan's locations. */
void ck_learn_begin(void);

/** The current thread touches these bytes, which are of one granule (a bit each): if others have
 * touched them and a schedule could turn that round, both places are written to the result. */
void ck_learn_touch(uintptr_t granule, unsigned bytes, bool is_write, uintptr_t pc);

static inline uint64_t ck_learn_hash(uintptr_t pc)
{
    return pc * UINT64_C(0x9e3779b97f4a7c15);
}

/** Whether the plan wants a point at this place. There are some. At most a few probes: three
 * quarters of the table are empty. */
static inline bool ck_learned(uintptr_t pc)
{
    size_t i = ck_learn_hash(pc) >> ck_learned_shift;
    size_t last = (SIZE_MAX >> ck_learned_shift);

    for (; ck_learned_places[i]; i = (i + 1) & last) {
        if (ck_learned_places[i] == pc)
            return true;
    }
    return false;
}
