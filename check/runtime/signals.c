/* SPDX-License-Identifier: MIT */
/* signals.c - a model of signals between threads of one process.
 *
 * The kernel knows one thread, and would run a handler on whichever the scheduler happens to have
 * there. So what the program sends to itself is kept here: pending for a thread or for all of it,
 * blocked by masks a thread, and handled by an ordinary call at a point of the thread that it is
 * for.
 *
 *   G1  a handler runs outside of the runtime (inside == 0), on the stack of its thread, at a point
 *       or when a blocked thread was woken for it
 *   G2  a signal for the process goes to a thread that waits for it, else to the first that does
 *       not block it, else it stays pending
 *   G3  dispositions are the kernel's, but for handlers of what may come at any moment: for these
 *       the kernel has ours, which makes the signal pending for the process, and the program's is
 *       in a table. What ends the process by default is sent to it for real
 *   G4  a call that was interrupted knows by the count of handlers, and of those without SA_RESTART
 *
 * Masks, and waiting for signals, are in sigwait.c.
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

#include "check/runtime/answer.h"
#include "check/runtime/locks.h"
#include "check/runtime/next.h"
#include "check/runtime/posix.h"
#include "check/runtime/process.h"
#include "check/runtime/signals_inside.h"

struct ck_signals_own ck_signals_own[CK_THREADS_MOST];
uint64_t ck_signals_of_process;
siginfo_t ck_signals_info[CK_SIGNALS + 1];
bool ck_signals_pending;

static struct sigaction program_action[CK_SIGNALS + 1]; /* G3 */

void ck_signals_begin(const struct ck_thread *child, const struct ck_thread *creator)
{
    uint64_t blocked = ck_signals_own[creator->id].blocked;

    if (blocked)
        ck_signals_own[child->id].blocked = blocked;
}

uint64_t ck_signals_handled(void)
{
    return ck_signals_mine()->handled;
}

uint64_t ck_signals_interrupted(void)
{
    return ck_signals_mine()->interrupted;
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
    action->sa_sigaction(sig, &ck_signals_info[sig], &context);
}

static void run_handler(int sig, const struct sigaction *action)
{
    struct ck_signals_own *own = ck_signals_mine();
    uint64_t blocked = own->blocked;
    uint32_t inside = ck_self->inside;
    struct ck_op next = ck_self->next;
    int error = errno;

    own->handled++;
    own->interrupted += !(action->sa_flags & SA_RESTART);
    own->blocked |=
        ck_signal_bits(&action->sa_mask) | (action->sa_flags & SA_NODEFER ? 0 : ck_signal_bit(sig));
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
        ck_signals_info[sig] = *info;
        __atomic_or_fetch(&ck_signals_of_process, ck_signal_bit(sig), __ATOMIC_RELAXED);
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

int ck_signals_take(uint64_t wanted)
{
    struct ck_signals_own *own = ck_signals_mine();
    uint64_t there = (own->pending | ck_signals_of_process) & wanted;

    if (!there)
        return 0;
    int sig = __builtin_ctzll(there) + 1;
    if (own->pending & ck_signal_bit(sig))
        own->pending &= ~ck_signal_bit(sig);
    else
        __atomic_and_fetch(&ck_signals_of_process, ~ck_signal_bit(sig), __ATOMIC_RELAXED);
    return sig;
}

static bool any_pending(void)
{
    for (uint32_t i = 0; i < ck_thread_count; i++) {
        if (ck_signals_own[i].pending && ck_threads[i]->state != CK_ENDED)
            return true;
    }
    return ck_signals_of_process != 0;
}

/* Those that come meanwhile have to wait for the next point, or a thread that is sent signals
 * faster than it handles them would do nothing else. */
void ck_signals_deliver(void)
{
    const struct ck_signals_own *own = ck_signals_mine();
    uint64_t due = own->pending | ck_signals_of_process;
    int sig;

    while ((sig = ck_signals_take(due & ~own->blocked)) != 0) {
        due &= ~ck_signal_bit(sig);
        handle(sig);
    }
    ck_signals_pending = any_pending();
}

/* ---- sending --------------------------------------------------------------------------------- */

static void note_info(int sig, int code, union sigval value)
{
    siginfo_t *info = &ck_signals_info[sig];

    memset(info, 0, sizeof *info);
    info->si_signo = sig;
    info->si_code = code;
    info->si_pid = getpid();
    info->si_uid = getuid();
    info->si_value = value;
}

void ck_signals_send_to(struct ck_thread *thread, int sig)
{
    struct ck_signals_own *own = &ck_signals_own[thread->id];

    own->pending |= ck_signal_bit(sig);
    ck_signals_pending = true;
    if ((~own->blocked | own->awaited) & ck_signal_bit(sig))
        ck_wake(thread);
}

static struct ck_thread *first_that(bool (*is_it)(const struct ck_signals_own *, int sig), int sig)
{
    for (uint32_t i = 0; i < ck_thread_count; i++) {
        if (ck_threads[i]->state != CK_ENDED && is_it(&ck_signals_own[i], sig))
            return ck_threads[i];
    }
    return NULL;
}

static bool awaits(const struct ck_signals_own *own, int sig)
{
    return own->awaited & ck_signal_bit(sig);
}

static bool lets_in(const struct ck_signals_own *own, int sig)
{
    return !(own->blocked & ck_signal_bit(sig));
}

struct ck_thread *ck_signals_who_lets_in(int sig)
{
    return first_that(lets_in, sig);
}

/* G2. */
static bool send_to_process(int sig)
{
    struct ck_thread *thread = first_that(awaits, sig);

    if (!thread)
        thread = ck_signals_who_lets_in(sig);
    if (thread) {
        ck_signals_send_to(thread, sig);
        return true;
    }
    __atomic_or_fetch(&ck_signals_of_process, ck_signal_bit(sig), __ATOMIC_RELAXED);
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
    const struct ck_op op = {CK_OP_KILL, true, 0, thread ? ck_thread_object(thread) : 0, pc};

    if (sig < 0 || sig > CK_SIGNALS)
        return EINVAL;
    ck_point(&op);
    if (!thread || thread->state == CK_ENDED)
        return ESRCH;
    ck_event(&op, (uint64_t)sig, 0);
    if (sig == 0)
        return 0;
    note_info(sig, code, value);
    ck_signals_send_to(thread, sig);
    ck_signals_deliver();
    return 0;
}

static int send_by_process(int sig, int code, union sigval value, uintptr_t pc)
{
    const struct ck_op op = {CK_OP_KILL, true, 0, 0, pc};

    if (sig < 0 || sig > CK_SIGNALS)
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
    return ck_answer(r);
}

CK_EXPORT int tgkill(pid_t process, pid_t thread, int sig)
{
    if (process != CK_PID || !ck_enter())
        return CK_NEXT(tgkill)(process, thread, sig);
    pid_t id = thread - CK_PID;
    struct ck_thread *target = id >= 0 && id < (pid_t)ck_thread_count ? ck_threads[id] : NULL;
    int r = send_by_thread(target, sig, SI_TKILL, (union sigval){0}, CK_CALLER);
    ck_leave();
    return ck_answer(r);
}

CK_EXPORT int kill(pid_t process, int sig)
{
    if (process != CK_PID)
        return CK_NEXT(kill)(process, sig);
    if (!ck_enter())
        return CK_NEXT(kill)(ck_process_id(), sig);
    int r = send_by_process(sig, SI_USER, (union sigval){0}, CK_CALLER);
    ck_leave();
    return ck_answer(r);
}

CK_EXPORT int sigqueue(pid_t process, int sig, const union sigval value)
{
    if (process != CK_PID)
        return CK_NEXT(sigqueue)(process, sig, value);
    if (!ck_enter())
        return CK_NEXT(sigqueue)(ck_process_id(), sig, value);
    int r = send_by_process(sig, SI_QUEUE, value, CK_CALLER);
    ck_leave();
    return ck_answer(r);
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
    if (!ck_shared || sig < 1 || sig > CK_SIGNALS || is_fault(sig))
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
