/* SPDX-License-Identifier: MIT */
/* quit.c - the handler counts and wakes; the thread does the rest.
 *
 * Whoever is stuck cannot help: so the thread belongs to nobody, and is there from the beginning,
 * because a signal handler cannot start one. It sleeps on the count.
 *
 * Checked by: tests/unit/sys/test_quit.c */
#include "sys/quit.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/seam.h"
#include "sys/call.h"
#include "sys/futex.h"
#include "sys/thread.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards users, thread, previous */
static unsigned users;
static pthread_t thread;
static struct sigaction previous;

static _Atomic(uint32_t) count; /* futex: signals so far, and requests to stop */
static _Atomic(bool) is_stopping;

static void poke(void)
{
    rvi_fetch_add_release(&count, 1); /* pairs: quit-count */
    rvi_futex_wake(&count, INT_MAX);
}

static void on_quit(int number)
{
    int saved_errno = errno;
    struct rvi_seam *seam = rvi_seam_leave();

    (void)number;
    poke();
    rvi_seam_return(seam);
    errno = saved_errno;
}

static void *wait_for_quit(void *arg)
{
    void (*const *fn)(void) = arg;
    void (*call)(void) = *fn;
    uint32_t seen = 0, now;

    for (;;) {
        while ((now = rvi_load_acquire(&count)) == seen) /* pairs: quit-count */
            rvi_futex_wait(&count, seen, INT64_MAX);
        if (rvi_load_relaxed(&is_stopping))
            return NULL;
        seen = now;
        call();
    }
}

static bool is_default(void)
{
    return RVI_CALL(WATCH_QUIT, sigaction(SIGQUIT, NULL, &previous)) == 0 &&
           !(previous.sa_flags & SA_SIGINFO) && previous.sa_handler == SIG_DFL;
}

static void stop(void)
{
    rvi_store_relaxed(&is_stopping, true);
    poke();
    rvi_thread_join(thread);
}

/* The lock is held. */
static bool start(void (*fn)(void))
{
    static void (*call)(void);
    struct sigaction ours = {.sa_handler = on_quit, .sa_flags = SA_ONSTACK | SA_RESTART};

    if (!is_default())
        return false;
    call = fn;
    rvi_store_relaxed(&count, 0);
    rvi_store_relaxed(&is_stopping, false);
    if (rvi_thread_start(&thread, "ravel-quit", wait_for_quit, &call) < 0)
        return false;
    sigemptyset(&ours.sa_mask);
    if (RVI_CALL(WATCH_QUIT, sigaction(SIGQUIT, &ours, NULL)) == 0)
        return true;
    stop();
    return false;
}

bool rvi_quit_open(void (*fn)(void))
{
    pthread_mutex_lock(&lock);
    bool is_on = users > 0 || start(fn);
    users += is_on;
    pthread_mutex_unlock(&lock);
    return is_on;
}

/* A handler that the program has installed since stays. */
static void give_back(void)
{
    struct sigaction now;

    if (sigaction(SIGQUIT, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) &&
        now.sa_handler == on_quit)
        sigaction(SIGQUIT, &previous, NULL);
}

void rvi_quit_close(void)
{
    pthread_mutex_lock(&lock);
    if (--users == 0) {
        give_back();
        stop();
    }
    pthread_mutex_unlock(&lock);
}
