/* SPDX-License-Identifier: MIT */
/* target.h - from a request's target to the name of a file. */
#pragma once

#include <stddef.h>

/* Write the path that a target names, below the root: decoded, without a query, without "." and
 * "..", with no slash in front, ending in a slash if the target does; "" is the root itself. `path`
 * has room for len + 1 bytes. 0, or the status to refuse the target with. */
int target_path(char *path, const char *target, size_t len);
