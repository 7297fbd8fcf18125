/* SPDX-License-Identifier: MIT */
/* polls.c - interposed calls that wait for one of several descriptors, or for time to pass.
 *
 * Each is asked with no time to wait; what has come then is the answer. Otherwise the thread is
 * blocked with that question (io.c). Without descriptors they are sleeps.
 *
 * Checked by: tests/check */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "check/runtime/io.h"
#include "check/runtime/locks.h"
#include "check/runtime/next.h"

struct polling {
    struct pollfd *fds;
    nfds_t count;
    int result;
};

static bool any_ready(void *arg)
{
    struct polling *p = arg;

    p->result = CK_NEXT(poll)(p->fds, p->count, 0);
    return p->result != 0;
}

/* < 0 waits for ever. */
static int64_t deadline_after_ms(int ms)
{
    return ms < 0 ? CK_NEVER : ck_now() + ms * INT64_C(1000000);
}

static bool all_ours(const struct pollfd *fds, nfds_t count)
{
    for (nfds_t i = 0; i < count; i++) {
        if (!ck_io_is_ours(fds[i].fd))
            return false;
    }
    return true;
}

static int poll_until(struct pollfd *fds, nfds_t count, int64_t deadline, uintptr_t pc)
{
    struct polling p = {fds, count, 0};
    const struct ck_op op = {count > 0 ? CK_OP_IO : CK_OP_SLEEP, true, 0, 0, pc};
    int fd = count > 0 ? fds[0].fd : -1, r = 0;

    ck_point(&op);
    if (!any_ready(&p) && deadline > ck_now())
        r = ck_io_wait(&op, fd, count > 0 ? fds[0].events : 0, deadline, all_ours(fds, count),
                       any_ready, &p);
    ck_acquire(&ck_io_written);
    if (r == -ETIMEDOUT)
        return 0;
    return ck_io_answer(r) == 0 ? p.result : -1;
}

CK_EXPORT int poll(struct pollfd *fds, nfds_t count, int ms)
{
    if (!ck_enter())
        return CK_NEXT(poll)(fds, count, ms);
    int r = poll_until(fds, count, deadline_after_ms(ms), CK_CALLER);
    ck_leave();
    return r;
}

CK_EXPORT int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *delay,
                    const sigset_t *mask)
{
    if (!ck_enter())
        return CK_NEXT(ppoll)(fds, count, delay, mask);
    int r = poll_until(fds, count, delay ? ck_time_after(delay) : CK_NEVER, CK_CALLER);
    ck_leave();
    return r;
}

struct selecting {
    int count;
    fd_set *sets[3];
    fd_set asked[3];
    int result;
};

static bool any_selected(void *arg)
{
    struct selecting *s = arg;
    struct timeval now = {0};

    for (unsigned i = 0; i < 3; i++) {
        if (s->sets[i])
            *s->sets[i] = s->asked[i];
    }
    s->result = CK_NEXT(select)(s->count, s->sets[0], s->sets[1], s->sets[2], &now);
    return s->result != 0;
}

static int select_until(int count, fd_set **sets, int64_t deadline, uintptr_t pc)
{
    struct selecting s = {.count = count, .sets = {sets[0], sets[1], sets[2]}};
    const struct ck_op op = {count > 0 ? CK_OP_IO : CK_OP_SLEEP, true, 0, 0, pc};
    int r = 0;

    for (unsigned i = 0; i < 3; i++) {
        if (sets[i])
            s.asked[i] = *sets[i];
    }
    ck_point(&op);
    if (!any_selected(&s) && deadline > ck_now())
        r = ck_io_wait(&op, -1, 0, deadline, false, any_selected, &s);
    ck_acquire(&ck_io_written);
    if (r == -ETIMEDOUT)
        return 0;
    return ck_io_answer(r) == 0 ? s.result : -1;
}

CK_EXPORT int select(int count, fd_set *restrict in, fd_set *restrict out, fd_set *restrict err,
                     struct timeval *restrict delay)
{
    if (!ck_enter())
        return CK_NEXT(select)(count, in, out, err, delay);
    int64_t deadline = CK_NEVER;
    if (delay)
        deadline = ck_now() + delay->tv_sec * INT64_C(1000000000) + delay->tv_usec * 1000;
    int r = select_until(count, (fd_set *[]){in, out, err}, deadline, CK_CALLER);
    ck_leave();
    return r;
}

CK_EXPORT int pselect(int count, fd_set *restrict in, fd_set *restrict out, fd_set *restrict err,
                      const struct timespec *restrict delay, const sigset_t *restrict mask)
{
    if (!ck_enter())
        return CK_NEXT(pselect)(count, in, out, err, delay, mask);
    int64_t deadline = delay ? ck_time_after(delay) : CK_NEVER;
    int r = select_until(count, (fd_set *[]){in, out, err}, deadline, CK_CALLER);
    ck_leave();
    return r;
}

struct epolling {
    int fd;
    struct epoll_event *events;
    int most;
    int result;
};

static bool any_event(void *arg)
{
    struct epolling *e = arg;

    if (e->result == 0)
        e->result = CK_NEXT(epoll_wait)(e->fd, e->events, e->most, 0);
    return e->result != 0;
}

static int epoll_until(struct epolling *e, int64_t deadline, uintptr_t pc)
{
    const struct ck_op op = {CK_OP_IO, true, 0, (uintptr_t)e->fd + 1, pc};
    int r = 0;

    ck_point(&op);
    if (!any_event(e) && deadline > ck_now())
        r = ck_io_wait(&op, e->fd, POLLIN, deadline, false, any_event, e);
    ck_acquire(&ck_io_written);
    if (r == -ETIMEDOUT)
        return 0;
    return ck_io_answer(r) == 0 ? e->result : -1;
}

CK_EXPORT int epoll_wait(int fd, struct epoll_event *events, int most, int ms)
{
    struct epolling e = {fd, events, most, 0};

    if (!ck_enter())
        return CK_NEXT(epoll_wait)(fd, events, most, ms);
    int r = epoll_until(&e, deadline_after_ms(ms), CK_CALLER);
    ck_leave();
    return r;
}

CK_EXPORT int epoll_pwait(int fd, struct epoll_event *events, int most, int ms,
                          const sigset_t *mask)
{
    struct epolling e = {fd, events, most, 0};

    if (!ck_enter())
        return CK_NEXT(epoll_pwait)(fd, events, most, ms, mask);
    int r = epoll_until(&e, deadline_after_ms(ms), CK_CALLER);
    ck_leave();
    return r;
}
