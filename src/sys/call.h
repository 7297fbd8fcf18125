/* SPDX-License-Identifier: MIT */
/* call.h - the seam for system calls: every site in this room that may fail can be made to fail.
 *
 *     long done = RVI_CALL(GUARD_MANY, syscall(SYS_process_madvise, ...));
 *
 * is the call, and in builds with RVI_DEBUG_CHECKS >= 1 first a look whether a test wants this one
 * to fail: then it is not made, the value is -1 (MAP_FAILED, for a pointer), and errno is one of
 * those that the kernel may really give there. The table below names them, so it is also the list
 * of what each caller has to expect. In other builds nothing of it is left.
 *
 * A test makes each call of a whole scenario fail in turn, as with rvi_alloc_fail_after():
 *     for (long n = 1;; n++) {
 *         rvi_call_fail_after(n, variant, stays);
 *         int result = scenario();
 *         if (rvi_call_fail_pending())
 *             break;                          fewer than n calls: all were tried
 *         check result and what is left, by rvi_call_failed();
 *     }
 *     rvi_call_fail_after(-1, 0, false);
 *
 * Left out, and why:
 *   - calls that cannot fail with the arguments they get: clock_gettime, sched_yield, sysconf,
 *     pthread_sigmask, gettid and getpid;
 *   - FUTEX_WAKE, whose one error says that the word was unmapped and nobody sleeps there;
 *   - a wait's ETIMEDOUT before its deadline, which would be a lie about time;
 *   - putting a signal's disposition back, which fails only where setting it did;
 *   - what a signal handler does when the process is about to die;
 *   - the C library's own calls behind malloc (base/alloc.h is the seam there), reading on in an
 *     open file, mutexes and conditions of POSIX threads, which need no kernel to be made. */
#pragma once

#include <errno.h>
#include <stdbool.h>

/* X(site, is_optional, errors...): an optional call is one without which the library goes on. */
#define RVI_CALLS(X)                                                                               \
    /* stack.c: filters give EPERM, memory limits ENOMEM, MCL_FUTURE beyond its limit EAGAIN */    \
    X(RESERVE_STACKS, false, ENOMEM, EAGAIN)                                                       \
    X(RESERVE_SLOTS, false, ENOMEM, EAGAIN)                                                        \
    X(RELEASE, true, ENOMEM)       /* the limit on mappings: a release may split one */            \
    X(NO_HUGE_PAGES, true, EINVAL) /* kernels without huge pages */                                \
    X(NAME_REGION, true, EINVAL)   /* kernels without CONFIG_ANON_VMA_NAME */                      \
    X(OPEN_PIDFD, true, ENOSYS, EMFILE, EPERM)                                                     \
    X(GUARD_MANY, true, EINVAL, ENOMEM, EPERM) /* EINVAL before 6.13 */                            \
    X(GUARD, false, ENOMEM, EINVAL)            /* EINVAL before 6.13 */                            \
    X(GUARD_HEAVY, false, ENOMEM)                                                                  \
    X(PROBE_GUARD, true, EAGAIN, ENOSYS) /* anything but EFAULT says that there is no guard */     \
    X(GIVE_BACK_MANY, true, EINVAL, ENOMEM, EPERM)                                                 \
    X(GIVE_BACK, true, EINVAL) /* locked pages */                                                  \
    X(COUNT_RESIDENT, true, EAGAIN, ENOMEM)                                                        \
    X(READ_MAX_MAPPINGS, true, ENOENT, EMFILE)                                                     \
    X(FIND_OWN_STACK, false, ENOMEM, EMFILE) /* reads /proc for the first thread */                \
    /* fault.c: filters; a handler that runs on the very stack gives EPERM */                      \
    X(INSTALL_HANDLER, false, EPERM)                                                               \
    X(ASK_SIGNAL_STACK, false, EPERM)                                                              \
    X(SET_SIGNAL_STACK, false, ENOMEM, EPERM)                                                      \
    X(RESTORE_SIGNAL_STACK, true, EPERM)                                                           \
    X(MAP_SIGNAL_STACK, false, ENOMEM, EAGAIN)                                                     \
    X(GUARD_SIGNAL_STACK, false, ENOMEM)                                                           \
    /* thread.c */                                                                                 \
    X(START_THREAD, false, EAGAIN)                                                                 \
    X(NAME_THREAD, true, ENOENT, EMFILE)                                                           \
    X(ASK_TIMER_SLACK, true, EPERM)                                                                \
    X(SET_TIMER_SLACK, true, EPERM)                                                                \
    /* quit.c, last_words.c, capture.c: filters; a thread that has just ended; pending signals */  \
    X(WATCH_QUIT, true, EPERM)                                                                     \
    X(SET_LAST_WORDS, false, EPERM)                                                                \
    X(SET_CAPTURE, false, EPERM)                                                                   \
    X(CAPTURE, false, ESRCH, EAGAIN)                                                               \
    /* op.c, write.c */                                                                            \
    X(POLL, false, ENOMEM, EINTR)                                                                  \
    X(READ, false, EIO, EINTR)                                                                     \
    X(WRITE, false, EPIPE, EINTR, ENOSPC)                                                          \
    X(RECV, false, ECONNRESET, EINTR, ENOMEM)                                                      \
    X(SEND, false, EPIPE, ECONNRESET, EINTR)                                                       \
    X(ACCEPT, false, EMFILE, ECONNABORTED, EINTR)                                                  \
    X(CONNECT, false, ECONNREFUSED, EINTR)                                                         \
    X(SENDFILE, false, ECONNRESET, EINTR, EINVAL)                                                  \
    X(SPLICE, false, ECONNRESET, EINTR, EINVAL)                                                    \
    X(OPEN, false, EMFILE, EACCES, EINTR)                                                          \
    X(STAT, false, EACCES)                                                                         \
    X(SYNC, false, EIO, ENOSPC)                                                                    \
    X(RENAME, false, EACCES, ENOSPC)                                                               \
    X(UNLINK, false, EACCES)                                                                       \
    X(MKDIR, false, EACCES, ENOSPC)                                                                \
    X(TRUNCATE, false, EIO, EINTR)                                                                 \
    X(CLOSE, false, EIO)                                                                           \
    /* sock.c */                                                                                   \
    X(SOCKET, false, EMFILE, ENOBUFS, ENOMEM)                                                      \
    X(SOCKET_PAIR, false, EMFILE, ENOMEM)                                                          \
    X(BIND, false, EADDRINUSE, EACCES)                                                             \
    X(LISTEN, false, EADDRINUSE)                                                                   \
    X(SHUT_DOWN, false, ENOTCONN)                                                                  \
    X(SET_SOCKET, false, ENOBUFS, ENOMEM)                                                          \
    X(ASK_SOCKET, false, ENOBUFS)                                                                  \
    X(ASK_INTERFACE, false, ENODEV)                                                                \
    X(EPOLL, false, EMFILE, ENOMEM)                                                                \
    X(EPOLL_ADD, false, ENOMEM, ENOSPC)                                                            \
    /* fd.c, poller.c */                                                                           \
    X(OPEN_PIPE, false, EMFILE, ENFILE)                                                            \
    X(UNBLOCK, false, EPERM)                                                                       \
    X(COPY_FD, false, EMFILE)                                                                      \
    X(OPEN_EVENT, false, EMFILE, ENOMEM)                                                           \
    X(OPEN_EPOLL, false, EMFILE, ENOMEM)                                                           \
    X(WATCH, false, ENOMEM, ENOSPC) /* ENOSPC: the user's limit on watches */                      \
    X(WAIT_EVENTS, true, EINTR)                                                                    \
    X(WAIT_NANOSECONDS, true, ENOSYS, EINTR) /* ENOSYS before 5.11 */                              \
    /* uring.c */                                                                                  \
    X(OPEN_RING, false, ENOSYS, EPERM, ENOMEM)                                                     \
    X(PROBE_RING, false, ENOMEM)                                                                   \
    X(ENTER_RING, true, EBUSY, EINTR)                                                              \
    /* files.c: without either, there is a second way */                                           \
    X(OPEN_CACHED, true, EAGAIN, ENOSYS, EPERM)                                                    \
    X(LIST, false, EIO, ENOENT)                                                                    \
    X(COPY, true, EXDEV, ENOSYS, EINTR)                                                            \
    /* spawn.c: those called CHILD_ are made in the child; filters, limits, lack of privilege */   \
    X(CLONE_CHILD, false, EAGAIN, ENOMEM, EMFILE)                                                  \
    X(CHILD_GROUP, false, EPERM)                                                                   \
    X(CHILD_FD, false, EMFILE, EACCES)                                                             \
    X(CHILD_MARK_ALL, true, ENOSYS, EINVAL) /* EINVAL before 5.11 */                               \
    X(CHILD_MARK_FD, true, EBADF)           /* the folder that is read, once closed */             \
    X(CHILD_LIMIT, false, EPERM, EINVAL)                                                           \
    X(CHILD_NICE, false, EACCES, EPERM)                                                            \
    X(CHILD_CPUS, false, EINVAL, EPERM)                                                            \
    X(CHILD_IDENTITY, false, EPERM, EAGAIN)                                                        \
    X(CHILD_DEATH_SIGNAL, false, EINVAL)                                                           \
    X(CHILD_FOLDER, false, ENOENT, EACCES)                                                         \
    X(CHILD_SIGNALS, false, EPERM)                                                                 \
    X(CHILD_EXEC, false, ENOENT, ENOMEM, EACCES)                                                   \
    X(ASK_DUMPABLE, true, EPERM)                                                                   \
    X(SET_DUMPABLE, true, EPERM)                                                                   \
    X(WAIT_CHILD, true, EINTR)                                                                     \
    X(KILL_CHILD, false, EPERM)                                                                    \
    /* signals.c: filters; a pipe that is full */                                                  \
    X(CATCH_SIGNAL, false, EPERM)                                                                  \
    X(TELL_SIGNAL, true, EAGAIN)                                                                   \
    /* ticks.c: containers without the file; filters. EINVAL on aarch64 before 6.12 */             \
    X(OPEN_CLOCK_SOURCE, true, ENOENT, EACCES, EMFILE)                                             \
    X(READ_CLOCK_SOURCE, true, EIO)                                                                \
    X(ASK_COUNTER, true, EPERM)                                                                    \
    /* memfd.c: EINVAL before 6.3, 5.14 */                                                         \
    X(MAKE_MEMORY_NOEXEC, true, EINVAL)                                                            \
    X(MAKE_MEMORY, false, EMFILE, ENOMEM)                                                          \
    X(SIZE_MEMORY, false, ENOMEM)                                                                  \
    X(SEAL_MEMORY, false, EPERM)                                                                   \
    X(FILL_MEMORY, false, ENOSPC, EINTR)                                                           \
    X(MAP_MEMORY, false, ENOMEM)                                                                   \
    X(DROP_MEMORY, true, EINTR, EPERM)                                                             \
    X(TOUCH_MEMORY, true, EINVAL, ENOMEM)                                                          \
    /* nonce.c: filters */                                                                         \
    X(ASK_RANDOM, false, ENOSYS, EINTR)                                                            \
    /* self.c: filters */                                                                          \
    X(SHARE_LIFE, true, EINVAL, EPERM)                                                             \
    /* living.c: without an answer a process counts as alive */                                    \
    X(OPEN_PROCESS_STAT, true, ENOENT, EMFILE, EACCES)                                             \
    X(READ_PROCESS_STAT, true, ESRCH)                                                              \
    X(OPEN_PROCESS, true, EMFILE, ENOSYS, EPERM)                                                   \
    X(ASK_PROCESS, true, ENOMEM)                                                                   \
    /* confine.c: kernels without it; filters */                                                   \
    X(FORBID_PRIVILEGES, false, EINVAL)                                                            \
    X(FILTER_CALLS, false, EINVAL, ENOSYS, ENOMEM)                                                 \
    X(FILTER_FILES, false, ENOSYS, EOPNOTSUPP, ENOMEM)                                             \
    /* futex.c */                                                                                  \
    X(WAIT, true, EINTR, EAGAIN)                                                                   \
    /* fence.c: ENOMEM where the set of cores is too large for a kernel's stack */                 \
    X(ASK_BARRIER, true, ENOSYS, EPERM)                                                            \
    X(REGISTER_BARRIER, true, ENOMEM, EPERM)                                                       \
    X(TRY_BARRIER, true, ENOMEM, EPERM)                                                            \
    X(BARRIER, true, ENOMEM)                                                                       \
    /* topology.c: EINVAL means a mask too small */                                                \
    X(READ_AFFINITY, true, EINVAL, EPERM)                                                          \
    X(READ_CGROUP, true, ENOENT, EACCES, EMFILE)

#define RVI_CALL_NAME(site, ...) RVI_CALL_##site,
enum rvi_call_site { RVI_CALLS(RVI_CALL_NAME) RVI_CALL_COUNT };
#undef RVI_CALL_NAME

#define RVI_CALL(site, ...) RVI_CALL_AT(RVI_CALL_##site, __VA_ARGS__)
#define RVI_CALL_AT(call, ...) (rvi_call_fails(call) ? (__typeof__(__VA_ARGS__))-1 : (__VA_ARGS__))

#if RVI_DEBUG_CHECKS >= 1

/** Whether a test wants this call to fail; errno says how. For sites that RVI_CALL does not fit. */
bool rvi_call_fails(enum rvi_call_site call);

#else

static inline bool rvi_call_fails(enum rvi_call_site call)
{
    (void)call;
    return false;
}

#endif

/** Testing: let the n-th call from now fail (1: the next one) with its site's error number
 * `variant` (0: the first; sites with fewer do not count), and if it `stays`, all later ones of
 * that site too: a lasting lack rather than a moment's, of which calls that are repeated until they
 * succeed are spared. -1 disarms. Without effect in builds that have no seam.
 *
 * Errors:  none; n == 0 is a mistake and panics
 * Blocks:  no
 * Threads: any, while nothing runs; calls of all threads count
 * Lifetime: until the next call */
void rvi_call_fail_after(long n, unsigned variant, bool stays);

/** Testing: let the next call at this site fail, whichever call of the program that is, with the
 * site's first error number. Threads take turns as they like, so the n-th call is another one in
 * each run, and only so is a certain one sure to be met. Otherwise as rvi_call_fail_after(). */
void rvi_call_fail_at(enum rvi_call_site call);

/** Testing: a kernel that has not got this call, or has it again: it fails with its first error
 * number, and does not count. */
void rvi_call_lacks(enum rvi_call_site call, bool lacks);

/** Testing: whether an armed failure has not come yet. */
bool rvi_call_fail_pending(void);

/** Testing: what has failed since the last rvi_call_fail_after(), in words; and whether the library
 * is to go on without it. NULL: nothing has. */
const char *rvi_call_failed(bool *ret_is_optional);

/** Testing: error numbers of the site that has most. */
enum { RVI_CALL_VARIANTS = 3 };
