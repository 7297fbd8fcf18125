/* SPDX-License-Identifier: MIT */
/* capture.c - one request at a time, in a static structure, because a signal may come after its
 * sender has given up. Senders take turns.
 *
 *     sender                                 handler, on the thread
 *     FREE -> WANTED, tgkill                 WANTED, and it is this thread: -> TAKING
 *     sleep while it is not DONE             copy; -> DONE, wake
 *     late: WANTED -> FREE; or, when the     no request for this thread: nothing
 *     handler is at it, wait: it is short
 *     DONE -> FREE
 *
 * Checked by: tests/unit/sys/test_capture.c */
#include "sys/capture.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/seam.h"
#include "sys/call.h"
#include "sys/futex.h"

enum { RED_ZONE_BYTES = 128 };
enum state { FREE, WANTED, TAKING, DONE };

static struct {
    _Atomic(uint32_t) state; /* futex; enum state */
    _Atomic(int) thread_id;
    rvi_capture_fn *fn;
    void *arg;
    struct rvi_capture *ret;
} request;

static void take(const void *ucontext)
{
    struct rvi_stack_view *view = &request.ret->view;

    rvi_ctx_regs_of_ucontext(ucontext, &view->regs);
    view->low = (view->regs.sp - RED_ZONE_BYTES) & ~(uintptr_t)(sizeof(uintptr_t) - 1);
    view->high = request.fn(view->regs.sp, request.arg);
    view->bytes = request.ret->bytes;
    if (view->high < view->low)
        view->high = view->low;
    if (view->high - view->low > RVI_CAPTURE_BYTES)
        view->high = view->low + RVI_CAPTURE_BYTES;
    rvi_stack_copy(request.ret->bytes, (const char *)view->low, /* NOLINT: an address */
                   view->high - view->low);
}

static void on_signal(int number, siginfo_t *info, void *ucontext)
{
    int saved_errno = errno;
    struct rvi_seam *seam = rvi_seam_leave();
    uint32_t wanted = WANTED;

    (void)number;
    (void)info;
    if (rvi_load_relaxed(&request.thread_id) == gettid() &&
        rvi_cas_acquire(&request.state, &wanted, TAKING)) { /* pairs: capture */
        take(ucontext);
        rvi_store_release(&request.state, DONE); /* pairs: capture */
        rvi_futex_wake(&request.state, 1);
    }
    rvi_seam_return(seam);
    errno = saved_errno;
}

static int install(void)
{
    struct sigaction now;
    struct sigaction ours = {.sa_sigaction = on_signal,
                             .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};

    if (RVI_CALL(SET_CAPTURE, sigaction(SIGPROF, NULL, &now)) != 0)
        return -errno;
    if ((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == on_signal)
        return 0;
    if ((now.sa_flags & SA_SIGINFO) || (now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN))
        return -EBUSY;
    sigfillset(&ours.sa_mask);
    return RVI_CALL(SET_CAPTURE, sigaction(SIGPROF, &ours, NULL)) == 0 ? 0 : -errno;
}

/* Until DONE, or withdrawn at the deadline. */
static int await_answer(int64_t deadline_ns)
{
    uint32_t state;

    while ((state = rvi_load_acquire(&request.state)) != DONE) { /* pairs: capture */
        int r = rvi_futex_wait(&request.state, state, deadline_ns);
        uint32_t wanted = WANTED;
        if (r == -ETIME && rvi_cas_relaxed(&request.state, &wanted, FREE))
            return -ETIME;
        if (r == -ETIME)
            deadline_ns = INT64_MAX; /* the handler is at it */
    }
    rvi_store_relaxed(&request.state, FREE);
    return 0;
}

static int capture(int thread_id, rvi_capture_fn *fn, void *arg, struct rvi_capture *ret,
                   int64_t deadline_ns)
{
    int r = install();

    if (r < 0)
        return r;
    request.fn = fn;
    request.arg = arg;
    request.ret = ret;
    rvi_store_relaxed(&request.thread_id, thread_id);
    rvi_store_release(&request.state, WANTED); /* pairs: capture */
    if (RVI_CALL(CAPTURE, syscall(SYS_tgkill, getpid(), thread_id, SIGPROF)) == 0)
        return await_answer(deadline_ns);
    r = -errno;
    rvi_store_relaxed(&request.state, FREE);
    return r;
}

int rvi_capture_thread(int thread_id, rvi_capture_fn *fn, void *arg, struct rvi_capture *ret,
                       int64_t deadline_ns)
{
    static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

    pthread_mutex_lock(&turn);
    int r = capture(thread_id, fn, arg, ret, deadline_ns);
    pthread_mutex_unlock(&turn);
    return r;
}
