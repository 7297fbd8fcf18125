/* SPDX-License-Identifier: MIT */
/* processes_opts.h - options of worker processes that outlive the call that was given them. */
#pragma once

#include <ravel/process.h>

/** Copy options with all that they point to, defaults filled in.
 *
 * @param ret       points into `ret_memory`
 * @param ret_memory for rvi_process_opts_drop
 * @param from      the caller's; NULL: the defaults
 * @return 0
 * Errors:  -E2BIG unknown fields; -EINVAL negative times; -ENOMEM */
int rvi_process_opts_take(struct rv_process_opts *ret, void **ret_memory,
                          const struct rv_process_opts *from) __attribute__((warn_unused_result));

/** Give the copy back; NULL is nothing. */
void rvi_process_opts_drop(void *memory);
