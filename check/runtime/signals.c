/* SPDX-License-Identifier: MIT */
/* signals.c - a model of signals between threads of one process.
 *
 * The kernel knows one thread, and would run a handler on whichever the scheduler happens to have
 * there. So what the program sends to itself is kept here: pending for a thread or for all of it,
 * blocked by masks a thread, and handled by an ordinary call at a point of the thread that it is for.
 *
 *   G1  a handler runs outside of the runtime (inside == 0), on the stack of its thread, at a point or
 *       when a blocked thread was woken for it
 *   G2  a signal for the process goes to a thread that waits for it, else to the first that does not
 *       block it, else it stays pending
 *   G3  dispositions are the kernel's, but for handlers of what may come at any moment: for these the
 *       kernel has ours, which makes the signal pending for the process, and the program's is in a
 *       table. What ends the process by default is sent to it for real
 *   G4  a call that was interrupted knows by the count of handlers. Those that libc restarts look
 *       again anyway; sleeps and waits for signals return; others are as if SA_RESTART was given
 *
 * Masks are told to the kernel, too, so that a thread that waits for a signal from outside gets it
 * (ck_signals_look).
 *
 * Checked by: tests/check */
#include "check/runtime/signals.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "check/runtime/locks.h"
#include "check/runtime/next.h"
#include "check/runtime/posix.h"
#include "check/runtime/process.h"

enum { SIGNALS = 64 };

struct own {
    uint64_t pending, blocked, awaited;
    uint64_t handled;
};

static struct own own_of[CK_THREADS_MOST];
static uint64_t process_pending;
static siginfo_t info_of[SIGNALS + 1]; /* of the latest */
bool ck_signals_pending;

static uint64_t bit(int sig)
{
    return UINT64_C(1) << (sig - 1);
}

static uint64_t as_bits(const sigset_t *set)
{
    uint64_t bits;

    memcpy(&bits, set, sizeof bits);
    return bits;
}

static void as_set(uint64_t bits, sigset_t *ret)
{
    sigemptyset(ret);
    memcpy(ret, &bits, sizeof bits);
}

static struct sigaction program_action[SIGNALS + 1]; /* G3 */

static struct own *mine(void)
{
    return &own_of[ck_self->id];
}

void ck_signals_begin(const struct ck_thread *child, const struct ck_thread *creator)
{
    uint64_t blocked = own_of[creator->id].blocked;

    if (blocked)
        own_of[child->id].blocked = blocked;
}

uint64_t ck_signals_handled(void)
{
    return mine()->handled;
}

/* ---- delivery -------------------------------------------------------------------------------- */

static bool is_ignored_by_default(int sig)
{
    return sig == SIGCHLD || sig == SIGURG || sig == SIGWINCH || sig == SIGCONT;
}

/* For real; returns only if the signal did not end the process. */
static void act_by_default(int sig)
{
    sigset_t set;

    if (is_ignored_by_default(sig))
        return;
    sigemptyset(&set);
    sigaddset(&set, sig);
    CK_NEXT(pthread_sigmask)(SIG_UNBLOCK, &set, NULL);
    CK_NEXT(syscall)(SYS_tgkill, CK_NEXT(getpid)(), CK_NEXT(syscall)(SYS_gettid), sig);
}

static void call_handler(int sig, const struct sigaction *action)
{
    ucontext_t context;

    if (!(action->sa_flags & SA_SIGINFO)) {
        action->sa_handler(sig);
        return;
    }
    memset(&context, 0, sizeof context);
    action->sa_sigaction(sig, &info_of[sig], &context);
}

static void run_handler(int sig, const struct sigaction *action)
{
    struct own *own = mine();
    uint64_t blocked = own->blocked;
    uint32_t inside = ck_self->inside;
    struct ck_op next = ck_self->next;
    int error = errno;

    own->handled++;
    own->blocked |= as_bits(&action->sa_mask) | (action->sa_flags & SA_NODEFER ? 0 : bit(sig));
    ck_self->inside = 0;
    call_handler(sig, action);
    ck_self->inside = inside;
    ck_self->next = next;
    own->blocked = blocked;
    errno = error;
}

/* By the kernel, at any moment, in a program under control or in its forked child. */
static void note_from_outside(int sig, siginfo_t *info, void *context)
{
    const struct sigaction *action = &program_action[sig];

    if (ck_self) {
        info_of[sig] = *info;
        __atomic_or_fetch(&process_pending, bit(sig), __ATOMIC_RELAXED);
        ck_signals_pending = true;
    } else if (action->sa_flags & SA_SIGINFO) {
        action->sa_sigaction(sig, info, context);
    } else {
        action->sa_handler(sig);
    }
}

static bool is_ours(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) && action->sa_sigaction == note_from_outside;
}

static void action_of(int sig, struct sigaction *ret)
{
    CK_NEXT(sigaction)(sig, NULL, ret);
    if (is_ours(ret))
        *ret = program_action[sig];
}

static bool is_handler(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) ||
           (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN);
}

bool ck_signals_are_handled(int sig)
{
    struct sigaction action;

    action_of(sig, &action);
    return is_handler(&action);
}

static void handle(int sig)
{
    struct sigaction action;

    action_of(sig, &action);
    if (action.sa_flags & SA_RESETHAND)
        CK_NEXT(sigaction)(sig, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    if (!(action.sa_flags & SA_SIGINFO) && action.sa_handler == SIG_DFL)
        act_by_default(sig);
    else if ((action.sa_flags & SA_SIGINFO) || action.sa_handler != SIG_IGN)
        run_handler(sig, &action);
}

/* One of `wanted` that is pending for the current thread, no longer pending then; 0: none. */
static int take_pending(uint64_t wanted)
{
    struct own *own = mine();
    uint64_t there = (own->pending | process_pending) & wanted;

    if (!there)
        return 0;
    int sig = __builtin_ctzll(there) + 1;
    if (own->pending & bit(sig))
        own->pending &= ~bit(sig);
    else
        __atomic_and_fetch(&process_pending, ~bit(sig), __ATOMIC_RELAXED);
    return sig;
}

static bool any_pending(void)
{
    for (uint32_t i = 0; i < ck_thread_count; i++) {
        if (own_of[i].pending && ck_threads[i]->state != CK_ENDED)
            return true;
    }
    return process_pending != 0;
}

void ck_signals_deliver(void)
{
    int sig;

    while ((sig = take_pending(~mine()->blocked)) != 0)
        handle(sig);
    ck_signals_pending = any_pending();
}

/* ---- sending --------------------------------------------------------------------------------- */

static void note_info(int sig, int code, union sigval value)
{
    siginfo_t *info = &info_of[sig];

    memset(info, 0, sizeof *info);
    info->si_signo = sig;
    info->si_code = code;
    info->si_pid = getpid();
    info->si_uid = getuid();
    info->si_value = value;
}

static void send_to(struct ck_thread *thread, int sig)
{
    struct own *own = &own_of[thread->id];

    own->pending |= bit(sig);
    ck_signals_pending = true;
    if ((~own->blocked | own->awaited) & bit(sig))
        ck_wake(thread);
}

static struct ck_thread *first_that(bool (*is_it)(const struct own *, int sig), int sig)
{
    for (uint32_t i = 0; i < ck_thread_count; i++) {
        if (ck_threads[i]->state != CK_ENDED && is_it(&own_of[i], sig))
            return ck_threads[i];
    }
    return NULL;
}

static bool awaits(const struct own *own, int sig)
{
    return own->awaited & bit(sig);
}

static bool lets_in(const struct own *own, int sig)
{
    return !(own->blocked & bit(sig));
}

/* G2. */
static bool send_to_process(int sig)
{
    struct ck_thread *thread = first_that(awaits, sig);

    if (!thread)
        thread = first_that(lets_in, sig);
    if (thread) {
        send_to(thread, sig);
        return true;
    }
    __atomic_or_fetch(&process_pending, bit(sig), __ATOMIC_RELAXED);
    ck_signals_pending = true;
    return false;
}

bool ck_signals_send(int sig)
{
    note_info(sig, SI_KERNEL, (union sigval){0});
    return send_to_process(sig);
}

static int send_by_thread(struct ck_thread *thread, int sig, int code, union sigval value,
                          uintptr_t pc)
{
    const struct ck_op op = {CK_OP_KILL, true, 0, thread ? (uintptr_t)thread : 0, pc};

    if (sig < 0 || sig > SIGNALS)
        return EINVAL;
    ck_point(&op);
    if (!thread || thread->state == CK_ENDED)
        return ESRCH;
    ck_event(&op, (uint64_t)sig, 0);
    if (sig == 0)
        return 0;
    note_info(sig, code, value);
    send_to(thread, sig);
    ck_signals_deliver();
    return 0;
}

static int send_by_process(int sig, int code, union sigval value, uintptr_t pc)
{
    const struct ck_op op = {CK_OP_KILL, true, 0, 0, pc};

    if (sig < 0 || sig > SIGNALS)
        return EINVAL;
    ck_point(&op);
    ck_event(&op, (uint64_t)sig, 0);
    if (sig == 0)
        return 0;
    note_info(sig, code, value);
    send_to_process(sig);
    ck_signals_deliver();
    return 0;
}

static int answer(int error)
{
    if (error == 0)
        return 0;
    errno = error;
    return -1;
}

CK_EXPORT int pthread_kill(pthread_t target, int sig)
{
    if (!ck_enter())
        return CK_NEXT(pthread_kill)(target, sig);
    int r = send_by_thread(ck_thread_of(target), sig, SI_TKILL, (union sigval){0}, CK_CALLER);
    ck_leave();
    return r;
}

CK_EXPORT int pthread_sigqueue(pthread_t target, int sig, const union sigval value)
{
    if (!ck_enter())
        return CK_NEXT(pthread_sigqueue)(target, sig, value);
    int r = send_by_thread(ck_thread_of(target), sig, SI_QUEUE, value, CK_CALLER);
    ck_leave();
    return r;
}

CK_EXPORT int raise(int sig)
{
    if (!ck_enter())
        return CK_NEXT(raise)(sig);
    int r = send_by_thread(ck_self, sig, SI_TKILL, (union sigval){0}, CK_CALLER);
    ck_leave();
    return answer(r);
}

CK_EXPORT int tgkill(pid_t process, pid_t thread, int sig)
{
    if (process != CK_PID || !ck_enter())
        return CK_NEXT(tgkill)(process, thread, sig);
    pid_t id = thread - CK_PID;
    struct ck_thread *target = id >= 0 && id < (pid_t)ck_thread_count ? ck_threads[id] : NULL;
    int r = send_by_thread(target, sig, SI_TKILL, (union sigval){0}, CK_CALLER);
    ck_leave();
    return answer(r);
}

CK_EXPORT int kill(pid_t process, int sig)
{
    if (process != CK_PID)
        return CK_NEXT(kill)(process, sig);
    if (!ck_enter())
        return CK_NEXT(kill)(ck_process_id(), sig);
    int r = send_by_process(sig, SI_USER, (union sigval){0}, CK_CALLER);
    ck_leave();
    return answer(r);
}

CK_EXPORT int sigqueue(pid_t process, int sig, const union sigval value)
{
    if (process != CK_PID)
        return CK_NEXT(sigqueue)(process, sig, value);
    if (!ck_enter())
        return CK_NEXT(sigqueue)(ck_process_id(), sig, value);
    int r = send_by_process(sig, SI_QUEUE, value, CK_CALLER);
    ck_leave();
    return answer(r);
}

/* ---- handlers -------------------------------------------------------------------------------- */

static bool is_fault(int sig)
{
    switch (sig) {
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGABRT:
    case SIGTRAP:
    case SIGSYS:
        return true;
    default:
        return false;
    }
}

static int set_action(int sig, const struct sigaction *action, struct sigaction *ret_old)
{
    struct sigaction ours = *action, old = program_action[sig], before;

    program_action[sig] = *action;
    if (is_handler(action)) {
        ours.sa_sigaction = note_from_outside;
        ours.sa_flags = (action->sa_flags | SA_SIGINFO) & ~SA_RESETHAND;
    }
    int r = CK_NEXT(sigaction)(sig, &ours, &before);
    if (r == 0 && ret_old)
        *ret_old = is_ours(&before) ? old : before;
    if (r != 0)
        program_action[sig] = old;
    return r;
}

CK_EXPORT int sigaction(int sig, const struct sigaction *restrict action,
                        struct sigaction *restrict ret_old)
{
    if (!ck_shared || sig < 1 || sig > SIGNALS || is_fault(sig))
        return CK_NEXT(sigaction)(sig, action, ret_old);
    if (action)
        return set_action(sig, action, ret_old);
    if (ret_old)
        action_of(sig, ret_old);
    return 0;
}

CK_EXPORT sighandler_t signal(int sig, sighandler_t handler)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART}, old;

    return sigaction(sig, &action, &old) == 0 ? old.sa_handler : SIG_ERR;
}

/* ---- masks ----------------------------------------------------------------------------------- */

static void change_mask(int how, const sigset_t *set)
{
    struct own *own = mine();

    if (how == SIG_BLOCK)
        own->blocked |= as_bits(set);
    else if (how == SIG_UNBLOCK)
        own->blocked &= ~as_bits(set);
    else
        own->blocked = as_bits(set);
}

CK_EXPORT int pthread_sigmask(int how, const sigset_t *set, sigset_t *ret_old)
{
    if (!ck_enter())
        return CK_NEXT(pthread_sigmask)(how, set, ret_old);
    int r = CK_NEXT(pthread_sigmask)(how, set, NULL);
    if (ret_old)
        as_set(mine()->blocked, ret_old);
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
    return answer(pthread_sigmask(how, set, ret_old));
}

CK_EXPORT int sigpending(sigset_t *ret)
{
    int r = CK_NEXT(sigpending)(ret);

    if (r == 0 && ck_enter()) {
        as_set(as_bits(ret) | mine()->pending | process_pending, ret);
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
        if (own_of[i].awaited)
            return true;
    }
    return false;
}

/* What the kernel brought while nobody ran. */
static bool wake_for_pending(void)
{
    uint64_t pending = process_pending;

    for (int sig = 1; sig <= SIGNALS; sig++) {
        struct ck_thread *thread = pending & bit(sig) ? first_that(lets_in, sig) : NULL;

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
        if (!own_of[i].awaited)
            continue;
        as_set(own_of[i].awaited, &set);
        int sig = CK_NEXT(sigtimedwait)(&set, &info, &now);
        if (sig > 0) {
            info_of[sig] = info;
            send_to(ck_threads[i], sig);
            return true;
        }
    }
    return wake_for_pending();
}

/* A signal of the set; -EAGAIN by its deadline. */
static int await(uint64_t wanted, int64_t deadline, siginfo_t *ret, uintptr_t pc)
{
    struct own *own = mine();
    int sig, r = 0;

    ck_point(&(struct ck_op){CK_OP_KILL, true, 0, (uintptr_t)ck_self, pc});
    own->awaited = wanted;
    while ((sig = take_pending(wanted)) == 0 && r == 0)
        r = sleep_once(deadline);
    own->awaited = 0;
    if (sig == 0)
        return -EAGAIN;
    if (ret)
        *ret = info_of[sig];
    return sig;
}

CK_EXPORT int sigwait(const sigset_t *restrict set, int *restrict ret)
{
    if (!ck_enter())
        return CK_NEXT(sigwait)(set, ret);
    *ret = await(as_bits(set), CK_NEVER, NULL, CK_CALLER);
    ck_leave();
    return 0;
}

CK_EXPORT int sigwaitinfo(const sigset_t *restrict set, siginfo_t *restrict ret)
{
    if (!ck_enter())
        return CK_NEXT(sigwaitinfo)(set, ret);
    int sig = await(as_bits(set), CK_NEVER, ret, CK_CALLER);
    ck_leave();
    return sig;
}

CK_EXPORT int sigtimedwait(const sigset_t *restrict set, siginfo_t *restrict ret,
                           const struct timespec *restrict delay)
{
    if (!ck_enter())
        return CK_NEXT(sigtimedwait)(set, ret, delay);
    int64_t deadline = delay ? ck_time_after(delay) : CK_NEVER;
    int sig = deadline < 0 ? deadline : await(as_bits(set), deadline, ret, CK_CALLER);
    ck_leave();
    return sig > 0 ? sig : answer(-sig);
}

/* Until a handler has run. */
static void sleep_until_handled(uintptr_t pc)
{
    uint64_t handled = mine()->handled;

    ck_point(&(struct ck_op){CK_OP_KILL, true, 0, (uintptr_t)ck_self, pc});
    ck_signals_deliver();
    while (mine()->handled == handled)
        sleep_once(CK_NEVER);
}

CK_EXPORT int pause(void)
{
    if (!ck_enter())
        return CK_NEXT(pause)();
    sleep_until_handled(CK_CALLER);
    ck_leave();
    return answer(EINTR);
}

CK_EXPORT int sigsuspend(const sigset_t *set)
{
    if (!ck_enter())
        return CK_NEXT(sigsuspend)(set);
    uint64_t blocked = mine()->blocked;
    mine()->blocked = as_bits(set);
    sleep_until_handled(CK_CALLER);
    mine()->blocked = blocked;
    ck_leave();
    return answer(EINTR);
}
