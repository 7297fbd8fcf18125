/* SPDX-License-Identifier: MIT */
/* sigpipe.c - the kernel sends SIGPIPE to the thread that writes, so it is that thread's mask that
 * counts, and one that is pending is its own.
 *
 * Rejected: to ignore the signal, which is a thing of the whole program and of the programs that it
 * starts. */
#include "sys/sigpipe.h"

#include <signal.h>
#include <stddef.h>
#include <time.h>

static sigset_t only_sigpipe(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    return set;
}

void rvi_sigpipe_hold(struct rvi_sigpipe *state)
{
    sigset_t set = only_sigpipe(), before;

    pthread_sigmask(SIG_BLOCK, &set, &before);
    state->was_open = !sigismember(&before, SIGPIPE);
}

void rvi_sigpipe_release(const struct rvi_sigpipe *state)
{
    const struct timespec now = {0};
    sigset_t set = only_sigpipe();

    if (!state->was_open)
        return;
    while (sigtimedwait(&set, NULL, &now) > 0) {}
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void rvi_sigpipe_keep(void (*fn)(void *arg), void *arg)
{
    struct sigaction before;

    sigaction(SIGPIPE, NULL, &before);
    fn(arg);
    sigaction(SIGPIPE, &before, NULL);
}
