/* SPDX-License-Identifier: MIT */
/* supervisor.h - services that live as long as the program, and who starts them again when they
 * end: a tree of supervisors as in Erlang/OTP.
 *
 *     const struct rv_service services[] = {
 *         {.size = sizeof(struct rv_service), .name = "store", .run = keep_store},
 *         {.size = sizeof(struct rv_service), .name = "door", .run = keep_door},
 *     };
 *     const struct rv_supervisor_opts opts = {
 *         .size = sizeof(opts),
 *         .services = services,
 *         .count = 2,
 *         .strategy = RV_REST_FOR_ONE, // who answers does so from the store
 *         .intensity = 3,
 *         .period = 10 * RV_SECOND,
 *     };
 *     int err;
 *     RV_SCOPE (s, err) {
 *         rv_supervisor *sup;
 *         if (rv_supervisor_start(&sup, s, &opts, rv_after(RV_MINUTE)) == 0) {
 *             int r = rv_event_wait(&stop, RV_NEVER); // set when the program is to end
 *             int closed = rv_supervisor_close(sup);  // 0 unless it had given up
 *         }
 *     }
 *
 * Services are started in their order, each when the one before is ready, and stopped in the
 * reverse order. One that ends is started again, alone or with others as the strategy says. When
 * that happens too often, starting again does not help: then the supervisor stops all that is left
 * and fails itself, which is for its own supervisor to judge, or for the scope that it lives in.
 *
 * A supervisor is a task of its scope. When the scope is cancelled, the services are still stopped
 * in order, each with its time: they see that they are cancelled when it is their turn.
 *
 * The design is that of J. Armstrong's thesis, "Making reliable distributed systems in the presence
 * of software errors" (2003), and of the behaviour `supervisor` in OTP. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <ravel/def.h>
#include <ravel/process.h>
#include <ravel/scope.h>
#include <ravel/time.h>

RV_BEGIN_DECLS

/** Looks after services. */
typedef struct rv_supervisor rv_supervisor;

/** Who is started again when one service is. */
enum rv_strategy {
    RV_ONE_FOR_ONE,  /* that one */
    RV_ONE_FOR_ALL,  /* all: the others are stopped first */
    RV_REST_FOR_ONE, /* that one and those after it, which are stopped first */
};

/** Whether a service is started again when it ends. */
enum rv_restart {
    RV_RESTART_PERMANENT, /* always */
    RV_RESTART_TRANSIENT, /* when it has failed */
    RV_RESTART_TEMPORARY, /* never, with others neither */
};

/** A function that can be a service in a process of its own; made by RV_SERVICE(). */
struct rv_service_entry {
    const char *name;              /* the function's; unique in this executable */
    rv_fn *run;                    /* calls the typed function */
    size_t arg_bytes;              /* size of its argument's type */
    struct rv_service_entry *next; /* the registry's */
};

/** Add a function to this executable's registry; RV_SERVICE() does so before main.
 *
 * @param entry  static; a second one of its name stops the program
 * Errors:  none
 * Blocks:  no
 * Threads: the first, before main
 * Lifetime: entry for ever */
RV_API void rv_service_register(struct rv_service_entry *entry);

/** Register `fn`, an `int fn(const arg_type *)`, under its own name. At file scope, in C. The type
 * needs no more than max_align_t's alignment, and holds no pointers to be followed elsewhere. */
#define RV_SERVICE(fn, arg_type)                                                                   \
    typedef arg_type rv_service_arg_##fn;                                                          \
    _Static_assert(_Alignof(rv_service_arg_##fn) <= _Alignof(max_align_t),                         \
                   "the argument of service " #fn " is aligned too strictly");                     \
    static int rv_service_run_##fn(void *arg)                                                      \
    {                                                                                              \
        return fn((const rv_service_arg_##fn *)arg);                                               \
    }                                                                                              \
    static struct rv_service_entry rv_service_##fn = {#fn, rv_service_run_##fn,                    \
                                                      sizeof(rv_service_arg_##fn), NULL};          \
    __attribute__((constructor)) static void rv_service_register_##fn(void)                        \
    {                                                                                              \
        rv_service_register(&rv_service_##fn);                                                     \
    }                                                                                              \
    struct rv_service_entry

/** What RV_SERVICE(fn, ...) has registered, in the same file. */
#define RV_PROCESS(fn) (&rv_service_##fn)

struct rv_supervisor_opts;

/** A service. Zeroed fields mean the default; one of `run`, `process` and `supervisor` is given. */
struct rv_service {
    size_t size;      /* sizeof(struct rv_service), the same in each of an array; 0: the first
                                release's fields */
    const char *name; /* without '/', unique under its supervisor */
    rv_fn *run; /* a function: it runs in a task, inside a scope of its own, which is cancelled
                                when it is to stop. 0 and more is a good end */
    void *arg;  /* for it */
    size_t arg_bytes; /* of arg, copied: each start gets what it was, to write to as it likes; 0:
                                arg is handed over as it is */
    enum rv_restart restart; /* whether it is started again */
    rv_time start_time; /* within this it says by rv_service_ready() that it is ready, else it has
                           failed; 0: it is ready once it runs */
    rv_time stop_time;  /* what it has for its end when it is told to stop; what takes longer is
                           reported, and waited for. 0: 5 seconds, RV_NEVER for a supervisor */
    const struct rv_supervisor_opts *supervisor; /* a supervisor, which is ready when all that is
                                                    under it is */
    const struct rv_service_entry *process; /* a function, RV_PROCESS(fn), in a process of its own:
                                               as the first task of a runtime, which is cancelled
                                               when it is to stop. After stop_time it gets SIGTERM,
                                               after term_grace more SIGKILL */
    const struct rv_process_opts *opts;     /* for the process, copied; NULL: the defaults. Its
                                               descriptors stay open here, as each start passes them
                                               on. What is said of jobs there means nothing here */
};

/** How a service, or a supervisor, has ended. */
struct rv_service_end {
    int error;  /* 0: well; -errno, what it returned or why it could not be started; -ECHILD: its
                       process has ended by exit(), or was killed; -ENOMEM with SIGKILL: it had
                       more than its memory_bytes */
    int signal; /* what has killed its process; else 0 */
    char text[128]; /* in words: returned -EIO (Input/output error) */
};

/** What a supervisor reports. */
enum rv_supervisor_news {
    RV_SUPERVISOR_STARTED, /* a service is ready */
    RV_SUPERVISOR_ENDED,   /* one has ended, or could not be started; the text says what follows */
    RV_SUPERVISOR_STOPPED, /* one has ended that was told to */
    RV_SUPERVISOR_LATE,    /* one was told to stop, and has not within its time */
    RV_SUPERVISOR_GAVE_UP, /* the supervisor itself fails */
};

/** One report. All it points to lasts for the call. */
struct rv_supervisor_event {
    enum rv_supervisor_news news;     /* what has happened */
    const char *supervisor;           /* whose */
    const char *service;              /* which; NULL: the supervisor itself */
    const struct rv_service_end *end; /* with ENDED and STOPPED: how; else NULL */
    const char *text; /* one line: service 'x' returned -EIO (Input/output error), and is started
                         again (2 of 3 in 5 s) */
};

/** Hears of all that happens, in the supervisor's task. It may wait: nobody is started or stopped
 * meanwhile. It must not call the supervisor's functions, but rv_supervisor_stop() with deadline 0.
 *
 * @param arg    report_arg
 * @param event  for the length of the call */
typedef void rv_supervisor_report(void *arg, const struct rv_supervisor_event *event);

/** How a supervisor behaves. Zeroed fields mean the default. */
struct rv_supervisor_opts {
    size_t size;      /* sizeof(struct rv_supervisor_opts); 0: the first release's fields */
    const char *name; /* for reports; NULL: "supervisor" */
    const struct rv_service *services; /* in the order in which they are started */
    size_t count;                      /* of services, at least 1 */
    enum rv_strategy strategy;         /* who is started again with one that ends */
    int intensity;   /* starts anew within the period, beyond which it gives up; 0: 1, as in OTP;
                              -1: none at all */
    rv_time period;  /* of intensity; 0: 5 seconds */
    rv_time backoff; /* before a service is started again, doubled each time that it has lived
                              for less than the period; 0: none */
    rv_time backoff_most;         /* of that; 0: a minute */
    rv_supervisor_report *report; /* called for all that happens; NULL: that of the supervisor
                                     above, if there is one */
    void *report_arg;             /* for it */
};

/** Start a supervisor and, one after the other, its services.
 *
 * @param ret       the supervisor; it is a task of the scope, which hears of its failure as of any
 *                  task's
 * @param scope     open, without a limit (a supervisor is one task at a time) and not with the
 *                  policy RV_FIRST_SUCCESS
 * @param opts      copied with all services, but for an `arg` without size
 * @param deadline  absolute monotonic nanoseconds, or RV_NEVER
 * @return 0: all services are ready
 * Errors:  those with which a service could not be started, or which it returned before it was
 *          ready; -EPIPE one ended before; -ETIME one was not ready in time, or the deadline;
 *          -EINVAL no services, a name that is missing or has a '/', times or numbers that are
 *          negative, the scope has a limit or that policy; -EEXIST two services of one name; -E2BIG
 *          unknown fields; -ECANCELED; -ENOMEM. Those services that had started are stopped again.
 * Blocks:  until then, the task, never its thread
 * Threads: whoever may start tasks in the scope; not signal handlers
 * Lifetime: until rv_supervisor_close */
RV_API RV_NODISCARD int rv_supervisor_start(rv_supervisor **ret, rv_scope *scope,
                                            const struct rv_supervisor_opts *opts,
                                            rv_time deadline);

/** Say, from inside a service, that it is ready; what is started after it may use it now.
 *
 * @return 0, each time again
 * Errors:  -EPERM the caller is no service, nor a task that one has started; in a service's process
 *          -EPIPE its parent is gone, which ends it
 * Blocks:  no
 * Threads: the service's task and those that it has started, while it runs; in its process, all
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_service_ready(void);

/** Tell a supervisor to stop all services in the reverse of their order, and wait for its end.
 *
 * @param sup       the supervisor
 * @param deadline  absolute monotonic nanoseconds, or RV_NEVER; 0: it is told, and not waited for
 * @return 0: it has ended
 * Errors:  -ETIME it has not yet; -ECANCELED scope cancelled; -ENOMEM. It was told in any case.
 * Blocks:  the task, never its thread; a plain thread sleeps itself
 * Threads: any, a service's too, with the deadline 0; not signal handlers
 * Lifetime: keep sup until return */
RV_API RV_NODISCARD int rv_supervisor_stop(rv_supervisor *sup, rv_time deadline);

/** Wait until a supervisor has ended: all its services have, it has given up, or was stopped.
 *
 * @param sup       the supervisor
 * @param ret_end   how it ended: 0, it was stopped or all services have ended for good;
 *                  -ENOTRECOVERABLE it gave up; -ECANCELED its scope was cancelled; NULL: not asked
 *                  for
 * @param deadline  absolute monotonic nanoseconds, or RV_NEVER
 * @return 0: it has ended
 * Errors:  -ETIME it has not yet; -ECANCELED the caller's scope is cancelled; -ENOMEM
 * Blocks:  the task, never its thread; a plain thread sleeps itself
 * Threads: any but the services; not signal handlers
 * Lifetime: keep sup until return */
RV_API RV_NODISCARD int rv_supervisor_wait(rv_supervisor *sup, struct rv_service_end *ret_end,
                                           rv_time deadline);

/** Stop a supervisor and wait for its end; then nothing of it is left.
 *
 * @param sup  no other call with it is under way; NULL is nothing
 * @return as its end says: 0, -ENOTRECOVERABLE, -ECANCELED
 * Errors:  those
 * Blocks:  until then, whatever is cancelled: the task, never its thread
 * Threads: any but the supervisor's own task and its services; not signal handlers
 * Lifetime: ends sup; its scope may have ended before */
RV_API int rv_supervisor_close(rv_supervisor *sup);

/** What a service is doing. */
enum rv_service_state {
    RV_SERVICE_STOPPED,  /* it does not run: not yet, or it was stopped */
    RV_SERVICE_STARTING, /* it runs, and is not ready yet */
    RV_SERVICE_RUNNING,  /* it is ready */
    RV_SERVICE_STOPPING, /* it was told to stop */
    RV_SERVICE_WAITING,  /* it has ended, and will be started again */
    RV_SERVICE_ENDED,    /* it has ended for good */
};

/** What a service has come to so far. */
struct rv_service_stats {
    size_t size;                 /* sizeof(struct rv_service_stats); in: what the caller knows */
    enum rv_service_state state; /* what it is doing */
    uint64_t starts;             /* how often it was started */
    pid_t pid;                   /* of its process while it runs; else 0 */
    struct rv_service_end end;   /* how it last ended; all zero: it has not */
};

/** Look at a service.
 *
 * @param sup    the supervisor
 * @param path   the service's name; one under a supervisor under this one: "name/name"
 * @param stats  size set by the caller; the rest is filled in
 * @return 0
 * Errors:  -ENOENT there is none; -EINVAL stats->size is too small
 * Blocks:  no
 * Threads: any; not signal handlers
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_service_stats_read(rv_supervisor *sup, const char *path,
                                              struct rv_service_stats *stats);

RV_END_DECLS
