/* SPDX-License-Identifier: MIT */
/* fd.h - making, closing and asking about descriptors. */
#pragma once

#include <stdbool.h>

/** Close it. It is gone whatever the result. Errors: -errno of close(2), but for -EINTR. */
int rvi_fd_close(int fd);

/** A pipe: what is written to ret[1] is read from ret[0]. O_CLOEXEC is added to the flags.
 * Errors: -EMFILE, -ENFILE. */
int rvi_fd_pipe(int ret[2], int flags) __attribute__((warn_unused_result));

/** Set O_NONBLOCK, where the description is ours alone. */
int rvi_fd_unblock(int fd) __attribute__((warn_unused_result));

/** Another descriptor of the same description, closed at execve. Errors: -EBADF, -EMFILE. */
int rvi_fd_copy(int fd) __attribute__((warn_unused_result));
/** Let it be closed by execve. */
void rvi_fd_close_on_exec(int fd);

/** An eventfd that does not block. Errors: -EMFILE, -ENFILE, -ENOMEM. */
int rvi_fd_event(void) __attribute__((warn_unused_result));

/** Signal an eventfd: it can be read from then on. Any thread. */
void rvi_fd_event_signal(int fd);

/** Take its signals away. */
void rvi_fd_event_clear(int fd);

/** 1 if its description has O_NONBLOCK, 0 if not. Errors: -EBADF. */
int rvi_fd_is_nonblocking(int fd);

/** Whether it is a TCP socket. */
bool rvi_fd_is_tcp(int fd);
