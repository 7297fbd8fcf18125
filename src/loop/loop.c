/* SPDX-License-Identifier: MIT */
/* loop.c - which backend; and that of a fork's parent.
 *
 * AUTO is epoll. What a small request takes of the CPU, as a share of what it takes a loop written
 * by hand on epoll (the ratios of `make bench ARGS="--only io-echo"`, pairs on a shared machine):
 * with 64 connections epoll 0.96 to 1.03 and io_uring 0.89 to 1.03; with 1,024 both 1.12 on a quiet
 * machine, on a busy one 1.13 to 1.2 and 1.27 to 1.3. io_uring saves system calls rather than time:
 * a receive that has to wait is tried, gets its poll armed, and is tried again. That is not enough
 * for what it risks (many containers refuse it, and it has had more holes than any other call).
 * What it is better at, files that are not in memory, is seldom a server's bottleneck; who has such
 * files asks for it.
 *
 * A fork's child has its parent's descriptors, and by them its parent's epoll and rings: whatever
 * it did with them would be done to the parent. It also has one thread only, so that the runtime
 * does not run there in any case: a child may execute another program, or end. One that waits in
 * spite of that is stopped with a word about it, which costs each wait a comparison. */
#include "loop/loop.h"

#include <errno.h>
#include <pthread.h>

#include "base/check.h"

_Atomic(uint32_t) rvi_loop_forks;
static pthread_once_t forks_once = PTHREAD_ONCE_INIT;

static void in_child(void)
{
    rvi_store_relaxed(&rvi_loop_forks, rvi_load_relaxed(&rvi_loop_forks) + 1);
}

static void watch_forks(void)
{
    int r = pthread_atfork(NULL, NULL, in_child);

    RV_CHECK(r == 0);
}

void rvi_loop_stop_child(void)
{
    rvi_panic("a task waits in a process that was forked from the runtime's: rings and epoll do "
              "not survive a fork. The child may exec() or _exit()");
}

int rvi_loop_open(struct rvi_loop **ret, enum rv_backend backend, int call)
{
    int r;

    pthread_once(&forks_once, watch_forks);
    r = backend == RV_BACKEND_URING ? rvi_loop_open_uring(ret, call)
                                    : rvi_loop_open_epoll(ret, call);
    if (r == 0)
        (*ret)->forks = rvi_load_relaxed(&rvi_loop_forks);
    return r;
}

void *rvi_loop_close(struct rvi_loop *loop)
{
    if (!loop)
        return NULL;
    RV_CHECK(loop->pending == 0);
    loop->backend->close(loop);
    return NULL;
}
