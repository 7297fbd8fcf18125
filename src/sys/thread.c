/* SPDX-License-Identifier: MIT */
/* thread.c - start a thread, set its timer slack, ask for the page size. */
#include "sys/thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/check.h"
#include "base/seam.h"
#include "sys/call.h"

/* A synchronous signal that is blocked kills the process without asking any handler. */
static const int stay_open[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT, SIGPROF};

static void block_asynchronous_signals(sigset_t *ret_old)
{
    sigset_t blocked;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof(stay_open) / sizeof(stay_open[0]); i++)
        sigdelset(&blocked, stay_open[i]);
    pthread_sigmask(SIG_BLOCK, &blocked, ret_old);
}

/* The mask is set in the starter, not the new thread: there is no moment in which the new thread
 * could take a signal. */
int rvi_thread_start(pthread_t *ret, const char *name, void *(*fn)(void *), void *arg)
{
    sigset_t old;

    if (rvi_unlikely(rvi_seam != NULL)) {
        uintptr_t thread;
        int r = rvi_seam->thread_start(rvi_seam, &thread, name, fn, arg);
        *ret = (pthread_t)thread;
        return r;
    }
    block_asynchronous_signals(&old);
    int rc = rvi_call_fails(RVI_CALL_START_THREAD) ? errno : pthread_create(ret, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0)
        return -rc;
    if (name) {
        char cut[16];
        snprintf(cut, sizeof(cut), "%s", name);
        /* Only for people to read; it fails when the thread has ended already. */
        (void)RVI_CALL(NAME_THREAD, pthread_setname_np(*ret, cut));
    }
    return 0;
}

void rvi_thread_join(pthread_t thread)
{
    if (rvi_unlikely(rvi_seam != NULL))
        rvi_seam->thread_join(rvi_seam, (uintptr_t)thread);
    else
        RV_CHECK(pthread_join(thread, NULL) == 0);
}

long rvi_timer_slack_set(unsigned long slack_ns)
{
    if (rvi_seam)
        return -ENOTSUP; /* a simulated clock is never late */
    long old = RVI_CALL(ASK_TIMER_SLACK, prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0));
    if (old < 0 || RVI_CALL(SET_TIMER_SLACK, prctl(PR_SET_TIMERSLACK, slack_ns, 0, 0, 0)) != 0)
        return -errno;
    return old;
}

int rvi_thread_id(void)
{
    return gettid();
}

size_t rvi_page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

void rvi_thread_yield(void)
{
    if (rvi_unlikely(rvi_seam != NULL))
        rvi_seam->point(rvi_seam, RVI_POINT_SPIN);
    else
        sched_yield();
}
