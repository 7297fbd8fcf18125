/* SPDX-License-Identifier: MIT */
/* quit.c - the handler counts and wakes; the thread does the rest.
 *
 * Whoever is stuck cannot help: so the thread belongs to nobody, and is there from the beginning,
 * because a signal handler cannot start one. It sleeps on the count of everything.
 *
 * A second SIGINT is the handler's own: it puts the default back and sends the signal again, so
 * that who has started the program sees it killed by it, whatever the thread is doing.
 *
 * Checked by: tests/unit/sys/test_quit.c */
#include "sys/quit.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/seam.h"
#include "sys/call.h"
#include "sys/futex.h"
#include "sys/thread.h"

typedef void quit_fn(void);

struct watched {
    int number;
    bool kills_twice;          /* the second one has its default action */
    unsigned users;            /* the lock's */
    struct sigaction previous; /* the lock's */
    _Atomic(quit_fn *) call;   /* set before the handler is there */
    _Atomic(uint32_t) count;   /* signals so far, of the whole process's life */
    _Atomic(uint32_t) base;    /* the count when the first user came */
};

static struct watched all_watched[] = {{.number = SIGINT, .kills_twice = true},
                                       {.number = SIGQUIT}};

enum { WATCHED = sizeof all_watched / sizeof all_watched[0] };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards thread and its users */
static unsigned thread_users;
static pthread_t thread;

static _Atomic(uint32_t) events; /* futex: signals so far, and requests to stop */
static _Atomic(bool) is_stopping;

static struct watched *watched_of(int number)
{
    struct watched *watched = all_watched;

    while (watched->number != number)
        RV_CHECK(++watched < all_watched + WATCHED);
    return watched;
}

static void poke(void)
{
    rvi_fetch_add_release(&events, 1); /* pairs: quit-events */
    rvi_futex_wake(&events, INT_MAX);
}

/* --- the handler --- */

static void die_of(int number)
{
    const struct sigaction plain = {.sa_handler = SIG_DFL};

    sigaction(number, &plain, NULL);
    (void)syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), number);
}

static void on_signal(int number)
{
    int saved_errno = errno;
    struct rvi_seam *seam = rvi_seam_leave();
    struct watched *watched = watched_of(number);

    uint32_t before = rvi_fetch_add_release(&watched->count, 1); /* pairs: quit-count */
    if (watched->kills_twice && before != rvi_load_relaxed(&watched->base))
        die_of(number);
    else
        poke();
    rvi_seam_return(seam);
    errno = saved_errno;
}

/* --- the thread --- */

/* What was counted while somebody else ran the thread is over. */
static void call_due(uint32_t seen[WATCHED])
{
    for (int i = 0; i < WATCHED; i++) {
        uint32_t now = rvi_load_acquire(&all_watched[i].count); /* pairs: quit-count */
        if (now != seen[i])
            rvi_load_acquire (&all_watched[i].call)(); /* pairs: quit-call */
        seen[i] = now;
    }
}

static void *wait_for_signals(void *arg)
{
    uint32_t seen[WATCHED], last = *(const uint32_t *)arg, now;

    for (int i = 0; i < WATCHED; i++)
        seen[i] = rvi_load_relaxed(&all_watched[i].base);
    for (;;) {
        while ((now = rvi_load_acquire(&events)) == last) /* pairs: quit-events */
            rvi_futex_wait(&events, last, INT64_MAX);
        if (rvi_load_relaxed(&is_stopping))
            return NULL;
        last = now;
        call_due(seen);
    }
}

static bool enter_thread(void)
{
    static uint32_t last; /* read by the thread, which is the only one */

    if (thread_users == 0) {
        last = rvi_load_relaxed(&events);
        for (int i = 0; i < WATCHED; i++)
            rvi_store_relaxed(&all_watched[i].base, rvi_load_relaxed(&all_watched[i].count));
        rvi_store_relaxed(&is_stopping, false);
        if (rvi_thread_start(&thread, "ravel-quit", wait_for_signals, &last) < 0)
            return false;
    }
    thread_users++;
    return true;
}

static void leave_thread(void)
{
    if (--thread_users > 0)
        return;
    rvi_store_relaxed(&is_stopping, true);
    poke();
    rvi_thread_join(thread);
}

/* --- taking a signal over --- */

static bool is_default(struct watched *watched)
{
    struct sigaction *previous = &watched->previous;

    return RVI_CALL(WATCH_QUIT, sigaction(watched->number, NULL, previous)) == 0 &&
           !(previous->sa_flags & SA_SIGINFO) && previous->sa_handler == SIG_DFL;
}

/* The lock is held. */
static bool start(struct watched *watched, void (*fn)(void))
{
    struct sigaction ours = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK | SA_RESTART};

    if (!is_default(watched) || !enter_thread())
        return false;
    rvi_store_release(&watched->call, fn); /* pairs: quit-call */
    rvi_store_relaxed(&watched->base, rvi_load_relaxed(&watched->count));
    sigemptyset(&ours.sa_mask);
    if (RVI_CALL(WATCH_QUIT, sigaction(watched->number, &ours, NULL)) == 0)
        return true;
    leave_thread();
    return false;
}

bool rvi_quit_open(int number, void (*fn)(void))
{
    struct watched *watched = watched_of(number);

    pthread_mutex_lock(&lock);
    bool is_on = watched->users > 0 || start(watched, fn);
    watched->users += is_on;
    pthread_mutex_unlock(&lock);
    return is_on;
}

/* A handler that the program has installed since stays. */
static void give_back(const struct watched *watched)
{
    struct sigaction now;

    if (sigaction(watched->number, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) &&
        now.sa_handler == on_signal)
        sigaction(watched->number, &watched->previous, NULL);
}

void rvi_quit_close(int number)
{
    struct watched *watched = watched_of(number);

    pthread_mutex_lock(&lock);
    if (--watched->users == 0) {
        give_back(watched);
        leave_thread();
    }
    pthread_mutex_unlock(&lock);
}
