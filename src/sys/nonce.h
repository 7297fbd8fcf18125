/* SPDX-License-Identifier: MIT */
/* nonce.h - numbers that nobody can guess. For any others there is base/rng.h. */
#pragma once

#include <stdint.h>

/** A number that is not 0.
 *
 * Errors: -ENOSYS, -EPERM a filter keeps it from us */
int rvi_nonce(uint64_t *ret) __attribute__((warn_unused_result));
