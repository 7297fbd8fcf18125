/* SPDX-License-Identifier: MIT */
/* signal.h - signals as values, that a task waits for like anything else.
 *
 *     sigset_t set;
 *     rv_signals *signals;
 *     sigemptyset(&set);
 *     sigaddset(&set, SIGTERM);
 *     sigaddset(&set, SIGHUP);
 *     int r = rv_signals_open(&signals, &set);
 *     struct rv_signal_info info;
 *     while (r == 0 && (r = rv_signal_wait(signals, &info, RV_NEVER)) == 0)
 *         printf("%s from process %d\n", strsignal(info.signal), (int)info.pid);
 *
 * Whoever has a set open gets each signal that is in it; what the program did with them before is
 * put aside until the last such set is closed. Threads of the runtime block signals: they arrive on
 * the thread that called rv_run, and on the program's own, and one of them has to have them open.
 *
 * SIGINT by itself cancels: whenever a runtime runs and the program has left that signal at its
 * default, the first one cancels the first task with all that it owns, for rv_cancelled with
 * -EINTR, and a second one ends the program as the default would. A set with SIGINT takes its
 * place; rv_run_opts.no_interrupt leaves the signal alone.
 *
 * SIGPIPE is never raised by tasks: rv_write to a pipe or socket that nobody reads is -EPIPE. On a
 * plain thread a pipe raises it, as write(2) does. */
#pragma once

#include <signal.h>
#include <stdint.h>
#include <sys/select.h> /* sigset_t, also where <signal.h> hides it: in strict ISO C */
#include <sys/types.h>

#include <ravel/def.h>
#include <ravel/time.h>

RV_BEGIN_DECLS

/** A set of signals that somebody gets. */
typedef struct rv_signals rv_signals;

/** A signal that has come. */
struct rv_signal_info {
    int signal;      /* its number */
    int code;        /* si_code of sigaction(2): SI_USER, SI_QUEUE, SI_KERNEL, CLD_EXITED ... */
    pid_t pid;       /* who has sent it, or of SIGCHLD whose end it tells; 0: the kernel */
    uid_t uid;       /* of that process */
    intptr_t value;  /* what was sent along by sigqueue(3); of SIGCHLD the status */
    unsigned missed; /* how many more of this signal have come since it was last told: they are told
                        as this one */
};

/** Get signals from now on.
 *
 * A signal that has come and is not told yet swallows further ones of its number, as in the kernel;
 * rv_signal_info.missed counts them. Real-time signals are queued, some hundreds of them.
 *
 * @param ret  the set; every set open gets every signal of its own
 * @param set  which; not SIGKILL, SIGSTOP, SIGPROF, nor what faults and abort raise
 * @return 0
 * Errors:  -EINVAL set is empty, or has one of these; -ENOSPC more than 32 sets; -ENOMEM; -EMFILE;
 *          -ENOTSUP in a simulation
 * Blocks:  no
 * Threads: any task of any worker, plain threads
 * Lifetime: until rv_signals_close */
RV_API RV_NODISCARD int rv_signals_open(rv_signals **ret, const sigset_t *set);

/** Wait for the next signal of a set.
 *
 * @param signals   the set; of several that wait one gets it
 * @param ret       which it is
 * @param deadline  absolute monotonic nanoseconds, or RV_NEVER
 * @return 0
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -ENOMEM
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: keep signals until return */
RV_API RV_NODISCARD int rv_signal_wait(rv_signals *signals, struct rv_signal_info *ret,
                                       rv_time deadline);

/** A descriptor that is readable while a signal of a set is to be told, for rv_poll and its like.
 *
 * @param signals  the set
 * @return a descriptor to wait for, not to read from
 * Errors:  none
 * Blocks:  no
 * Threads: any
 * Lifetime: until rv_signals_close */
RV_API int rv_signals_fd(const rv_signals *signals);

/** Get no more signals. Those that no other set wants have their disposition back, if the program
 * has not set another one meanwhile; those that have come and were not told are lost.
 *
 * @param signals  NULL does nothing; nobody waits for it any more
 * @return NULL
 * Errors:  none
 * Blocks:  no
 * Threads: any task of any worker, plain threads
 * Lifetime: ends that of signals */
RV_API rv_signals *rv_signals_close(rv_signals *signals);

RV_END_DECLS
