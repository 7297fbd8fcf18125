/* SPDX-License-Identifier: MIT */
/* minimise.h - from a schedule that fails, the few deviations from "run until blocked" that it
 * needs. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "check/wire.h"

struct ck_minimise_opts {
    /* Run a program with these switches, those that cannot be made left out (CK_FOLLOW without
     * CK_MUST_FOLLOW): does it fail in the same way? Then *ret_taken are those it made, valid until
     * the next call. */
    bool (*fails)(void *arg, const struct ck_switch *switches, size_t count,
                  const struct ck_switch **ret_taken, size_t *ret_count);
    /* Whether it has taken long enough. NULL: never. */
    bool (*is_over)(void *arg);
    void *arg;
};

/** Whether `a` is the same failure as `b` for the user: its kind, and the innermost known place of
 * each party; of those who wait for ever there may be fewer. */
bool ck_minimise_is_same(const struct ck_report *a, const struct ck_report *b);

/** Reduce, in place.
 *
 * @param count        known to fail
 * @param ret_is_done  false: it was over before each switch was known to be needed
 * @return how many are left
 * Errors: -ENOMEM nothing has changed */
long ck_minimise(struct ck_switch *switches, size_t count, const struct ck_minimise_opts *opts,
                 bool *ret_is_done) __attribute__((warn_unused_result));
