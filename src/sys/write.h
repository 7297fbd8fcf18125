/* SPDX-License-Identifier: MIT */
/* write.h - write all of it. */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** Write some bytes, at least one of them, waiting until the other side takes any, even where fd
 * does not block. Returns how many, or write(2)'s -errno but -EAGAIN and -EINTR. */
ssize_t rvi_write_some(int fd, const char *bytes, size_t count) __attribute__((warn_unused_result));

/** Write so many bytes, waiting as long as the other side takes, even where fd does not block.
 * Returns 0, or write(2)'s -errno. */
int rvi_write_all(int fd, const char *bytes, size_t count) __attribute__((warn_unused_result));

/** Between these two a pipe or socket that is broken raises no signal in the calling thread. A
 * signal that was pending before stays so. */
struct rvi_quiet {
    sigset_t mask;
    bool was_pending;
};
void rvi_quiet_begin(struct rvi_quiet *quiet);
void rvi_quiet_end(const struct rvi_quiet *quiet, bool is_broken);

/** The same without SIGPIPE. */
int rvi_write_all_quietly(int fd, const char *bytes, size_t count)
    __attribute__((warn_unused_result));
