/* SPDX-License-Identifier: MIT */
/* foreground.h - for a program whose main thread belongs to a user interface: the runtime works
 * behind it, and only what shows something runs in front.
 *
 *     rv_fg *fg;
 *     int r = rv_fg_open(&fg, NULL); // in the thread of the interface
 *     if (r == 0) {
 *         int64_t task = rv_fg_go(fg, fetch, a); // a button was pressed: this returns at once
 *         r = rv_fg_dispatch(fg, 0); // whenever rv_fg_fd(fg) can be read
 *         if (task > 0)
 *             rv_fg_cancel(fg, task); // another one was
 *         r = rv_fg_close(fg);
 *     }
 *
 * A task behind it may block and start others. It says how far it is by rv_fg_progress(), of which
 * the latest is shown, no more often than can be; and has the foreground show something by
 * rv_fg_post(), or asks it by rv_fg_call().
 *
 * The thread that has opened it is the foreground, and the only one that dispatches. What is posted
 * runs there, in the order of posting, a bounded number waiting. A watch looks from another thread
 * and reports when the foreground is held longer than its budget, with the stack that holds it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <ravel/def.h>
#include <ravel/run.h>
#include <ravel/time.h>

RV_BEGIN_DECLS

/** A foreground and the runtime behind it. */
typedef struct rv_fg rv_fg;

/** What is posted to the foreground: shows something, and returns soon.
 *
 * @param arg  whatever was given where it was posted */
typedef void rv_fg_fn(void *arg);

/** How far something has come. */
struct rv_fg_latest {
    uint64_t done, total; /* in units of the program's choice; total 0: nobody knows */
    char text[112];       /* what is done just now; cut to fit */
};

/** How a foreground is made. Zeroed fields mean the default. */
struct rv_fg_opts {
    size_t size;                   /* sizeof(struct rv_fg_opts); 0: the first release's fields */
    const struct rv_run_opts *run; /* of the runtime; NULL: the defaults. Read before return */
    size_t capacity;               /* posts that wait, beyond which posting waits; 0: 1024 */
    rv_time budget_ns;             /* that the foreground may be held for; 0: 10 ms */
    int no_watch;                  /* do not look whether it is held longer */
    void *arg;                     /* of both functions */
    /* Called by rv_fg_dispatch() with the latest progress, if there is news. */
    void (*progress)(void *arg, const struct rv_fg_latest *latest);
    /* Called by the watch, on its thread, with what it has to report: lines. NULL: they go to
       standard error */
    void (*held)(void *arg, const char *report);
};

/** Start a runtime on threads of its own, the calling thread being its foreground.
 *
 * @param ret   the foreground
 * @param opts  NULL for the defaults; read before return
 * @return 0
 * Errors:  -EBUSY called from a task; -EINVAL budget_ns is negative; -E2BIG unknown fields;
 *          -EOVERFLOW capacity; -EMFILE and others of eventfd(2); -ENOMEM; -EAGAIN no thread; as
 *          rv_run() for the runtime
 * Blocks:  the thread, until the runtime is up
 * Threads: plain threads
 * Lifetime: until rv_fg_close */
RV_API RV_NODISCARD int rv_fg_open(rv_fg **ret, const struct rv_fg_opts *opts);

/** Cancel what still works behind, wait for its end, end the runtime.
 *
 * What has been posted until then runs before this returns, and whoever calls the foreground
 * meanwhile is served: nobody waits in vain.
 *
 * @param fg  NULL does nothing; gone afterwards, but for -EPERM
 * @return 0
 * Errors:  -EPERM the caller is not the foreground, or is inside of rv_fg_dispatch(); the first
 *          failure of a task of rv_fg_go() that was not cancelled
 * Blocks:  the thread, until all tasks have ended
 * Threads: the foreground
 * Lifetime: ends that of fg; nobody else may use it any more but its tasks */
RV_API RV_NODISCARD int rv_fg_close(rv_fg *fg);

/** A descriptor that can be read, as poll(2) says, while anything is due in the foreground.
 *
 * @param fg  open
 * @return the descriptor, to be watched and nothing else
 * Errors:  none
 * Blocks:  no
 * Threads: any
 * Lifetime: that of fg */
RV_API int rv_fg_fd(const rv_fg *fg);

/** Run what is due, in order, until nothing is or the budget is used up. What is left keeps the
 * descriptor readable.
 *
 * One function at least is run. It may itself run a loop that dispatches, as a dialog's does.
 *
 * @param fg         open
 * @param budget_ns  0: the one of the options
 * @return how many functions were run
 * Errors:  -EPERM the caller is not the foreground
 * Blocks:  no
 * Threads: the foreground
 * Lifetime: nothing is held */
RV_API int rv_fg_dispatch(rv_fg *fg, rv_time budget_ns);

/** Have the foreground run fn(arg).
 *
 * @param fg        open
 * @param fn        runs once, in the foreground
 * @param arg       handed to fn
 * @param deadline  absolute nanoseconds, or RV_NEVER: of waiting while too many posts wait
 * @return 0; fn will run
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled while too many waited; -EAGAIN too many
 *          wait, and the caller is the foreground, which would wait for itself; -ENOMEM no room for
 *          the timer
 * Blocks:  no, unless too many posts wait: then the task, never its thread
 * Threads: any task of any runtime, plain threads; the foreground too
 * Lifetime: arg until fn has returned; fg until this has */
RV_API RV_NODISCARD int rv_fg_post(rv_fg *fg, rv_fg_fn *fn, void *arg, rv_time deadline);

/** Have the foreground run fn(arg), and wait for its end: to ask what only the foreground knows.
 *
 * @param fg          open
 * @param fn          runs in the foreground; in the foreground itself it is simply called
 * @param arg         handed to fn
 * @param ret_result  what fn returned; NULL: not asked for
 * @param deadline    absolute nanoseconds, or RV_NEVER
 * @return 0; fn has returned. On error it has not run and will not
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -ENOMEM no room for the timer
 * Blocks:  the task, never its thread; once fn has begun, until it returns
 * Threads: any task of any runtime, plain threads
 * Lifetime: all until return */
RV_API RV_NODISCARD int rv_fg_call(rv_fg *fg, rv_fn *fn, void *arg, int *ret_result,
                                   rv_time deadline);

/** Start a task behind the foreground; the place and the function's text are kept as its name. */
#define rv_fg_go(fg, fn, arg) rv_fg_go_at((fg), (fn), (arg), RV_SITE(#fn))

/** Start a task behind the foreground from a place that is given: what rv_fg_go() calls.
 *
 * @param fg    open
 * @param fn    runs in a task of the runtime, in a scope of its own, which rv_fg_cancel() cancels
 * @param arg   handed to fn
 * @param site  names the work and the place; static
 * @return a number above 0, for rv_fg_cancel()
 * Errors:  -ENOMEM; -ECANCELED the foreground is being closed
 * Blocks:  no
 * Threads: the foreground, any plain thread, any task
 * Lifetime: arg until fn has returned; site for ever */
RV_API RV_NODISCARD int64_t rv_fg_go_at(rv_fg *fg, rv_fn *fn, void *arg,
                                        const struct rv_site *site);

/** Cancel a task that rv_fg_go() has started, and what it has started.
 *
 * @param fg      open
 * @param number  of the task
 * @return 0
 * Errors:  -ESRCH it has ended
 * Blocks:  no
 * Threads: the foreground, any plain thread, any task
 * Lifetime: nothing is held */
RV_API int rv_fg_cancel(rv_fg *fg, int64_t number);

/** Say how far something has come. The foreground is shown the latest when it next dispatches; what
 * was said in between is forgotten.
 *
 * @param fg     open
 * @param done   so many units
 * @param total  of so many; 0: nobody knows
 * @param text   copied, and cut to 111 bytes; NULL: none
 * Errors:  none
 * Blocks:  no
 * Threads: any task of any runtime, plain threads; the foreground too
 * Lifetime: fg until return */
RV_API void rv_fg_progress(rv_fg *fg, uint64_t done, uint64_t total, const char *text);

/** What a foreground has come to so far. */
struct rv_fg_stats {
    size_t size;    /* sizeof(struct rv_fg_stats); in: what the caller knows */
    uint64_t run;   /* functions that have begun */
    uint64_t held;  /* times that the watch found it held longer than its budget */
    size_t waiting; /* functions that wait */
    size_t tasks;   /* of rv_fg_go(), that have not ended */
};

/** Read a foreground's counters.
 *
 * @param fg     open
 * @param stats  size set by the caller; the rest is filled in
 * @return 0
 * Errors:  -EINVAL stats->size is too small
 * Blocks:  no
 * Threads: any
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_fg_stats_read(rv_fg *fg, struct rv_fg_stats *stats);

RV_END_DECLS
