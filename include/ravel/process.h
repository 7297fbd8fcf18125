/* SPDX-License-Identifier: MIT */
/* process.h - what worker processes are given, and what they are kept from.
 *
 *     struct rv_process_opts process = {
 *         .size = sizeof(process),
 *         .memory_bytes = 512 << 20,
 *         .confinement = RV_CONFINE_COMPUTE,
 *     };
 *
 * A worker process is this executable, started again: it runs the constructors of the program and
 * of its libraries, so that the jobs are registered, and then jobs in place of main(). It leads a
 * process group of its own, which is killed as a whole: a program that a job has started does not
 * outlive the worker, unless it has left the group. No worker outlives this program, however that
 * ends.
 *
 * It may have worker processes of its own, which do not outlive it either, and these may: three
 * deep, beyond which it is -ELOOP. What a program has shared (shm.h, queue.h) is for its own
 * workers: in theirs it is not found. And as a worker makes no shared memory, it hands over to its
 * own only what half of their arena holds.
 *
 * Its standard input is empty, its standard output is this program's. What it writes to its
 * standard error comes to this program's standard error by way of this program, which keeps the
 * last of it. All signals are at their default. It has no other descriptors than those declared
 * here and the few by which it is talked to, which are closed at execve. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <ravel/child.h>
#include <ravel/def.h>
#include <ravel/time.h>

RV_BEGIN_DECLS

/** What a worker process is kept from. It is kept so for good, with all that it starts, from after
 * the constructors have run; and no execve gives privileges any more (no_new_privs). */
enum rv_confinement {
    RV_CONFINE_NONE,    /* nothing */
    RV_CONFINE_READING, /* files may be read; none is written, made, removed or executed, no TCP
                           connection is made or awaited (Landlock) */
    RV_CONFINE_COMPUTE, /* computing: memory, threads, time, what is open already. Opening files,
                           making sockets and starting processes fail with EPERM (seccomp; and
                           Landlock, where the kernel has it) */
};

/** What worker processes are given, and when they are replaced. Zeroed fields mean the default.
 *
 * A worker knows what it is by RAVEL_WORKER in its environment, which is gone before the program's
 * code could see it; it is not to be set by hand.
 *
 * A program that `ravel worker ./program` has started is an agent instead of running main(): its
 * worker processes run the jobs of a cluster. It knows that by RAVEL_AGENT, which is not to be set
 * by hand either. RAVEL_CLUSTER says where the cluster is; RAVEL_CA_FILE, RAVEL_CERT_FILE,
 * RAVEL_KEY_FILE and RAVEL_NKEY_FILE name the files with what is to be believed and shown there.
 *
 * Nor does one come to main() that `ravel advise` has started: with RAVEL_ADVISE, which is not to
 * be set by hand, it measures one of its jobs on each tier. */
struct rv_process_opts {
    size_t size;      /* sizeof(struct rv_process_opts); 0: the first release's fields */
    int nice;         /* added to this program's priority; negative wants privilege */
    const int *cpus;  /* the CPUs that they may use; NULL: those that this program may */
    size_t cpu_count; /* of cpus */
    const struct rv_child_limit *limits; /* limits that each gets, see setrlimit(2) */
    size_t limit_count;                  /* of limits */
    uint64_t memory_bytes;  /* memory of its own that each may have resident: what it has allocated
                               and written to, without the program's text and what it shares with
                               others. Looked at every some milliseconds. Above it, it is killed:
                               its job's outcome is RV_OUTCOME_MEMORY, a service has ended with
                               -ENOMEM; 0: as much as there is */
    const char *folder;     /* where they run; NULL: where this program is */
    const char *const *env; /* their environment, ended by NULL; NULL: this program's */
    const char *const
        *env_changes;              /* over that: "NAME=value" sets, "NAME" removes; ended by NULL */
    const struct rv_child_fd *fds; /* further descriptors that each gets */
    size_t fd_count;               /* of fds */
    enum rv_confinement confinement; /* what they are kept from */
    uint64_t recycle_jobs;           /* a worker is replaced after so many jobs; 0: never */
    uint64_t recycle_bytes; /* or once it has so much memory of its own, between two jobs; 0:
                               never */
    rv_time cancel_grace;   /* what a cancelled job has before its worker gets SIGTERM; 0: a
                               second */
    rv_time term_grace;     /* and from there to SIGKILL; 0: a second */
    unsigned prestart;      /* workers started when the executor is opened; 0: as they are needed */
    size_t arena_bytes; /* for inputs and results under way, of each worker; 0: some MiB, and what
                           is larger travels alone */
};

RV_END_DECLS
