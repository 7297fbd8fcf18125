/* SPDX-License-Identifier: MIT */
/* task.h - what a running task may ask for itself. */
#pragma once

#include <ravel/def.h>
#include <ravel/time.h>

RV_BEGIN_DECLS

/** Let the other tasks that are ready on this worker run first.
 *
 * Long loops that never block should call it now and then.
 *
 * Errors:  none; a cancelled task comes back as well
 * Blocks:  the task, until its turn comes again; a plain thread gives its core away (sched_yield)
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: nothing is held */
RV_API void rv_yield(void);

/** Whether the caller has been asked to stop. A task that only computes may ask now and then:
 * deadlines and messages that are due are looked at first.
 *
 * @return 0, or the -errno why: of the innermost cancelled scope, or of the job that an executor's
 *         thread is running. A shield hides it until the shield's time is over.
 * Errors:  none
 * Blocks:  no
 * Threads: any task, any job; plain threads are never cancelled
 * Lifetime: nothing is held */
RV_API int rv_cancelled(void);

/** Hide cancellation from the calling task for cleanup that must block.
 *
 * A shield hides that the scopes are cancelled in which the task is when it begins: those that it
 * has opened, and the one that it was started in. It hides nothing of a scope opened inside it: the
 * owner sees as ever that such a scope's deadline has passed, that a task in it has failed, that it
 * was cancelled by name. What the shield hides is kept from the scopes inside as well, and so from
 * their tasks. Once its time is over, or it is ended, it hides nothing any more, from scopes inside
 * that are still open neither.
 *
 * Shields nest. Each hides what it hides until its own end, so a nearer one inside does not end the
 * outer; but one inside cannot outlast the outer.
 *
 * @param until  absolute time at which cancellation shows again; RV_NEVER is refused: a shield is
 *               bounded so that nobody can make a scope hang
 * @return 0
 * Errors:  -EPERM the caller is no task; -EINVAL until is RV_NEVER; -EOVERFLOW nested more than 255
 *          deep
 * Blocks:  no
 * Threads: any task
 * Lifetime: until rv_shield_end, in the same task */
RV_API RV_NODISCARD int rv_shield_begin(rv_time until);

/** End the innermost shield. Ending one that was not begun is a misuse that stops the program.
 *
 * Errors:  none
 * Blocks:  no
 * Threads: the task that began it
 * Lifetime: nothing is held */
RV_API void rv_shield_end(void);

/** Move the calling task to another worker, for good.
 *
 * The one exception to the rule that a task never changes its thread: do not carry addresses of
 * thread-locals (errno's included) across the call.
 *
 * @param worker  0 to rv_run_workers() - 1
 * @return 0; the task runs on that worker
 * Errors:  -EPERM the caller is no task; -EINVAL no such worker; -EBUSY the task has a scope or a
 *          fork open, or is inside a forkable function; -ECANCELED scope cancelled
 * Blocks:  the task, until that worker takes it on; not at all when it is there already
 * Threads: any task
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_migrate(unsigned worker);

/** The number of the calling task, unique in its runtime, counted from 1.
 *
 * @return 0 when the caller is no task
 * Errors:  none
 * Blocks:  no
 * Threads: any
 * Lifetime: nothing is held */
RV_API uint64_t rv_task_id(void);

/** The name of the calling task: what rv_go_named or rv_task_rename gave, else its function's text.
 *
 * @return "" when the caller is no task
 * Errors:  none
 * Blocks:  no
 * Threads: any
 * Lifetime: until the task is renamed or returns */
RV_API const char *rv_task_name(void);

/** Give the calling task a name for diagnostics.
 *
 * @param name  copied, cut to 63 bytes
 * @return 0
 * Errors:  -EPERM the caller is no task; -ENOMEM
 * Blocks:  no
 * Threads: any task
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_task_rename(const char *name);

/** Where the calling task was started.
 *
 * @return NULL when the caller is no task
 * Errors:  none
 * Blocks:  no
 * Threads: any
 * Lifetime: static */
RV_API const struct rv_site *rv_task_site(void);

/** The worker that the calling task lives on.
 *
 * @return 0 to rv_run_workers() - 1
 * Errors:  -EPERM the caller is no task
 * Blocks:  no
 * Threads: any
 * Lifetime: nothing is held */
RV_API int rv_task_worker(void);

/** The most bytes of its stack that the calling task has used so far.
 *
 * @return bytes, counted from the stack's top
 * Errors:  -EPERM the caller is no task; -ENOTSUP rv_run_opts.measure_stacks was not set
 * Blocks:  no
 * Threads: any task
 * Lifetime: nothing is held */
RV_API long rv_task_stack_used(void);

RV_END_DECLS
