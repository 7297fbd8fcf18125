/* SPDX-License-Identifier: MIT */
/* last_words.c - one line before the process dies.
 *
 * The handlers stand while any thread has a line, and for ever once somebody wants to be called as
 * well. A handler writes the line of its own thread, once, calls whoever wants to be, puts the
 * previous disposition back and lets the signal come again: a fault does so by itself when the
 * handler returns, one that was sent (abort's is) is sent once more and stays pending until then.
 * The program's own handler, the core dump and the exit status are what they would have been.
 *
 * Invariants (install_lock held):
 *   L1  users > 0  <=>  the handlers have been installed
 *   L2  a signal's previous[] is what was there before ours */
#include "sys/last_words.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/atomic.h"
#include "sys/call.h"
#include "sys/lock.h"
#include "sys/stack.h"

#if RVI_ASAN || RVI_TSAN
#include <sanitizer/common_interface_defs.h>
#endif

static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};

enum { SIGNALS = sizeof(signals) / sizeof(signals[0]) };

static struct rvi_lock install_lock = RVI_LOCK_INIT; /* never waited for in a simulation */
static int users;                                    /* install_lock */
static struct sigaction previous[SIGNALS];
static _Thread_local const char *volatile words;
static _Atomic(rvi_last_words_fn *) also;
static _Atomic(rvi_death_fn *) report;

static void speak(void)
{
    const char *line = words;

    words = NULL;
    if (!line)
        return;
    ssize_t written = write(STDERR_FILENO, line, strlen(line));
    (void)written; /* nobody is left to tell */
}

/* A line goes first: it is short and does not wait. */
static void speak_and_call(void)
{
    void (*call)(void) = rvi_load_acquire(&also); /* pairs: last-words-also */

    speak();
    if (call)
        call();
}

static void on_death(int number, siginfo_t *info, void *context)
{
    int saved_errno = errno;
    rvi_death_fn *tell = rvi_load_acquire(&report); /* pairs: last-words-report */

    if (tell)
        tell(number, info, context);
    speak_and_call();
    for (size_t i = 0; i < SIGNALS; i++) {
        if (signals[i] == number)
            sigaction(number, &previous[i], NULL);
    }
    if (info->si_code <= 0)
        (void)syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), number);
    errno = saved_errno;
}

/* exit() out of the middle. */
__attribute__((destructor)) static void on_exit_of_process(void)
{
    speak();
}

/* A handler that somebody has put on top of ours stays. */
static void uninstall(size_t count)
{
    struct sigaction now;

    for (size_t i = 0; i < count; i++) {
        if (sigaction(signals[i], NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) &&
            now.sa_sigaction == on_death)
            sigaction(signals[i], &previous[i], NULL);
    }
}

static int install(void)
{
    struct sigaction ours = {.sa_sigaction = on_death, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    sigemptyset(&ours.sa_mask);
#if RVI_ASAN || RVI_TSAN
    __sanitizer_set_death_callback(speak_and_call);
#endif
    for (size_t i = 0; i < SIGNALS; i++) {
        if (RVI_CALL(SET_LAST_WORDS, sigaction(signals[i], NULL, &previous[i])) != 0 ||
            RVI_CALL(SET_LAST_WORDS, sigaction(signals[i], &ours, NULL)) != 0) {
            int error = errno;
            uninstall(i);
            return -error;
        }
    }
    return 0;
}

/* install_lock is held. */
static int join(void)
{
    int r = users == 0 ? install() : 0;

    users += r == 0;
    return r;
}

int rvi_last_words_set(const char *line)
{
    rvi_lock_acquire(&install_lock);
    int r = join();
    if (r == 0)
        words = line;
    rvi_lock_release(&install_lock);
    return r;
}

int rvi_last_words_also(rvi_last_words_fn *fn)
{
    rvi_lock_acquire(&install_lock);
    int r = join();
    if (r == 0)
        rvi_store_release(&also, fn); /* pairs: last-words-also */
    rvi_lock_release(&install_lock);
    return r;
}

int rvi_last_words_report(rvi_death_fn *fn)
{
    rvi_lock_acquire(&install_lock);
    int r = join();
    if (r == 0)
        rvi_store_release(&report, fn); /* pairs: last-words-report */
    rvi_lock_release(&install_lock);
    return r;
}

void rvi_last_words_forget(void)
{
    rvi_lock_acquire(&install_lock);
    words = NULL;
    if (--users == 0)
        uninstall(SIGNALS);
    rvi_lock_release(&install_lock);
}
