/* SPDX-License-Identifier: MIT */
/* confine.h - give up, for good, what a process will not need: all its threads, and all that it
 * starts. Nothing gets privileges by execve any more (no_new_privs). */
#pragma once

/** From now on memory, threads, time and what is open; everything else fails with EPERM. Calls of
 * another CPU's table kill.
 *
 * Errors: -EOPNOTSUPP no filters here (seccomp): the kernel has none, or is not to be asked;
 *         -ENOMEM */
int rvi_confine_to_computing(void) __attribute__((warn_unused_result));

/** From now on files are read; they are not written, made, removed, executed; no TCP connection is
 * made or awaited (Linux 6.7); no signal is sent to others (6.12). What is open stays as it is.
 *
 * Errors: -EOPNOTSUPP no Landlock here (5.13), or there are threads already that it would leave out
 *         (a kernel older than 7.0); -ENOMEM */
int rvi_confine_to_reading(void) __attribute__((warn_unused_result));
