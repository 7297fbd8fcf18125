/* SPDX-License-Identifier: MIT */
/* crash.c - two parts, one as safe as it can be, one as good as it can be.
 *
 * The handler, on the thread that crashes, writes one line by one write(2). Then it copies the top
 * of its stack and asks another thread to tell more; it waits for that, but not for long. Unwinding
 * opens files and allocates, and the heap may be what is broken, or locked by this very thread: if
 * the other one does not come back either, the line has been written, and the process dies.
 *
 *     handler                              teller
 *     NONE -> COPYING, copy, -> WANTED,
 *     write the eventfd
 *     sleep while WANTED, or TELL_NS       WANTED: unwind, write; -> DONE, wake
 *
 * A second thread that crashes meanwhile writes its line, and waits no less: who returns first
 * kills the process.
 *
 * The stack is copied by process_vm_readv(2), page by page: where it ends, or is broken, the call
 * fails and not we. The pointer may lie below it, if that is what has been used up.
 *
 * Checked by: tests/unit/proc/test_crash.c */
#include "sys/crash.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/text.h"
#include "sys/backtrace.h"
#include "sys/call.h"
#include "sys/clock.h"
#include "sys/fault.h"
#include "sys/fd.h"
#include "sys/futex.h"
#include "sys/last_words.h"
#include "sys/thread.h"
#include "sys/write.h"

enum { PAGE = 4096, PAGES = 16, PAGES_SKIPPED = 64, RED_ZONE_BYTES = 128 };
enum { FRAMES_MOST = 64, INDENT = 4, LINE_BYTES = 256 };
enum state { NO_TELLER, NONE, COPYING, WANTED, DONE };

#define TELL_NS 1000000000

static struct {
    _Atomic(const char *) job;
    _Atomic(uint32_t) state; /* futex; enum state */
    int event;
    struct rvi_stack_view view;
    char bytes[PAGES * PAGE];
} crash = {.event = -1};

static void write_line(const char *line, int length)
{
    size_t count = length < LINE_BYTES ? (size_t)length : LINE_BYTES - 1;
    ssize_t written = write(STDERR_FILENO, line, count);

    (void)written; /* nobody is left to tell */
}

/* "ravel: worker 4711, job 'parse': ..." */
static void say(const char *what)
{
    const char *job = rvi_load_relaxed(&crash.job);
    char line[LINE_BYTES];
    int length = snprintf(line, sizeof line, "ravel: worker %d%s%.100s%s %s\n", (int)getpid(),
                          job ? ", job '" : "", job ? job : "", job ? "':" : ":", what);

    write_line(line, length);
}

static void say_signal(int number, const siginfo_t *info)
{
    const char *name = sigabbrev_np(number);
    char what[LINE_BYTES / 2], address[32] = "";

    if (info->si_code > 0 && (number == SIGSEGV || number == SIGBUS))
        snprintf(address, sizeof address, " at address %p", info->si_addr);
    snprintf(what, sizeof what, "ended by SIG%s%s%s", name ? name : "?", address,
             info->si_code <= 0 && info->si_pid != getpid() ? ", sent by another process" : "");
    say(what);
}

static long copy_page(char *to, uintptr_t from, size_t bytes)
{
    struct iovec local = {to, bytes}, remote = {(void *)from, bytes}; /* NOLINT: an address */

    return syscall(SYS_process_vm_readv, (long)getpid(), &local, 1L, &remote, 1L, 0L);
}

/* From the stack pointer up, as far as there are pages; below the first one there may be a
 * guard. */
static void copy_stack(const void *ucontext)
{
    struct rvi_stack_view *view = &crash.view;
    size_t skipped = 0;

    rvi_ctx_regs_of_ucontext(ucontext, &view->regs);
    view->low = (view->regs.sp - RED_ZONE_BYTES) & ~(uintptr_t)(sizeof(uintptr_t) - 1);
    view->high = view->low;
    view->bytes = crash.bytes;
    while (view->high - view->low + PAGE <= sizeof crash.bytes) {
        size_t bytes = PAGE - view->high % PAGE;
        if (copy_page(crash.bytes + (view->high - view->low), view->high, bytes) == (long)bytes)
            view->high += bytes;
        else if (view->high == view->low && skipped++ < PAGES_SKIPPED)
            view->high = view->low += bytes;
        else
            break;
    }
}

static void ask_to_tell(const void *ucontext)
{
    uint32_t expected = NONE;

    if (rvi_cas_relaxed(&crash.state, &expected, COPYING)) {
        copy_stack(ucontext);
        rvi_store_release(&crash.state, WANTED); /* pairs: crash */
        rvi_fd_event_signal(crash.event);
    }
}

static bool is_wanted(void)
{
    uint32_t state = rvi_load_acquire(&crash.state); /* pairs: crash-told */

    return state == COPYING || state == WANTED;
}

static void await_telling(void)
{
    int64_t deadline_ns = rvi_clock_now() + TELL_NS;

    while (is_wanted()) {
        if (rvi_futex_wait(&crash.state, WANTED, deadline_ns) == -ETIME)
            return;
    }
}

static void on_death(int number, const siginfo_t *info, const void *ucontext)
{
    say_signal(number, info);
    ask_to_tell(ucontext);
    await_telling();
}

static void on_exit_within(int status, void *unused)
{
    char what[LINE_BYTES / 2];

    (void)unused;
    if (!rvi_load_relaxed(&crash.job))
        return;
    snprintf(what, sizeof what, "called exit(%d)", status);
    say(what);
}

int rvi_crash_watch(void)
{
    static struct rvi_fault_thread signal_stack; /* for ever */
    int fd = rvi_fd_event();
    int r = fd < 0 ? fd : rvi_fault_thread_enter(&signal_stack);

    if (r == 0)
        r = on_exit(on_exit_within, NULL) == 0 ? 0 : -ENOMEM;
    crash.event = fd;
    if (r == 0)
        r = rvi_last_words_report(on_death);
    return r < 0 ? r : fd;
}

void rvi_crash_has_teller(void)
{
    rvi_store_relaxed(&crash.state, NONE);
}

void rvi_crash_set_job(const char *name)
{
    rvi_store_relaxed(&crash.job, name);
}

static bool is_ours(struct rvi_backtracer *backtracer, const void *pc)
{
    struct rvi_frame frame;

    rvi_backtrace_frame(backtracer, pc, &frame);
    return frame.is_ours;
}

/* Without what has led to the program's code: the outermost frames that are the library's, and what
 * lies around those. Where nothing of it is the library's, all of it. */
static size_t innermost(struct rvi_backtracer *backtracer, const void *const *pcs, size_t count)
{
    size_t left = count;

    while (left > 0 && !is_ours(backtracer, pcs[left - 1]))
        left--;
    while (left > 0 && is_ours(backtracer, pcs[left - 1]))
        left--;
    return left > 0 ? left : count;
}

static void tell(struct rvi_backtracer *backtracer)
{
    const void *pcs[FRAMES_MOST];
    struct rvi_text text = {0};
    struct rvi_frame frame;
    size_t count =
        innermost(backtracer, pcs, rvi_backtrace(backtracer, &crash.view, pcs, FRAMES_MOST));

    for (size_t i = 0; i < count; i++) {
        rvi_backtrace_frame(backtracer, pcs[i], &frame);
        rvi_text_add(&text, "%*s", INDENT, "");
        rvi_frame_add(&text, &frame);
        rvi_text_add(&text, "\n");
    }
    if (text.count > 0 && rvi_write_all(STDERR_FILENO, text.bytes, text.count) < 0)
        text.is_cut = true; /* nobody is left to tell */
    rvi_text_fini(&text);
}

void rvi_crash_tell(void)
{
    if (rvi_load_acquire(&crash.state) != WANTED) /* pairs: crash */
        return;
    struct rvi_backtracer *backtracer = rvi_backtracer_new(true);
    if (backtracer)
        tell(backtracer);
    rvi_backtracer_free(backtracer);
    rvi_fd_event_clear(crash.event);
    rvi_store_release(&crash.state, DONE); /* pairs: crash-told */
    rvi_futex_wake(&crash.state, 8);
}
