/* SPDX-License-Identifier: MIT */
/* estimate.h - how many ways of running were seen, and how many were not. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct ck_estimate_entry {
    uint64_t hash;
    uint32_t times; /* 0: free */
};

/* All zeros is empty. */
struct ck_estimate {
    struct ck_estimate_entry *entries;
    size_t room; /* a power of two */
    uint64_t runs, distinct;
    uint64_t once, twice; /* seen so many times */
};

/** An execution's hash.
 *
 * @return 1 it is new, 0 it was seen before
 * Errors: -ENOMEM it is not counted */
int ck_estimate_add(struct ck_estimate *estimate, uint64_t hash)
    __attribute__((warn_unused_result));

/** How probable it is that the next execution shows something new, 0 to 1. */
double ck_estimate_next_is_new(const struct ck_estimate *estimate);

/** How many there are at least that were never seen. */
double ck_estimate_unseen(const struct ck_estimate *estimate);

/** For the progress line: "812 distinct, about 340 or more unseen". Ends with a NUL. */
void ck_estimate_words(const struct ck_estimate *estimate, char *to, size_t room);

void ck_estimate_fini(struct ck_estimate *estimate);
