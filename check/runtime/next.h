/* SPDX-License-Identifier: MIT */
/* next.h - the function that an interposed name would have come to: libc's own.
 *
 *     return CK_NEXT(pthread_mutex_lock)(m);
 *
 * Each use has a slot in a section of the library; ck_next_find_all() fills them before the first
 * execution is forked, so that none asks the dynamic linker. A use before that (a static
 * constructor's) finds its own. */
#pragma once

struct ck_next {
    const char *name;
    void *function;
};

/** What the slot's name means behind this library. Ends the process if nobody has it. */
void *ck_next_find(struct ck_next *slot);

/** Once, before the fork. */
void ck_next_find_all(void);

#define CK_NEXT(function_)                                                                         \
    ((__typeof__(&function_))({                                                                    \
        static struct ck_next ck_slot                                                              \
            __attribute__((section("ck_next"), used, aligned(16))) = {#function_, 0};              \
        ck_slot.function ? ck_slot.function : ck_next_find(&ck_slot);                              \
    }))
