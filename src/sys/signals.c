/* SPDX-License-Identifier: MIT */
/* signals.c - a handler writes who has sent what into a pipe for each subscriber.
 *
 * A pipe is a queue that a handler may write to, that a task may wait for and that is bounded. So
 * that it is never full for a signal that was not told yet, each ordinary signal is in it once at
 * most (`waiting`), and real-time ones as many as leave room for those.
 *
 *     handler                              subscriber leaves
 *     users + 1                            wanted = 0 for all signals
 *     look whether it is wanted            wait until users is 0
 *     write                                close
 *     users - 1
 *
 * Both sides store first and look then, in one order for all: either the handler sees that it is
 * not wanted, or it is waited for.
 *
 * Handler and pipe rather than signalfd(2): that wants the signals blocked in every thread of the
 * program, those of foreign libraries too, and in their children; and each signal goes to one
 * reader of one of several signalfds, not to all.
 *
 * Invariants (lock held):
 *   S1  wanted_by[n] > 0  <=>  the handler has been installed for n, and previous[n] is what was
 *       there before
 *
 * Checked by: tests/unit/sys/test_signals.c, tests/unit/io/test_signal.c,
 * tests/stress/stress_signal.c, tests/faults */
#include "sys/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/seam.h"
#include "sys/call.h"
#include "sys/fd.h"
#include "sys/thread.h"

enum { SUBSCRIBERS = 32, SIGNALS = 64, ORDINARY = 31, MOST_QUEUED = 1000 };

/* By number; [0] is not used. */
struct subscriber {
    bool is_taken; /* the lock's */
    int fd;        /* to write to; while any is wanted */
    uint32_t room; /* for real-time signals */
    _Atomic(uint32_t) users;
    _Atomic(uint32_t) queued; /* real-time signals in the pipe */
    _Atomic(bool) wanted[SIGNALS + 1];
    _Atomic(bool) waiting[SIGNALS + 1]; /* of ordinary signals: one is in the pipe */
    _Atomic(uint32_t) missed[SIGNALS + 1];
};

static struct subscriber subscribers[SUBSCRIBERS];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned wanted_by[SIGNALS + 1];
static struct sigaction previous[SIGNALS + 1];

/* --- the handler --- */

static bool is_queued(int number)
{
    return number > ORDINARY;
}

/* Whether there is a place in the pipe for this one. */
static bool enter(struct subscriber *s, int number)
{
    if (!is_queued(number))
        return !rvi_exchange_acq_rel(&s->waiting[number], true); /* pairs: signal-waiting */
    if (rvi_fetch_add_relaxed(&s->queued, 1) < s->room)
        return true;
    rvi_fetch_sub_relaxed(&s->queued, 1);
    return false;
}

static void leave(struct subscriber *s, int number)
{
    if (is_queued(number))
        rvi_fetch_sub_relaxed(&s->queued, 1);
    else
        rvi_store_release(&s->waiting[number], false); /* pairs: signal-waiting */
}

static void tell(struct subscriber *s, const struct rv_signal_info *what)
{
    if (!enter(s, what->signal)) {
        rvi_fetch_add_relaxed(&s->missed[what->signal], 1);
    } else if (RVI_CALL(TELL_SIGNAL, write(s->fd, what, sizeof *what)) != sizeof *what) {
        rvi_fetch_add_relaxed(&s->missed[what->signal], 1);
        leave(s, what->signal);
    }
}

static struct rv_signal_info info_of(int number, const siginfo_t *info)
{
    bool has_value = info->si_code == SI_QUEUE;

    return (struct rv_signal_info){
        .signal = number,
        .code = info->si_code,
        .pid = info->si_code > 0 && number != SIGCHLD ? 0 : info->si_pid,
        .uid = info->si_code > 0 && number != SIGCHLD ? 0 : info->si_uid,
        .value = has_value           ? (intptr_t)info->si_value.sival_ptr
                 : number == SIGCHLD ? info->si_status
                                     : 0,
    };
}

static void tell_all(const struct rv_signal_info *what)
{
    for (int i = 0; i < SUBSCRIBERS; i++) {
        struct subscriber *s = &subscribers[i];
        if (!rvi_load_relaxed(&s->wanted[what->signal]))
            continue;
        rvi_fetch_add_seq_cst(&s->users, 1);            /* pairs: signal-users */
        if (rvi_load_seq_cst(&s->wanted[what->signal])) /* pairs: signal-wanted */
            tell(s, what);
        rvi_fetch_sub_seq_cst(&s->users, 1); /* pairs: signal-users */
    }
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    int saved_errno = errno;
    struct rvi_seam *seam = rvi_seam_leave();
    struct rv_signal_info what = info_of(number, info);

    (void)context;
    tell_all(&what);
    rvi_seam_return(seam);
    errno = saved_errno;
}

/* --- installing it --- */

static bool may_be_wanted(int number)
{
    static const int not [] = {SIGKILL, SIGSTOP, SIGPROF, SIGSEGV, SIGBUS,
                               SIGFPE,  SIGILL,  SIGTRAP, SIGSYS,  SIGABRT};

    for (size_t i = 0; i < sizeof not / sizeof not [0]; i++) {
        if (not [i] == number)
            return false;
    }
    return true;
}

/* 0: some, all of them possible. */
static int check(const sigset_t *set)
{
    int count = 0;

    for (int number = 1; number <= SIGNALS; number++) {
        int is_in = sigismember(set, number) == 1;
        if (is_in && !may_be_wanted(number))
            return -EINVAL;
        count += is_in;
    }
    return count > 0 ? 0 : -EINVAL;
}

/* A handler that the program has installed since stays. */
static void uninstall(int number)
{
    struct sigaction now;

    if (sigaction(number, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) &&
        now.sa_sigaction == on_signal)
        sigaction(number, &previous[number], NULL);
}

static int install(int number)
{
    struct sigaction ours = {.sa_sigaction = on_signal,
                             .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};

    sigfillset(&ours.sa_mask);
    return RVI_CALL(CATCH_SIGNAL, sigaction(number, &ours, &previous[number])) < 0 ? -errno : 0;
}

static void give_up(struct subscriber *s, int number)
{
    if (!rvi_load_relaxed(&s->wanted[number]))
        return;
    rvi_store_seq_cst(&s->wanted[number], false); /* pairs: signal-wanted */
    if (--wanted_by[number] == 0)
        uninstall(number);
}

static void give_all_up(struct subscriber *s)
{
    for (int number = 1; number <= SIGNALS; number++)
        give_up(s, number);
    while (rvi_load_seq_cst(&s->users)) /* pairs: signal-users */
        rvi_thread_yield();
    s->is_taken = false;
}

/* Wanted first: whoever finds the handler finds a subscriber. */
static int want(struct subscriber *s, int number)
{
    rvi_store_relaxed(&s->missed[number], 0);
    rvi_store_relaxed(&s->waiting[number], false);
    rvi_store_seq_cst(&s->wanted[number], true); /* pairs: signal-wanted */
    int r = wanted_by[number]++ == 0 ? install(number) : 0;
    if (r < 0) {
        rvi_store_seq_cst(&s->wanted[number], false); /* pairs: signal-wanted */
        wanted_by[number]--;
    }
    return r;
}

static int want_all(struct subscriber *s, const sigset_t *set)
{
    for (int number = 1; number <= SIGNALS; number++) {
        int r = sigismember(set, number) == 1 ? want(s, number) : 0;
        if (r < 0) {
            give_all_up(s);
            return r;
        }
    }
    return 0;
}

/* --- subscribers --- */

static struct subscriber *take_free(void)
{
    for (int i = 0; i < SUBSCRIBERS; i++) {
        if (!subscribers[i].is_taken)
            return &subscribers[i];
    }
    return NULL;
}

/* A user with many pipes has smaller ones. */
static uint32_t room_for_queued(int fd)
{
    long fit = fcntl(fd, F_GETPIPE_SZ) / (long)sizeof(struct rv_signal_info) - ORDINARY;

    return fit < 0 ? 0 : fit < MOST_QUEUED ? (uint32_t)fit : MOST_QUEUED;
}

static int subscribe(const sigset_t *set, int fd)
{
    struct subscriber *s = take_free();

    if (!s)
        return -ENOSPC;
    s->is_taken = true;
    s->fd = fd;
    s->room = room_for_queued(fd);
    rvi_store_relaxed(&s->queued, 0);
    int r = want_all(s, set);
    return r < 0 ? r : (int)(s - subscribers);
}

int rvi_signals_subscribe(const sigset_t *set, int *ret_fd)
{
    int ends[2];
    int r = check(set);

    if (r < 0 || (r = rvi_fd_pipe(ends, O_NONBLOCK)) < 0)
        return r;
    pthread_mutex_lock(&lock);
    r = subscribe(set, ends[1]);
    pthread_mutex_unlock(&lock);
    if (r < 0) {
        rvi_fd_close(ends[0]);
        rvi_fd_close(ends[1]);
        return r;
    }
    *ret_fd = ends[0];
    return r;
}

unsigned rvi_signals_took(int subscription, int signal)
{
    struct subscriber *s = &subscribers[subscription];

    leave(s, signal);
    return rvi_exchange_relaxed(&s->missed[signal], 0);
}

void rvi_signals_unsubscribe(int subscription)
{
    struct subscriber *s = &subscribers[subscription];

    pthread_mutex_lock(&lock);
    int to = s->fd;
    give_all_up(s);
    pthread_mutex_unlock(&lock);
    rvi_fd_close(to);
}
