/* SPDX-License-Identifier: MIT */
/* sigwait.c - masks of signals, and waiting for them.
 *
 * Masks are a thread's in the model (signals.c), and told to the kernel, too, so that what comes
 * from outside while it is blocked stays there for a thread that waits for it.
 *
 * Checked by: tests/check */
#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "check/runtime/answer.h"
#include "check/runtime/locks.h"
#include "check/runtime/next.h"
#include "check/runtime/signals.h"
#include "check/runtime/signals_inside.h"

static void as_set(uint64_t bits, sigset_t *ret)
{
    sigemptyset(ret);
    memcpy(ret, &bits, sizeof bits);
}

static void change_mask(int how, const sigset_t *set)
{
    struct ck_signals_own *own = ck_signals_mine();

    if (how == SIG_BLOCK)
        own->blocked |= ck_signal_bits(set);
    else if (how == SIG_UNBLOCK)
        own->blocked &= ~ck_signal_bits(set);
    else
        own->blocked = ck_signal_bits(set);
}

CK_EXPORT int pthread_sigmask(int how, const sigset_t *set, sigset_t *ret_old)
{
    if (!ck_enter())
        return CK_NEXT(pthread_sigmask)(how, set, ret_old);
    int r = CK_NEXT(pthread_sigmask)(how, set, NULL);
    if (ret_old)
        as_set(ck_signals_mine()->blocked, ret_old);
    if (set && r == 0)
        change_mask(how, set);
    ck_signals_deliver();
    ck_leave();
    return r;
}

CK_EXPORT int sigprocmask(int how, const sigset_t *set, sigset_t *ret_old)
{
    if (!ck_self || ck_self->inside)
        return CK_NEXT(sigprocmask)(how, set, ret_old);
    return ck_answer(pthread_sigmask(how, set, ret_old));
}

CK_EXPORT int sigpending(sigset_t *ret)
{
    int r = CK_NEXT(sigpending)(ret);

    if (r == 0 && ck_enter()) {
        as_set(ck_signal_bits(ret) | ck_signals_mine()->pending | ck_signals_of_process, ret);
        ck_leave();
    }
    return r;
}

/* ---- waiting --------------------------------------------------------------------------------- */

static int sleep_once(int64_t deadline)
{
    int r = ck_block(
        &(struct ck_wait){CK_OP_KILL, NULL, CK_NOBODY, deadline, .fd = -1, .events = 0}, true);

    if (r == -ECANCELED)
        ck_cancel_now();
    return r;
}

bool ck_signals_are_awaited(void)
{
    for (uint32_t i = 0; i < ck_thread_count; i++) {
        if (ck_signals_own[i].awaited)
            return true;
    }
    return false;
}

/* What the kernel brought while nobody ran. */
static bool wake_for_pending(void)
{
    uint64_t pending = ck_signals_of_process;

    for (int sig = 1; sig <= CK_SIGNALS; sig++) {
        struct ck_thread *thread =
            pending & ck_signal_bit(sig) ? ck_signals_who_lets_in(sig) : NULL;

        if (thread && thread->state == CK_BLOCKED) {
            ck_wake(thread);
            return true;
        }
    }
    return false;
}

bool ck_signals_look(void)
{
    const struct timespec now = {0};
    sigset_t set;
    siginfo_t info;

    for (uint32_t i = 0; i < ck_thread_count; i++) {
        if (!ck_signals_own[i].awaited)
            continue;
        as_set(ck_signals_own[i].awaited, &set);
        int sig = CK_NEXT(sigtimedwait)(&set, &info, &now);
        if (sig > 0) {
            ck_signals_info[sig] = info;
            ck_signals_send_to(ck_threads[i], sig);
            return true;
        }
    }
    return wake_for_pending();
}

/* A signal of the set; -EAGAIN by its deadline. */
static int await(uint64_t wanted, int64_t deadline, siginfo_t *ret, uintptr_t pc)
{
    struct ck_signals_own *own = ck_signals_mine();
    int sig, r = 0;

    ck_point(&(struct ck_op){CK_OP_KILL, true, 0, ck_thread_object(ck_self), pc});
    own->awaited = wanted;
    while ((sig = ck_signals_take(wanted)) == 0 && r == 0)
        r = sleep_once(deadline);
    own->awaited = 0;
    if (sig == 0)
        return -EAGAIN;
    if (ret)
        *ret = ck_signals_info[sig];
    return sig;
}

CK_EXPORT int sigwait(const sigset_t *restrict set, int *restrict ret)
{
    if (!ck_enter())
        return CK_NEXT(sigwait)(set, ret);
    *ret = await(ck_signal_bits(set), CK_NEVER, NULL, CK_CALLER);
    ck_leave();
    return 0;
}

CK_EXPORT int sigwaitinfo(const sigset_t *restrict set, siginfo_t *restrict ret)
{
    if (!ck_enter())
        return CK_NEXT(sigwaitinfo)(set, ret);
    int sig = await(ck_signal_bits(set), CK_NEVER, ret, CK_CALLER);
    ck_leave();
    return sig;
}

CK_EXPORT int sigtimedwait(const sigset_t *restrict set, siginfo_t *restrict ret,
                           const struct timespec *restrict delay)
{
    if (!ck_enter())
        return CK_NEXT(sigtimedwait)(set, ret, delay);
    int64_t deadline = delay ? ck_time_after(delay) : CK_NEVER;
    int sig = deadline < 0 ? deadline : await(ck_signal_bits(set), deadline, ret, CK_CALLER);
    ck_leave();
    return sig > 0 ? sig : ck_answer(-sig);
}

/* A signal that came before the call is handled before it, and does not end it. */
static void arrive(uintptr_t pc)
{
    ck_point(&(struct ck_op){CK_OP_KILL, true, 0, ck_thread_object(ck_self), pc});
    ck_signals_deliver();
}

static void sleep_until_handled(void)
{
    uint64_t handled = ck_signals_mine()->handled;

    ck_signals_deliver();
    while (ck_signals_mine()->handled == handled)
        sleep_once(CK_NEVER);
}

CK_EXPORT int pause(void)
{
    if (!ck_enter())
        return CK_NEXT(pause)();
    arrive(CK_CALLER);
    sleep_until_handled();
    ck_leave();
    return ck_answer(EINTR);
}

CK_EXPORT int sigsuspend(const sigset_t *set)
{
    if (!ck_enter())
        return CK_NEXT(sigsuspend)(set);
    arrive(CK_CALLER);
    uint64_t blocked = ck_signals_mine()->blocked;
    ck_signals_mine()->blocked = ck_signal_bits(set);
    sleep_until_handled();
    ck_signals_mine()->blocked = blocked;
    ck_leave();
    return ck_answer(EINTR);
}
