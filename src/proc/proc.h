/* SPDX-License-Identifier: MIT */
/* proc.h - worker processes: this executable started again to play a role instead of main().
 *
 * The parent's side (struct rvi_proc) and the worker's (struct rvi_proc_self) are joined by a
 * control socket, SOCK_SEQPACKET: messages stay whole, and carry descriptors. rv_send_fds() and
 * rv_recv_fds() do for both. The first message each way is this room's: the parent's, which is in
 * the socket before the worker is there, says who is expected (identity.h), which role to play, and
 * with what; the worker's says that it will, or why not. All that follow are the role's own.
 *
 * What the parent's side has to watch, by poll or epoll, for each worker:
 *   control   readable: until rvi_proc_take_answer() has taken one, that; then the role's messages.
 *             Its end of file means that the worker is dead, or as good as dead
 *   words.fd  readable: rvi_words_read()
 *   pidfd     readable: it has ended, rvi_proc_end() tells how. rvi_words_read() goes on until it
 *             says 0 or -EAGAIN, or -EBUSY for longer than one cares; then rvi_words_finish()
 *
 * No function here waits, but rvi_proc_end() when asked to, rvi_proc_fini() of a worker that still
 * runs, for the moment that SIGKILL takes, and rvi_proc_start() until the executable runs. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <ravel/child.h>
#include <ravel/process.h>

#include "proc/words.h"

enum {
    RVI_HELLO_BYTES = 32 << 10, /* of a hello, at most */
    RVI_HELLO_FDS = 32,         /* that go with it, at most */
    RVI_REFUSAL_BYTES = 256,
};

/* --- the parent's side --- */

struct rvi_proc_start {
    const char *role; /* registered in this executable */
    const void *hello;
    size_t hello_bytes;
    const int *fds; /* passed on, they stay the caller's */
    size_t fd_count;
    const struct rv_process_opts
        *opts; /* NULL: the defaults; its own fields are read before return */
};

/* One worker process. Used by one thread at a time, but for rvi_proc_kill(). */
struct rvi_proc {
    rv_child *child;
    pid_t pid;
    int pidfd;   /* the child's, not to be closed */
    int control; /* does not block */
    int life;    /* as long as this is open, the worker may live */
    bool has_answered;
    char refusal[RVI_REFUSAL_BYTES]; /* why it would not, in words; one line */
    struct rvi_words words;
};

/** Whether this program can have worker processes.
 *
 * @param ret_why  set on error: why not, a static string; NULL: not asked for
 * @return 0
 * Errors: -EOPNOTSUPP libravel was not there when the program started (it was loaded by dlopen), or
 *         the program has privileges by its file; -ELOOP in a worker of RVI_DEPTH_MOST; -ENOTSUP
 *         in a simulation */
int rvi_proc_possible(const char **ret_why);

/** Start a worker. It is not waited for: what it says comes later, see above.
 *
 * @param ret      all of it is written; rvi_proc_fini() it. Untouched on error
 * @param failure  written on error: why, in words; NULL: not asked for
 * @return 0
 * Errors:  those of rvi_proc_possible(); -EINVAL no such role, or opts make no sense; -EMSGSIZE too
 *          large a hello; -EMFILE, -ENFILE, -ENOMEM; -EAGAIN too many processes; -ETOOMANYREFS; all
 *          of rv_child_start()
 * Blocks:  until the executable runs: a task by a helper, a plain thread itself
 * Threads: any; not while another thread changes the environment
 * Lifetime: what, until return */
int rvi_proc_start(struct rvi_proc *ret, const struct rvi_proc_start *what,
                   struct rv_child_failure *failure) __attribute__((warn_unused_result));

/** Take the worker's answer, its first message.
 *
 * @return 0 it plays its role
 * Errors:  -EAGAIN it has not answered yet; -ESTALE it is another program than this one, or has
 *          another libravel; -EOPNOTSUPP it cannot be confined as asked for; others why it would
 *          not; -EPIPE it has ended before. proc->refusal says it in words */
int rvi_proc_take_answer(struct rvi_proc *proc) __attribute__((warn_unused_result));

/** Send a signal to the worker and all that it has started. Errors: -ESRCH. Any thread, until
 * rvi_proc_fini(). */
int rvi_proc_kill(struct rvi_proc *proc, int signal);

/** Take how the worker ended. What it has started is killed then.
 *
 * @param waits  for that; else it has to have ended
 * @return 0, each time again
 * Errors:  -EAGAIN it has not ended; -ECHILD somebody else has taken it */
int rvi_proc_end(struct rvi_proc *proc, bool waits, struct rv_child_status *ret);

/** Kill it, if it still runs, and let nothing of it be left: no process, no descriptor. */
void rvi_proc_fini(struct rvi_proc *proc);

/* --- the worker's side --- */

/* What a worker was given; all of it stays until the process ends. */
struct rvi_proc_self {
    const char *role;
    int control; /* does not block */
    const void *hello;
    size_t hello_bytes;
    const int *fds; /* the role's, closed at execve */
    size_t fd_count;
    enum rv_confinement confinement; /* it holds already */
};

/** What a worker process does instead of main(). */
struct rvi_role {
    const char *name;                             /* shorter than RVI_ROLE_BYTES */
    int (*run)(const struct rvi_proc_self *self); /* its result is the exit status */
    struct rvi_role *next;                        /* the registry's */
};

enum { RVI_ROLE_BYTES = 32 };

/** Add a role; before main, from a constructor. `role` is static. */
void rvi_role_register(struct rvi_role *role);

/** A message from the parent, on the control thread. Descriptors are the callee's, closed at
 * execve. Without bytes: one with descriptors is lost, as this process may not have more. */
typedef void rvi_proc_heard(void *arg, const void *bytes, size_t count, const int *fds,
                            size_t fd_count);

/** Start the control thread, which reads the parent's messages. A parent that is gone ends this
 * process, and all that it has started, at once by SIGKILL. A role calls it first; once.
 *
 * @param most  bytes of the longest message
 * Errors:  -EAGAIN no thread; -ENOMEM */
int rvi_proc_listen(const struct rvi_proc_self *self, size_t most, rvi_proc_heard *heard, void *arg)
    __attribute__((warn_unused_result));

/** What the worker is doing from now on, for what it says when it crashes: see sys/crash.h.
 *
 * @param name  until the next call; NULL: no job */
void rvi_proc_set_job(const char *name);
