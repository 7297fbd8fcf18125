/* SPDX-License-Identifier: MIT */
/* inspect.h - seeing inside a program that runs, or is stuck.
 *
 * SIGQUIT (ctrl-\ on a terminal) does the same as rv_dump(STDERR_FILENO), and the program goes on:
 * whenever a runtime runs and the program has left that signal at its default. */
#pragma once

#include <ravel/def.h>

RV_BEGIN_DECLS

/** Write what all tasks of all runtimes of this process are doing: as a tree of scopes, each task
 * with its state, what it waits for, since when and where, and its backtrace. Tasks of one scope
 * that wait alike are one entry with their number.
 *
 * The workers are held still while this looks, a second at most, and go on before anything is
 * written. A worker that a task does not let go is not waited for: then that task is named, with
 * where it is just now, and what hangs from that worker is left out.
 *
 * @param fd  where to; a text in lines
 * @return 0
 * Errors:  -ENOMEM; -EAGAIN a task called and no helper thread could be started; -ENOTSUP in a
 *          simulation; others from write(2)
 * Blocks:  the task, or the calling thread, until all is written; cancellation does not end it
 * Threads: any task, plain threads; not signal handlers
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_dump(int fd);

RV_END_DECLS
