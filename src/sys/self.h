/* SPDX-License-Identifier: MIT */
/* self.h - this process: the file that it runs, whether that has privileges, whose life it
 * shares. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/** Before main: note what has to be known later. */
void rvi_self_note(void);

/** What execve wants, in a child that shares our memory or is a copy of us, to run this executable
 * again: wherever the program has been started from and has gone, and whatever has become of the
 * file's name since.
 *
 * @return static */
const char *rvi_self_executable(void);

/** Whether the kernel has raised privileges when the program was started (set-user-id and so on),
 * so that its environment is not to be trusted. */
bool rvi_self_is_privileged(void);

/** Share the life of whoever holds the other end of a pipe: when all of those have gone, the kernel
 * kills the calling process's group, which it leads, stopped or not.
 *
 * @param fd  our end, for reading, a description of its own; it is to stay open
 * Errors: -EPIPE they have gone; others from fcntl(2) */
int rvi_self_share_life(int fd) __attribute__((warn_unused_result));

/** A descriptor that is readable once our parent has ended.
 *
 * @param parent  who it is to be
 * Errors: -ESRCH it has ended; -ENOSYS before 5.3; -EPERM filters; -EMFILE */
int rvi_self_watch_parent(pid_t parent) __attribute__((warn_unused_result));

/** Kill the calling process and its group. */
__attribute__((noreturn)) void rvi_self_kill_group(void);

/** Give the calling thread a name, of which 15 bytes are kept: that of the first one is the
 * process's. */
void rvi_self_set_name(const char *name);

/** Whether a descriptor is a Unix socket of whole messages. */
bool rvi_self_is_control(int fd);
