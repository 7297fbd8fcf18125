/* SPDX-License-Identifier: MIT */
/* crash.c - SIGSEGV and its like become a failure that says where; so do abort() and assert().
 *
 *   X1  a second crash while the first is being told ends the process at once with what there is
 *   X2  a program that handles such a signal itself is left to it, by sigaction() as always
 *
 * Checked by: tests/check/runtime.py */
#include "check/runtime/crash.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/check.h"
#include "check/runtime/carrier.h"
#include "check/runtime/fail.h"
#include "check/runtime/heap.h"
#include "check/runtime/next.h"
#include "check/runtime/places.h"
#include "check/runtime/sched.h"

enum { STACK_BYTES = 256 << 10 };

static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
static volatile sig_atomic_t is_telling;

static bool overflows(uintptr_t address)
{
    return ck_self && ck_carrier_is_overflow(ck_self->carrier, address);
}

/* The kernel does not say which address it was when it was none. Freed memory is full of such
 * (blocks.c). */
static bool comes_from_freed_memory(const siginfo_t *info, const ucontext_t *context)
{
#if defined(__x86_64__)
    if (info->si_signo != SIGSEGV || info->si_code != SI_KERNEL)
        return false;
    for (int i = 0; i < NGREG; i++) {
        if (ck_heap_is_pattern((uint64_t)context->uc_mcontext.gregs[i]))
            return true;
    }
    return false;
#else
    (void)context;
    return info->si_signo == SIGSEGV && ck_heap_is_pattern((uintptr_t)info->si_addr);
#endif
}

static struct ck_report *describe(int number, const siginfo_t *info, const void *context)
{
    bool has_address = number == SIGSEGV || number == SIGBUS;
    uintptr_t address = has_address ? (uintptr_t)info->si_addr : 0;

    if (number == CK_SIGNAL_STUCK)
        return ck_report_begin(CK_STUCK, "no scheduling point for seconds");
    if (number == SIGABRT)
        return ck_report_begin(CK_ASSERT, "aborted");
    if (has_address && overflows(address))
        return ck_report_begin(CK_CRASH, "stack overflow");
    const char *name = sigabbrev_np(number);
    if (comes_from_freed_memory(info, context))
        return ck_report_begin(CK_HEAP, "SIG%s: a pointer is used that was read from freed memory",
                               name);
    if (has_address && info->si_code == SI_KERNEL)
        return ck_report_begin(CK_CRASH, "SIG%s: what is used as a pointer is no address", name);
    if (has_address && address < 4096)
        return ck_report_begin(CK_CRASH, "SIG%s: a null pointer is used", name);
    if (has_address)
        return ck_report_begin(CK_CRASH, "SIG%s at address %#lx", name, (unsigned long)address);
    return ck_report_begin(CK_CRASH, "SIG%s", name ? name : "?");
}

/* Nobody's but the server's own. */
static void die_by(int number)
{
    CK_NEXT(signal)(number, SIG_DFL);
    CK_NEXT(raise)(number);
}

/* A call to where there is no code has no frame of its own: only where it would return to. */
static void take_caller(struct ck_party *party, const ucontext_t *context)
{
#if defined(__x86_64__)
    const uintptr_t *sp = (const uintptr_t *)context->uc_mcontext.gregs[REG_RSP];
    uintptr_t caller =
        (uintptr_t)sp >= ck_self->stack_low && (uintptr_t)sp < ck_self->stack_high ? *sp : 0;
#else
    uintptr_t caller = context->uc_mcontext.regs[30];
#endif
    if (party->frame_count > 0 && party->frames[0].offset != 0)
        return;
    party->frames[0] = ck_place_of(caller);
    party->frame_count = caller != 0;
}

static void handle(int number, siginfo_t *info, void *context)
{
    if (!ck_self) {
        die_by(number);
        return;
    }
    if (is_telling)
        ck_end(1); /* X1 */
    is_telling = 1;
    ck_self->inside++;
    struct ck_report *report = describe(number, info, context);
    report->signal_or_status = (uint32_t)number;
    ck_report_doom(report); /* in case that unwinding crashes; replaced by the next line */
    ck_shared->result.failure.kind = CK_FINE;
    bool has_address = number == SIGSEGV || number == SIGBUS;
    struct ck_party *party =
        ck_report_party(report, ck_self->id, has_address ? (uintptr_t)info->si_addr : 0);
    if (number != CK_SIGNAL_STUCK)
        take_caller(party, context);
    ck_report_fail(report);
}

void ck_crash_stack_begin(void)
{
    void *low = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    stack_t stack = {.ss_sp = low, .ss_size = STACK_BYTES};

    if (low != MAP_FAILED)
        CK_NEXT(sigaltstack)(&stack, NULL);
}

static void install(int number)
{
    struct sigaction action = {.sa_sigaction = handle,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    struct sigaction before;

    /* The real one: by its name it is the program's, whose handlers run at points. */
    CK_NEXT(sigaction)(number, NULL, &before);
    if (before.sa_handler == SIG_DFL || number == CK_SIGNAL_STUCK) /* X2 */
        CK_NEXT(sigaction)(number, &action, NULL);
}

void ck_crash_prepare(void)
{
    ck_crash_stack_begin();
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
        install(fatal[i]);
    install(CK_SIGNAL_STUCK);
}

/* --- abort() and assert() --- */

_Noreturn static void fail_here(struct ck_report *report)
{
    report->signal_or_status = SIGABRT;
    ck_report_party(report, ck_self->id, 0);
    ck_report_fail(report);
}

CK_EXPORT void abort(void)
{
    if (!ck_self)
        CK_NEXT(abort)();
    ck_self->inside++;
    fail_here(ck_report_begin(CK_ASSERT, "aborted"));
}

static void say(const char *line)
{
    (void)!write(STDERR_FILENO, line, strlen(line));
}

/* glibc's, which assert() calls. */
_Noreturn void __assert_fail(const char *, const char *, unsigned, const char *);

CK_EXPORT void __assert_fail(const char *assertion, const char *file, unsigned line,
                             const char *function)
{
    if (!ck_self)
        CK_NEXT(__assert_fail)(assertion, file, line, function);
    ck_self->inside++;
    struct ck_report *report =
        ck_report_begin(CK_ASSERT, "assertion failed: %s, in %s", assertion, function);
    char words[CK_TEXT_BYTES];
    snprintf(words, sizeof words, "%s: %s:%u: %s: Assertion `%s' failed.\n",
             program_invocation_short_name, file, line, function, assertion);
    say(words);
    fail_here(report);
}

void __assert_perror_fail(int, const char *, unsigned, const char *) __attribute__((noreturn));

CK_EXPORT void __assert_perror_fail(int error, const char *file, unsigned line,
                                    const char *function)
{
    __assert_fail(strerror(error), file, line, function);
}
