/* SPDX-License-Identifier: MIT */
/* scenario.h - what the programs of this folder share: a job, and a look at what a scenario leaves
 * behind. The scenarios, which use everything once, are in tasks.h, files.h, sockets.h, processes.h
 * and clusters.h.
 *
 * A scenario returns 0 when all went well, and otherwise the first -errno that came up; wherever it
 * is cut short, it waits for whatever it has started and frees whatever it has made. After each
 * play:
 *   - nothing is left: allocations, descriptors, threads, the fault handler, the signal stack;
 *   - nothing hangs: an alarm ends the program and says what had failed. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include <ravel.h>

#include "../support/crowd.h"
#include "../support/held.h"
#include "../support/under_tool.h"
#include "base/alloc.h"

enum { WORKERS = 2 };

typedef int scenario(void);

/* Slow builds leave some failures out: one in five is tried at a scale of 20. */
static long next(long n)
{
    long percent = (long)scaled(100, 1);
    return n + 1 + (percent < 100 ? n % (200 / percent) : 0);
}

static int null_device = -1;

static int open_null_device(void **state)
{
    (void)state;
    null_device = open("/dev/null", O_WRONLY | O_CLOEXEC);
    return null_device < 0 ? -1 : 0;
}

static int close_null_device(void **state)
{
    (void)state;
    close(null_device);
    return 0;
}

/* ---- a job ---------------------------------------------------------------------------------- */

static int twice(const long *job_in, long *job_out)
{
    *job_out = 2 * *job_in;
    return 0;
}
RV_JOB(twice, long, long);

static int submit_one(rv_executor *ex)
{
    rv_future *f;
    struct rv_outcome outcome;
    long in = 21, out = 0;
    int r = rv_submit(ex, &f, twice, &in, RV_NEVER);
    if (r < 0)
        return r;
    r = rv_future_get(f, &out, &outcome, RV_NEVER);
    if (r == 0 && outcome.kind == RV_OUTCOME_VALUE)
        RV_CHECK(out == 42);
    else if (r == 0)
        r = outcome.error;
    rv_future_free(f);
    return r;
}

/* ---- the alarm ------------------------------------------------------------------------------ */

static char playing[128]; /* what is being played, for whoever hears the alarm */

static void on_alarm(int number)
{
    ssize_t written = write(STDERR_FILENO, playing, strlen(playing));
    (void)written;
    (void)number;
    abort();
}

static void watch_for_a_hang(void)
{
    signal(SIGALRM, on_alarm);
    alarm(100);
}

/* ---- what is left --------------------------------------------------------------------------- */

struct left {
    long allocations;
    size_t descriptors, threads;
    struct sigaction on_segv, on_bus, on_quit, on_int, on_abort;
    stack_t signal_stack;
};

static struct left look_at_what_is_left(void)
{
    struct left now = {.allocations = rvi_alloc_live(),
                       .descriptors = open_descriptors(),
                       .threads = count_entries("/proc/self/task")};
    RV_CHECK(sigaction(SIGSEGV, NULL, &now.on_segv) == 0);
    RV_CHECK(sigaction(SIGBUS, NULL, &now.on_bus) == 0);
    RV_CHECK(sigaction(SIGQUIT, NULL, &now.on_quit) == 0);
    RV_CHECK(sigaction(SIGINT, NULL, &now.on_int) == 0);
    RV_CHECK(sigaction(SIGABRT, NULL, &now.on_abort) == 0);
    RV_CHECK(sigaltstack(NULL, &now.signal_stack) == 0);
    return now;
}

/* A thread that was joined is on its way out, and still listed for a moment; so are a ring's, after
 * it is closed: there may have been more before. */
static void wait_for_threads(size_t threads)
{
    watch_for_a_hang();
    while (count_entries("/proc/self/task") > threads)
        rvi_thread_yield();
    alarm(0);
}

static void check_nothing_is_left(const struct left *before)
{
    wait_for_threads(before->threads);
    struct left now = look_at_what_is_left();
    assert_int_equal(now.allocations, before->allocations);
    assert_int_equal(now.descriptors, before->descriptors);
    assert_true(now.threads <= before->threads);
    assert_true(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
}

static void check_handlers_are_as_before(const struct left *before)
{
    struct left now = look_at_what_is_left();
    assert_true(now.on_segv.sa_sigaction == before->on_segv.sa_sigaction);
    assert_true(now.on_bus.sa_sigaction == before->on_bus.sa_sigaction);
    assert_true(now.on_quit.sa_sigaction == before->on_quit.sa_sigaction);
    assert_true(now.on_int.sa_sigaction == before->on_int.sa_sigaction);
    assert_true(now.on_abort.sa_sigaction == before->on_abort.sa_sigaction);
}

/* One that could not be withdrawn stays usable, until it is withdrawn here. */
static void check_signal_stack_is_as_before(const struct left *before, const char *failed)
{
    struct left now = look_at_what_is_left();
    unsigned char present;
    if (now.signal_stack.ss_flags == before->signal_stack.ss_flags)
        return;
    assert_string_equal(failed, "RESTORE_SIGNAL_STACK");
    assert_int_equal(mincore(now.signal_stack.ss_sp, 1, &present), 0);
    assert_int_equal(sigaltstack(&before->signal_stack, NULL), 0);
}
