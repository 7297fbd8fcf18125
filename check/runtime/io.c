/* SPDX-License-Identifier: MIT */
/* io.c - waiting for descriptors and child processes without the kernel.
 *
 *   I1  a thread that would block is blocked in the scheduler, with a question that tells whether
 *       it may go on; the call itself is made when it would not block
 *   I2  the questions are asked when a thread of this process did something to a descriptor, and
 *       when no thread can run: then until one says yes. So what comes from outside is met as late
 *       as possible, which is the same moment in each execution of a schedule
 *   I3  what waits for this process's own pipes is not waited for. If nothing else comes for
 *       PATIENCE_NS of real time, or somewhat longer if there is a child process, it is held that
 *       nothing will
 *
 * Descriptors that lie in a plain file, and the standard output streams, are never waited for and
 * are no points: see calls.c, which has the interposed calls.
 *
 * Checked by: tests/check */
#include "check/runtime/io.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

#include "check/runtime/alarm.h"
#include "check/runtime/answer.h"
#include "check/runtime/locks.h"
#include "check/runtime/next.h"
#include "check/runtime/process.h"
#include "check/runtime/signals.h"

#define PATIENCE_NS INT64_C(1000000000)
#define WITH_CHILD_NS INT64_C(4000000000) /* shorter than the watchdog's patience */
#define LINGER_NS INT64_C(50000000)
#define PAUSE_NS 200000

enum { OURS_MOST = 1024 };

/* On the stack of the thread that waits. */
struct waiter {
    struct rvi_link link;
    struct ck_thread *thread;
    ck_io_ready_fn *is_ready;
    void *arg;
    bool is_ours;
};

static struct rvi_list waiters;
static uint32_t waiter_count;
static bool ours[OURS_MOST]; /* by descriptor */

static void add(struct waiter *waiter)
{
    if (waiter_count++ == 0)
        rvi_list_init(&waiters);
    rvi_list_push_back(&waiters, &waiter->link);
}

static void take_off(struct waiter *waiter)
{
    rvi_link_remove(&waiter->link);
    waiter_count--;
}

bool ck_io_is_ours(int fd)
{
    return fd >= 0 && fd < OURS_MOST && ours[fd] && !ck_process_has_forked();
}

void ck_io_note_ours(int fd, bool is_ours)
{
    if (fd >= 0 && fd < OURS_MOST)
        ours[fd] = is_ours;
}

int ck_io_wait(const struct ck_op *op, int fd, short events, int64_t deadline, bool is_ours,
               ck_io_ready_fn *is_ready, void *arg)
{
    struct waiter waiter = {
        .thread = ck_self, .is_ready = is_ready, .arg = arg, .is_ours = is_ours};
    struct ck_wait wait = {CK_OP_IO, NULL, CK_NOBODY, deadline, fd, events};
    uint64_t handlers = ck_signals_handled();
    int r = 0;

    if (is_ready(arg))
        return 0;
    ck_event(op, (uint64_t)fd, CK_EVENT_BLOCKED);
    add(&waiter);
    while (r == 0 && !is_ready(arg)) {
        r = ck_block(&wait, true);
        if (r == 0 && ck_signals_handled() != handlers)
            r = -EINTR;
    }
    take_off(&waiter);
    return r;
}

int ck_io_wait_restarting(const struct ck_op *op, int fd, short events, bool is_ours,
                          ck_io_ready_fn *is_ready, void *arg)
{
    uint64_t interrupted = ck_signals_interrupted();
    int r;

    do
        r = ck_io_wait(op, fd, events, CK_NEVER, is_ours, is_ready, arg);
    while (r == -EINTR && ck_signals_interrupted() == interrupted);
    return r;
}

/* Whether one of them may go on. */
static bool ask_all(void)
{
    bool any = false;

    if (waiter_count == 0)
        return false;
    for (struct rvi_link *link = waiters.head.next; link != &waiters.head; link = link->next) {
        struct waiter *waiter = rvi_container_of(link, struct waiter, link);

        if (waiter->thread->state != CK_BLOCKED || !waiter->is_ready(waiter->arg))
            continue;
        ck_wake(waiter->thread);
        any = true;
    }
    return any;
}

void ck_io_done(void)
{
    ask_all();
}

static int64_t real_now(void)
{
    struct timespec now;

    CK_NEXT(clock_gettime)(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void pause_really(void)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};

    CK_NEXT(nanosleep)(&pause, NULL);
}

int ck_io_answer(int r)
{
    if (r == -ECANCELED)
        ck_cancel_now();
    return ck_answer(-r);
}

void ck_io_linger(ck_io_ready_fn *is_ready, void *arg)
{
    int64_t begin = real_now();

    while (!is_ready(arg) && real_now() - begin < LINGER_NS)
        pause_really();
}

static bool any_waits_for_outside(void)
{
    if (waiter_count == 0)
        return false;
    for (struct rvi_link *link = waiters.head.next; link != &waiters.head; link = link->next) {
        if (!rvi_container_of(link, struct waiter, link)->is_ours)
            return true;
    }
    return false;
}

bool ck_io_wait_any(void)
{
    int64_t begin = real_now();

    if (ck_alarm_wait())
        return true;
    if (!any_waits_for_outside() && !ck_signals_are_awaited() && !ck_process_has_children())
        return ask_all() || ck_signals_look();
    while (!ask_all() && !ck_signals_look() && !ck_process_look()) {
        if (real_now() - begin > (ck_process_has_children() ? WITH_CHILD_NS : PATIENCE_NS))
            return false;
        pause_really();
    }
    return true;
}
