/* SPDX-License-Identifier: MIT */
/* spawn.h - a new process that runs another program, and its end. Above it is io/child.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <ravel/child.h>

/** A descriptor that the child gets. */
struct rvi_spawn_fd {
    int source; /* ours, or one of those below */
    int target; /* its number in the child, each once */
};

#define RVI_SPAWN_NULL (-1)  /* /dev/null */
#define RVI_SPAWN_AS_IS (-2) /* of 0, 1 and 2: what a plain execve passes on, if anything */

/** What is started: all of it made before, as the child may not even allocate. */
struct rvi_spawn {
    const char *const *argv;
    const char *const *paths; /* where the program may lie, tried in this order; ended by NULL */
    const char *const *env;
    const struct rvi_spawn_fd *fds; /* one for each of 0, 1 and 2 at least */
    size_t fd_count;
    const struct rv_child_opts *opts; /* the rest: group, limits, identity ... */
};

/** Start it. The calling thread is held until the program runs or it is known that it will not.
 *
 * @param ret_pid    the process
 * @param ret_pidfd  a descriptor for it
 * @param ret_step   what was being done when it failed
 * @return 0
 * Errors: as rv_child_start(); nothing is left then */
int rvi_spawn(const struct rvi_spawn *what, pid_t *ret_pid, int *ret_pidfd,
              enum rv_child_step *ret_step) __attribute__((warn_unused_result));

/** Take the end of a process.
 *
 * @param keeps  it stays a zombie, so that its number remains its own
 * @param waits  for it, however long it takes this thread
 * @return 0
 * Errors: -EAGAIN it has not ended; -ECHILD somebody else has taken it */
int rvi_spawn_end(int pidfd, bool keeps, bool waits, struct rv_child_status *ret);

/** Send a signal to a process. Errors: -ESRCH, -EPERM, -EINVAL. */
int rvi_spawn_kill(int pidfd, int signal);

/** Send a signal to a process group whose leader has not been given up. */
int rvi_spawn_kill_group(pid_t leader, int signal);
