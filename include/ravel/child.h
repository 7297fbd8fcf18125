/* SPDX-License-Identifier: MIT */
/* child.h - other programs: started with pipes, waited for, talked to, and never left behind.
 *
 *     static const char text[] = "pear\napple\npear\n";
 *     const char *const argv[] = {"sort", "-u", NULL};
 *     struct rv_child_io io = {.in = text, .in_bytes = strlen(text), .max_bytes = 1 << 20};
 *     struct rv_child_status status;
 *     int r = rv_child_run(argv, NULL, &io, &status, rv_after(10 * RV_SECOND));
 *     if (r == 0 && status.kind == RV_CHILD_EXITED && status.code == 0)
 *         fwrite(io.out, 1, io.out_bytes, stdout);
 *     rv_child_io_fini(&io);
 *
 * A child has the descriptors that it was given and no other, no signal blocked, and ordinary
 * blocking pipes: O_NONBLOCK is set on our ends only. Whoever has started one closes its handle,
 * which ends the child if that has not been done, and leaves no zombie. A wait that is cancelled
 * or late leaves the child as it is.
 *
 * The program must leave SIGCHLD at its default, or at a handler without SA_NOCLDWAIT, and wait for
 * no child but its own: otherwise how these ended is lost, which is told by -ECHILD. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <ravel/def.h>
#include <ravel/time.h>

RV_BEGIN_DECLS

/** A process that was started, and our ends of its pipes. */
typedef struct rv_child rv_child;

/** Where one of a child's three standard descriptors leads. */
enum rv_child_stdio {
    RV_CHILD_DEFAULT, /* as RV_CHILD_INHERIT; for rv_child_run, output is collected, and input is
                         what it is given or else /dev/null */
    RV_CHILD_INHERIT, /* where ours leads; nowhere, if ours is marked to close (O_CLOEXEC) */
    RV_CHILD_NULL,    /* /dev/null */
    RV_CHILD_PIPE,    /* a pipe, whose other end rv_child_pipe() tells */
    RV_CHILD_FD,      /* a descriptor of ours, which stays ours */
    RV_CHILD_OUTPUT,  /* of the third alone: where the child's standard output leads */
};

/** One of the three. */
struct rv_child_stream {
    enum rv_child_stdio kind; /* where it leads */
    int fd;                   /* of RV_CHILD_FD: which */
};

/** A further descriptor that a child gets. */
struct rv_child_fd {
    int fd;       /* ours, which stays ours */
    int child_fd; /* its number in the child, 3 or more, each once */
};

/** A limit that a child gets, see setrlimit(2). */
struct rv_child_limit {
    int resource;        /* RLIMIT_CPU and so on */
    struct rlimit limit; /* soft and hard */
};

/** Which process group a child is in. */
enum rv_child_group {
    RV_CHILD_GROUP_OURS,    /* that of this program: a terminal's Ctrl-C reaches both */
    RV_CHILD_GROUP_OWN,     /* its own, which it leads: it can be killed with all that it starts */
    RV_CHILD_GROUP_SESSION, /* its own in a session of its own, without a terminal */
};

/** What was being done when a start failed. */
enum rv_child_step {
    RV_CHILD_STEP_NONE,        /* it has not failed */
    RV_CHILD_STEP_PREPARE,     /* memory, pipes, a thread to start it on */
    RV_CHILD_STEP_PROCESS,     /* making a process */
    RV_CHILD_STEP_GROUP,       /* its group or session */
    RV_CHILD_STEP_DESCRIPTORS, /* giving it its descriptors, and no other */
    RV_CHILD_STEP_LIMITS,      /* its limits */
    RV_CHILD_STEP_NICE,        /* its priority */
    RV_CHILD_STEP_CPUS,        /* the CPUs that it may use */
    RV_CHILD_STEP_IDENTITY,    /* its user and groups */
    RV_CHILD_STEP_PARENT,      /* the signal that it wants at our death */
    RV_CHILD_STEP_FOLDER,      /* changing to its folder */
    RV_CHILD_STEP_SIGNALS,     /* its dispositions */
    RV_CHILD_STEP_PROGRAM,     /* running the program */
};

/** Why a start failed, in more words than one number. */
struct rv_child_failure {
    enum rv_child_step step; /* what was being done; RV_CHILD_STEP_NONE after a success */
    int error;               /* -errno, as returned */
    char text[256];          /* one line: run 'sorrt': No such file or directory */
};

/** How a child is started. Zeroed fields mean the default. */
struct rv_child_opts {
    size_t size;                   /* sizeof(struct rv_child_opts); 0: the first release's fields */
    struct rv_child_stream in;     /* its standard input */
    struct rv_child_stream out;    /* its standard output */
    struct rv_child_stream err;    /* its standard error */
    const struct rv_child_fd *fds; /* descriptors besides these three */
    size_t fd_count;               /* of fds */
    const char *program; /* what to run, argv[0] being only its name; NULL: argv[0]. Without a '/'
                            it is looked for in the PATH of the child's environment */
    const char *folder;  /* where it runs, and where a relative `program` begins; NULL: where we
                            are */
    const char *const *env; /* its environment, ended by NULL; NULL: ours, as it is now */
    const char *const
        *env_changes; /* over that: "NAME=value" sets, "NAME" removes; ended by NULL */
    const struct rv_child_limit *limits; /* limits that it gets */
    size_t limit_count;                  /* of limits */
    enum rv_child_group group;           /* which process group it is in */
    int nice;                            /* added to our priority; negative wants privilege */
    int as_user;                         /* run as the user below, which wants privilege */
    uid_t uid;                           /* with as_user: real, effective and saved user */
    gid_t gid;                           /* with as_user: real, effective and saved group */
    const gid_t *groups;                 /* with as_user: further groups */
    size_t group_count;                  /* of groups */
    int set_umask;                       /* let its mask for new files be the one below */
    mode_t umask;                        /* with set_umask */
    int death_signal;  /* sent to the child when the thread dies that started it: the worker's, or
                            the plain thread; 0: none */
    int reset_ignored; /* signals that this program ignores are at their default in the child too.
                            Else they are ignored there, for nohup(1) and its like, but for SIGPIPE.
                            A signal with a handler is at its default in any case */
    rv_time grace;     /* what rv_child_close() gives a child that still runs between SIGTERM and
                            SIGKILL; 0: SIGKILL at once */
    struct rv_child_failure *ret_failure; /* written by each start: why it has failed; NULL: not
                                             asked for */
    const int *cpus;                      /* the CPUs that it may use; NULL: those that we may */
    size_t cpu_count;                     /* of cpus */
};

/** How a process ended. */
enum rv_child_end {
    RV_CHILD_EXITED, /* it returned, or called exit */
    RV_CHILD_KILLED, /* a signal ended it */
};

/** How a process ended, and what it used. */
struct rv_child_status {
    enum rv_child_end kind; /* says which of the next two means something */
    int code;               /* with RV_CHILD_EXITED: 0 to 255 */
    int signal;             /* with RV_CHILD_KILLED, else 0 */
    int dumped;             /* with RV_CHILD_KILLED: 1, it has left a core */
    struct rusage usage;    /* of it and of those of its children that it has waited for */
};

/** What is said to a child and heard of it. */
struct rv_child_io {
    const void *in;   /* what it reads; unchanged until return */
    size_t in_bytes;  /* of it */
    size_t max_bytes; /* of each output that are kept at most; 0: 16 MiB */
    char *out;        /* out: what it has written, with a NUL behind it; NULL: not collected */
    size_t out_bytes; /* out: without that NUL */
    char *err;        /* out: likewise of its standard error */
    size_t err_bytes; /* out */
};

/** Start a program. When this returns, it runs, or why it could not is known exactly.
 *
 * No memory is copied for it, so that the size of this process does not matter. A task lets a
 * helper thread do it, as the kernel reads the program's file meanwhile; with death_signal it holds
 * its own worker, a millisecond or so.
 *
 * @param ret   the handle
 * @param argv  what the program sees as its arguments, ended by NULL; at least one
 * @param opts  NULL for the defaults; read before return
 * @return 0
 * Errors:  -EINVAL argv or opts make no sense; -E2BIG unknown fields, or arguments too long;
 *          -ENOMEM; -EMFILE, -ENFILE; -EAGAIN too many processes, or no helper thread;
 *          -ENOENT, -EACCES, -ENOEXEC and others of execve(2); those of each thing asked for;
 *          -ECANCELED scope cancelled; -ENOTSUP in a simulation. opts->ret_failure says more
 * Blocks:  the task, until the program runs; cancellation does not end it
 * Threads: any task of any worker, plain threads; not while another thread changes the environment
 * Lifetime: argv, opts and what they point to until return */
RV_API RV_NODISCARD int rv_child_start(rv_child **ret, const char *const *argv,
                                       const struct rv_child_opts *opts);

/** A child's process id; its own until rv_child_close().
 *
 * @param child  the child
 * @return more than 0. Who has been waited for and leads no group of its own has given it up.
 * Errors:  none
 * Blocks:  no
 * Threads: any
 * Lifetime: nothing is held */
RV_API pid_t rv_child_pid(const rv_child *child);

/** Our end of the pipe to one of a child's standard descriptors, for rv_read and rv_write.
 *
 * @param child  the child
 * @param which  0 its input, 1 its output, 2 its errors
 * @return a descriptor, which stays the child's: see rv_child_pipe_close()
 * Errors:  -EBADF there is no pipe, or it was closed; -EINVAL which
 * Blocks:  no
 * Threads: any, but not while one is closed
 * Lifetime: until rv_child_pipe_close or rv_child_close */
RV_API int rv_child_pipe(const rv_child *child, int which);

/** Close our end of a pipe. Of the child's input that is its end of file.
 *
 * @param child  the child
 * @param which  0, 1 or 2; one that there is not does nothing
 * @return 0
 * Errors:  -EINVAL which
 * Blocks:  no
 * Threads: any, one at a time, while nobody reads or writes there
 * Lifetime: ends that of the descriptor */
RV_API int rv_child_pipe_close(rv_child *child, int which);

/** Wait until a child has ended.
 *
 * @param child       the child; several may wait for it, and again after it has ended
 * @param ret_status  how it ended; untouched on error; NULL: not asked for
 * @param deadline    absolute monotonic nanoseconds, or RV_NEVER
 * @return 0
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -ENOMEM; -ECHILD somebody else has taken
 *          how it ended. In the first three cases the child is as before
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: keep child until return */
RV_API RV_NODISCARD int rv_child_wait(rv_child *child, struct rv_child_status *ret_status,
                                      rv_time deadline);

/** Send a signal to a child.
 *
 * @param child   the child
 * @param signal  which; 0: none, but see whether one could be sent
 * @return 0
 * Errors:  -ESRCH it has ended and was waited for; -EINVAL no such signal; -EPERM
 * Blocks:  no
 * Threads: any
 * Lifetime: keep child until return */
RV_API int rv_child_kill(rv_child *child, int signal);

/** Send a signal to all of a child's process group. That is safe after the child has ended: its
 * number is nobody else's before rv_child_close().
 *
 * @param child   started with a group or session of its own
 * @param signal  which
 * @return 0
 * Errors:  -ESRCH nobody is left; -EINVAL no such signal, or no group of its own; -EPERM
 * Blocks:  no
 * Threads: any
 * Lifetime: keep child until return */
RV_API int rv_child_kill_group(rv_child *child, int signal);

/** End a child: SIGTERM, some time for it, SIGKILL; each to its group, if it leads one, and its
 * group is killed even if itself has ended before. Nothing of it is left running then, but for who
 * has left the group.
 *
 * @param child       the child
 * @param grace       nanoseconds between the two; 0: SIGKILL at once
 * @param ret_status  how it ended; untouched on error; NULL: not asked for
 * @return 0
 * Errors:  -ECHILD somebody else has taken how it ended: it has; -EPERM it has become another
 *          user's, and goes on
 * Blocks:  the task, never its thread; until the child has ended, and cancellation does not end it
 * Threads: any task of any worker, plain threads
 * Lifetime: keep child until return */
RV_API int rv_child_stop(rv_child *child, rv_time grace, struct rv_child_status *ret_status);

/** Give a child up: rv_child_stop() with the grace of its options, then nothing of it is left, no
 * zombie and no descriptor. One that may not be killed is waited for.
 *
 * @param child  NULL does nothing
 * @return NULL
 * Errors:  none
 * Blocks:  the task, never its thread; until the child has ended, and cancellation does not end it
 * Threads: any task of any worker, plain threads; nobody else uses the child any more
 * Lifetime: ends that of child */
RV_API rv_child *rv_child_close(rv_child *child);

/** Write a child's input and collect its output at the same time, so that neither side waits for
 * the other for ever, however much each writes.
 *
 * Of the three those take part that are pipes. The input's end is closed when all is written; a
 * child that reads no more is no failure. It is over when the outputs have ended: whoever has them
 * open, the child's own children too. It does not wait for the child.
 *
 * @param child     the child; its pipes are closed by this, whatever the result
 * @param io        what to write; receives what was read, on error what there was until then. Then
 *                  or later rv_child_io_fini()
 * @param deadline  absolute monotonic nanoseconds, or RV_NEVER
 * @return 0
 * Errors:  -EMSGSIZE an output is longer than io->max_bytes; -ETIME deadline; -ECANCELED scope
 *          cancelled; -ENOMEM; -EMFILE; others of read(2) and write(2)
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: child and io until return */
RV_API RV_NODISCARD int rv_child_communicate(rv_child *child, struct rv_child_io *io,
                                             rv_time deadline);

/** Free what has been collected; both outputs are NULL afterwards. Zeroed outputs are fine.
 *
 * @param io  NULL does nothing
 * Errors:  none
 * Blocks:  no
 * Threads: any
 * Lifetime: ends that of io->out and io->err */
RV_API void rv_child_io_fini(struct rv_child_io *io);

/** Run a program to its end: start, communicate, wait, close.
 *
 * @param argv        what the program sees as its arguments, ended by NULL
 * @param opts        NULL for the defaults. Outputs are collected unless it says where they lead
 * @param io          input and outputs, as for rv_child_communicate; NULL: none, and what it writes
 *                    goes where ours does
 * @param ret_status  how it ended; untouched on error
 * @param deadline    absolute monotonic nanoseconds, or RV_NEVER
 * @return 0: it has ended, whatever its status
 * Errors:  as rv_child_start, rv_child_communicate and rv_child_wait; it does not run any more,
 *          having been ended as by rv_child_close()
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: all arguments until return; rv_child_io_fini(io) is the caller's to call */
RV_API RV_NODISCARD int rv_child_run(const char *const *argv, const struct rv_child_opts *opts,
                                     struct rv_child_io *io, struct rv_child_status *ret_status,
                                     rv_time deadline);

RV_END_DECLS
