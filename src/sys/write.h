/* SPDX-License-Identifier: MIT */
/* write.h - write all of it. */
#pragma once

#include <stddef.h>

/** Write so many bytes, waiting as long as the other side takes, even where fd does not block.
 * Returns 0, or write(2)'s -errno. */
int rvi_write_all(int fd, const char *bytes, size_t count) __attribute__((warn_unused_result));
