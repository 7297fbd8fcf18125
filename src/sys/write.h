/* SPDX-License-Identifier: MIT */
/* write.h - write all of it. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/** Write some bytes, at least one of them, waiting until the other side takes any, even where fd
 * does not block. Returns how many, or write(2)'s -errno but -EAGAIN and -EINTR. */
ssize_t rvi_write_some(int fd, const char *bytes, size_t count) __attribute__((warn_unused_result));

/** Write so many bytes, waiting as long as the other side takes, even where fd does not block.
 * Returns 0, or write(2)'s -errno. */
int rvi_write_all(int fd, const char *bytes, size_t count) __attribute__((warn_unused_result));

/** The same without SIGPIPE. */
int rvi_write_all_quietly(int fd, const char *bytes, size_t count)
    __attribute__((warn_unused_result));
