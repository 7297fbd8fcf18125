/* SPDX-License-Identifier: MIT */
/* scope.h - scopes own tasks: leaving one waits for all of them, so nothing runs unowned.
 *
 *     int err;
 *     RV_SCOPE (s, err, .deadline = rv_after(3 * RV_SECOND)) {
 *         int r = rv_go(s, fetch, &a);
 *         if (r == 0)
 *             r = rv_go(s, fetch, &b);
 *         if (r < 0)
 *             rv_scope_cancel(s, r);
 *     }
 *     return err; // the first failure, or -ETIME
 *
 * Cancellation is level-triggered: once a scope is cancelled, every blocking call of its tasks, and
 * of its owner while inside, fails with -ECANCELED until the scope has ended. Nothing is killed.
 * The idea of such scopes is N. J. Smith's nursery (Trio, 2018) and M. Sustrik's bundle (libdill,
 * 2018). */
#pragma once

#include <ravel/def.h>
#include <ravel/time.h>

RV_BEGIN_DECLS

/** A set of tasks that end together. */
typedef struct rv_scope rv_scope;

/** What the end of one task means for the others. */
enum rv_policy {
    RV_FAIL_FAST,     /* the first failure cancels the rest (default) */
    RV_COLLECT_ALL,   /* all run to their end, whatever fails */
    RV_FIRST_SUCCESS, /* the first success cancels the rest */
};

/** How a scope behaves. Zeroed fields mean the default. */
struct rv_scope_opts {
    size_t size;           /* sizeof(struct rv_scope_opts); 0: the first release's fields */
    const char *name;      /* for diagnostics; must outlive the scope; NULL: none */
    enum rv_policy policy; /* what the end of one task means for the others */
    rv_time deadline;      /* when the scope cancels itself with -ETIME; 0: never */
    size_t limit;          /* tasks alive at one time, beyond which rv_go waits; 0: no limit */
};

/** Open a scope inside the calling task; it nests in the scope the task is in.
 *
 * @param ret   the scope; its owner is the calling task
 * @param opts  NULL for the defaults; read before return
 * @return 0. A scope opened under a cancelled one is born cancelled.
 * Errors:  -EPERM the caller is no task; -EINVAL unknown policy; -E2BIG unknown fields; -ENOMEM
 * Blocks:  no
 * Threads: any task of any worker
 * Lifetime: until rv_scope_close, which the owner must call before it returns */
RV_API RV_NODISCARD int rv_scope_open(rv_scope **ret, const struct rv_scope_opts *opts);

/** Start a task in a scope; the place and the function's text are kept as its name.
 *
 * Tasks of one worker run until they block. A task that has not begun may be taken by another
 * worker; once it has begun it stays on its thread. */
#define rv_go(scope, fn, arg) rv_go_at((scope), (fn), (arg), RV_SITE(#fn))

/** Start a task in a scope under a name of your own.
 *
 * @param name  a string literal */
#define rv_go_named(scope, fn, arg, name) rv_go_at((scope), (fn), (arg), RV_SITE("" name))

/** Start a task in a scope from a place that is given: what rv_go() calls.
 *
 * @param scope  where the task belongs; the caller is its owner, a task under it, or keeps it open
 *               by other means
 * @param fn     runs in the new task
 * @param arg    handed to fn
 * @param site   names the work and the place; static
 * @return 0; fn will run once, unless a stack cannot be had, which the scope hears of as -ENOMEM
 * Errors:  -ECANCELED the scope is cancelled (fn will not run); -ENOMEM no memory for the task;
 *          -EPERM a plain thread, or a task of another runtime, and the scope has a limit
 * Blocks:  no, unless the scope's limit is reached: then the task, never its thread
 * Threads: any task of any worker; plain threads and tasks of other runtimes too when the scope has
 *          no limit (the task then starts on the scope's worker, and an out-of-memory there is told
 *          to the scope)
 * Lifetime: arg until fn has returned; site for ever */
RV_API RV_NODISCARD int rv_go_at(rv_scope *scope, rv_fn *fn, void *arg, const struct rv_site *site);

/** Cancel a scope: its tasks' blocking calls, now and later, fail with -ECANCELED.
 *
 * @param scope  cancelled once; later calls change nothing
 * @param why    -errno that rv_scope_close will return; 0 stands for -ECANCELED
 * Errors:  none
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: the scope must be open: call it from its owner, a task under it, or while one of these
 *           waits for you */
RV_API void rv_scope_cancel(rv_scope *scope, int why);

/** Wait for every task of the scope, then end it. Scopes end innermost first.
 *
 * @param scope  gone afterwards, whatever is returned. One that the caller does not own, or inside
 *               which another is still open, is a misuse that stops the program
 * @return 0 when all is well (RV_FIRST_SUCCESS: when one task succeeded, or none was started);
 *         otherwise why the scope was cancelled, or the first failure of a task
 * Errors:  any -errno a task returned; -ETIME the scope's deadline passed; -ECANCELED an outer
 *          scope was cancelled
 * Blocks:  the task, never its thread; cancellation reaches the tasks waited for, not the wait
 * Threads: the owner
 * Lifetime: ends the scope */
RV_API RV_NODISCARD int rv_scope_close(rv_scope *scope);

/** What a scope's tasks have come to so far. */
struct rv_scope_stats {
    size_t size;      /* sizeof(struct rv_scope_stats); in: what the caller knows */
    size_t started;   /* tasks so far */
    size_t succeeded; /* of those, the ones that returned >= 0 */
    size_t failed;    /* returned < 0, cancelled ones included */
    size_t alive;     /* not returned yet */
};

/** Count a scope's tasks. Tasks that another worker started in this scope are counted when they
 * end.
 *
 * @param scope  an open scope
 * @param stats  size set by the caller; the rest is filled in
 * @return 0
 * Errors:  -EPERM the caller does not own it; -EINVAL stats->size is too small
 * Blocks:  no
 * Threads: the owner
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_scope_stats_read(const rv_scope *scope, struct rv_scope_stats *stats);

/** Why a scope was cancelled.
 *
 * @param scope  an open scope
 * @return 0 while it is not; afterwards what rv_scope_close would return for it
 * Errors:  none
 * Blocks:  no
 * Threads: whoever may cancel it
 * Lifetime: nothing is held */
RV_API int rv_scope_reason(const rv_scope *scope);

/** What RV_SCOPE() keeps on the stack. */
struct rv_scope_guard {
    rv_scope *scope; /* open; NULL when it could not be opened, or is closed again */
    int *err;        /* where the scope's result goes */
};

/** What RV_SCOPE() calls on entry: opens a scope and remembers where its result goes.
 *
 * @param err   set to 0, or to why the scope could not be opened
 * @param opts  as for rv_scope_open
 * @return a guard; its scope is NULL when *err is negative
 * Errors:  through *err, those of rv_scope_open
 * Blocks:  no
 * Threads: any task of any worker
 * Lifetime: until rv_scope_guard_close */
RV_API struct rv_scope_guard rv_scope_guard_open(int *err, const struct rv_scope_opts *opts);

/** What RV_SCOPE() calls on every way out: closes the scope and stores the result.
 *
 * @param guard  its scope is NULL afterwards; does nothing when it is already
 * Errors:  through *guard->err, those of rv_scope_close
 * Blocks:  the task, never its thread
 * Threads: the owner
 * Lifetime: ends the scope */
RV_API void rv_scope_guard_close(struct rv_scope_guard *guard);

/** A block with a scope of its own, closed on every way out: end, break, continue, return, goto.
 *
 * What is declared inside the block is gone before the tasks are waited for: declare outside what
 * they use. Not for C++.
 *
 * @param s    names the scope inside the block
 * @param err  an int variable declared before: receives what rv_scope_close() returned. When the
 *             scope cannot be opened, it says why and the block is not entered.
 * @param ...  fields of struct rv_scope_opts, such as .deadline = rv_after(RV_SECOND)
 * Errors:  through err, those of rv_scope_open() and rv_scope_close()
 * Blocks:  the task, never its thread, on the way out
 * Threads: any task of any worker
 * Lifetime: the scope ends with the block */
#define RV_SCOPE(s, err, ...)                                                                      \
    for (struct rv_scope_guard rv_guard_##s                                                        \
         __attribute__((cleanup(rv_scope_guard_close))) = rv_scope_guard_open(                     \
             &(err),                                                                               \
             &(const struct rv_scope_opts){.size = sizeof(struct rv_scope_opts), __VA_ARGS__});    \
         rv_guard_##s.scope; rv_scope_guard_close(&rv_guard_##s))                                  \
        for (rv_scope *s = rv_guard_##s.scope; s; s = NULL)

RV_END_DECLS
