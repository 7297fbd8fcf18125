/* SPDX-License-Identifier: MIT */
/* fault.c - one clear line for a stack overflow, then the crash that was due.
 *
 * The handler runs on the worker's alternate stack, since the task's own is used up. It claims a
 * fault only when both the address lies in a guard of a watched pool and the stack pointer lies in
 * the same slot: an overrun upwards from the neighbouring stack hits the same guard and is somebody
 * else's bug. Having reported, it puts the previous disposition back and returns: the instruction
 * faults again, and the core dump, or the program's own handler, sees it where it happened. Every
 * other fault goes straight to the previous disposition.
 *
 * Everything the handler reads is a fixed table of atomics, and what it calls is async-signal-safe.
 * A pool may be uninstalled and closed while another thread is inside the handler for a fault in a
 * task of that pool only if tasks still ran on it, which closing forbids.
 *
 * Invariants (install_lock held):
 *   F1  a signal's handler is ours => previous[] holds what was there before, and is_ours is set
 *   F2  watched == number of slots with a pool */
#include "sys/fault.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/seam.h"
#include "sys/call.h"
#include "sys/lock.h"
#include "sys/thread.h"

enum { POOLS_MAX = 16, LINE_BYTES = 512 };

/* Room for a chained handler that symbolises. Grows with the CPU's register file. */
#define HANDLER_BYTES ((size_t)64 << 10)

struct watch {
    _Atomic(struct rvi_stack_pool *) pool; /* NULL: slot is free */
    _Atomic(rvi_fault_describe *) describe;
};

struct signal_state {
    int number;
    bool is_ours;
    struct sigaction previous;
};

static struct rvi_lock install_lock = RVI_LOCK_INIT; /* never waited for in a simulation */
static int watched;                                  /* install_lock */
static struct watch watches[POOLS_MAX];
static struct signal_state signals[] = {{.number = SIGSEGV}, {.number = SIGBUS}};

enum { SIGNALS = sizeof(signals) / sizeof(signals[0]) };

/* ---- a line of text without stdio ---- */

struct line {
    size_t used;
    char text[LINE_BYTES];
};

static void line_add(struct line *line, const char *text)
{
    size_t n = strlen(text);
    size_t room = sizeof(line->text) - line->used;
    n = n < room ? n : room;
    memcpy(line->text + line->used, text, n);
    line->used += n;
}

static void line_add_number(struct line *line, size_t number)
{
    char digits[24];
    char *at = digits + sizeof(digits) - 1;
    *at = '\0';
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    line_add(line, at);
}

static void line_add_owner(struct line *line, const struct rvi_stack *stack,
                           rvi_fault_describe *describe)
{
    size_t room = (sizeof(line->text) - line->used) / 2;
    int n = describe ? describe(stack, line->text + line->used, room) : 0;
    if (n > 0)
        line->used += (size_t)n < room ? (size_t)n : room;
    else
        line_add(line, "a task");
}

static void line_write(struct line *line)
{
    if (line->used == sizeof(line->text))
        line->used--;
    line->text[line->used++] = '\n';
    ssize_t written = write(STDERR_FILENO, line->text, line->used);
    (void)written; /* nobody is left to tell */
}

/* ---- the handler ---- */

static const void *stack_pointer_of(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (const void *)context->uc_mcontext.gregs[REG_RSP]; /* NOLINT: an address */
#elif defined(__aarch64__)
    return (const void *)context->uc_mcontext.sp;
#endif
}

/* The stack whose guard was hit from the stack itself, and whose watch it is; else NULL. */
static struct rvi_stack *overflowed_stack(const void *address, const void *sp,
                                          const struct watch **ret)
{
    for (size_t i = 0; i < POOLS_MAX; i++) {
        struct rvi_stack_pool *pool = rvi_load_acquire(&watches[i].pool); /* pairs: fault-watch */
        struct rvi_stack *hit, *running;
        if (pool && rvi_stack_pool_find(pool, address, &hit) == RVI_STACK_GUARD &&
            rvi_stack_pool_find(pool, sp, &running) != RVI_STACK_NONE && hit == running) {
            *ret = &watches[i];
            return hit;
        }
    }
    return NULL;
}

static void report(const struct rvi_stack *stack, const struct watch *watch)
{
    /* From the lowest byte to the page's end above the descriptor: the size that was asked for. */
    size_t page = rvi_page_bytes();
    size_t bytes = ((uintptr_t)stack->high + page) / page * page - (uintptr_t)stack->low;
    struct line line = {.used = 0};
    line_add(&line, "ravel: stack overflow in ");
    line_add_owner(&line, stack, rvi_load_relaxed(&watch->describe));
    line_add(&line, ": its stack of ");
    line_add_number(&line, bytes >> 10);
    line_add(&line, " KiB is used up; raise stack_bytes in struct rv_run_opts (or RAVEL_STACK), or "
                    "keep large arrays on the heap");
    line_write(&line);
}

static struct signal_state *state_of(int number)
{
    return number == signals[0].number ? &signals[0] : &signals[1];
}

/* A fault kills when the instruction runs again, even where the signal was ignored. One that was
 * sent by kill(2) does not come again by itself: it is sent once more, pending until the handler
 * returns. */
static void crash(struct signal_state *state, const siginfo_t *info)
{
    bool was_sent = info->si_code <= 0;
    if (was_sent && state->previous.sa_handler == SIG_IGN)
        return;
    struct sigaction plain = {.sa_handler = SIG_DFL};
    sigaction(state->number, &plain, NULL);
    if (was_sent)
        (void)syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), state->number);
}

/* As the kernel would have called it, but for its mask and flags: a handler that returns from a
 * fault or leaves it by siglongjmp works as before. */
static void pass_on(int number, siginfo_t *info, void *context)
{
    struct signal_state *state = state_of(number);
    const struct sigaction *previous = &state->previous;
    if (previous->sa_flags & SA_SIGINFO)
        previous->sa_sigaction(number, info, context);
    else if (previous->sa_handler == SIG_DFL || previous->sa_handler == SIG_IGN)
        crash(state, info);
    else
        previous->sa_handler(number);
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    int saved_errno = errno;
    const struct watch *watch;
    struct rvi_seam *seam = rvi_seam_leave();
    struct rvi_stack *stack =
        info->si_code > 0 ? overflowed_stack(info->si_addr, stack_pointer_of(context), &watch)
                          : NULL;
    rvi_seam_return(seam);
    if (stack) {
        report(stack, watch);
        sigaction(number, &state_of(number)->previous, NULL);
    } else
        pass_on(number, info, context);
    errno = saved_errno;
}

/* ---- install and uninstall ---- */

static int handler_install(struct signal_state *state)
{
    if (state->is_ours)
        return 0;
    struct sigaction ours = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&ours.sa_mask);
    if (RVI_CALL(INSTALL_HANDLER, sigaction(state->number, NULL, &state->previous)) != 0 ||
        RVI_CALL(INSTALL_HANDLER, sigaction(state->number, &ours, NULL)) != 0)
        return -errno;
    state->is_ours = true;
    return 0;
}

/* A handler that somebody put on top of ours may call ours as its previous one: then ours stays,
 * and with no pool to watch passes everything on. */
static void handler_uninstall(struct signal_state *state)
{
    struct sigaction now;
    if (!state->is_ours || sigaction(state->number, NULL, &now) != 0)
        return;
    if (!(now.sa_flags & SA_SIGINFO) || now.sa_sigaction != on_fault)
        return;
    sigaction(state->number, &state->previous, NULL);
    state->is_ours = false;
}

static void handlers_uninstall(void)
{
    for (size_t i = 0; i < SIGNALS; i++)
        handler_uninstall(&signals[i]);
}

static int handlers_install(void)
{
    for (size_t i = 0; i < SIGNALS; i++) {
        int rc = handler_install(&signals[i]);
        if (rc != 0) {
            handlers_uninstall();
            return rc;
        }
    }
    return 0;
}

static struct watch *watch_of(const struct rvi_stack_pool *pool)
{
    for (size_t i = 0; i < POOLS_MAX; i++) {
        if (rvi_load_relaxed(&watches[i].pool) == pool)
            return &watches[i];
    }
    return NULL;
}

int rvi_fault_install(struct rvi_stack_pool *pool, rvi_fault_describe *describe)
{
    struct rvi_seam *seam = rvi_seam_leave();
    rvi_lock_acquire(&install_lock);
    struct watch *slot = watch_of(NULL);
    int rc = slot ? 0 : -ENOSPC;
    if (rc == 0 && watched == 0)
        rc = handlers_install();
    if (rc == 0) {
        watched++;
        rvi_store_relaxed(&slot->describe, describe);
        rvi_store_release(&slot->pool, pool); /* pairs: fault-watch */
    }
    rvi_lock_release(&install_lock);
    rvi_seam_return(seam);
    return rc;
}

void rvi_fault_uninstall(struct rvi_stack_pool *pool)
{
    struct rvi_seam *seam = rvi_seam_leave();
    rvi_lock_acquire(&install_lock);
    struct watch *slot = pool ? watch_of(pool) : NULL;
    if (slot) {
        rvi_store_relaxed(&slot->pool, NULL);
        if (--watched == 0)
            handlers_uninstall();
    }
    rvi_lock_release(&install_lock);
    rvi_seam_return(seam);
}

/* ---- a thread's alternate stack: a guard page, then room for the handler ---- */

static size_t alternate_bytes(void)
{
    long least = sysconf(_SC_MINSIGSTKSZ);
    size_t bytes = HANDLER_BYTES + (least > 0 ? (size_t)least : 0);
    size_t page = rvi_page_bytes();
    return page + (bytes + page - 1) / page * page;
}

int rvi_fault_thread_enter(struct rvi_fault_thread *thread)
{
    *thread = (struct rvi_fault_thread){0};
    stack_t now;
    if (RVI_CALL(ASK_SIGNAL_STACK, sigaltstack(NULL, &now)) != 0)
        return -errno;
    if (!(now.ss_flags & SS_DISABLE))
        return 0;
    size_t bytes = alternate_bytes(), page = rvi_page_bytes();
    char *memory = RVI_CALL(MAP_SIGNAL_STACK, mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                                                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (memory == MAP_FAILED)
        return -errno;
    stack_t ours = {.ss_sp = memory + page, .ss_size = bytes - page};
    if (RVI_CALL(GUARD_SIGNAL_STACK, mprotect(memory, page, PROT_NONE)) != 0 ||
        RVI_CALL(SET_SIGNAL_STACK, sigaltstack(&ours, NULL)) != 0) {
        int error = errno;
        munmap(memory, bytes);
        return -error;
    }
    *thread = (struct rvi_fault_thread){.mapping = memory, .mapping_bytes = bytes};
    return 0;
}

/* Whether the thread's signals come to another stack than this, or to none, from now on. */
static bool signal_stack_is_withdrawn(const char *memory)
{
    stack_t now, none = {.ss_flags = SS_DISABLE};
    if (RVI_CALL(RESTORE_SIGNAL_STACK, sigaltstack(NULL, &now)) != 0)
        return false;
    return now.ss_sp != memory + rvi_page_bytes() ||
           RVI_CALL(RESTORE_SIGNAL_STACK, sigaltstack(&none, NULL)) == 0;
}

/* Memory that signals may still be delivered on is better lost than unmapped. */
void rvi_fault_thread_leave(struct rvi_fault_thread *thread)
{
    if (!thread->mapping)
        return;
    if (signal_stack_is_withdrawn(thread->mapping))
        (void)RVI_CALL(RELEASE, munmap(thread->mapping, thread->mapping_bytes));
    *thread = (struct rvi_fault_thread){0};
}
