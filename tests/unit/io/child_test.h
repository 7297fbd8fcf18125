/* SPDX-License-Identifier: MIT */
/* child_test.h - what the tests of children share: commands, ways to run one to its end, and scenes
 * that are played by a plain thread, by a task alone and beside others.
 *
 * A program with this may be its own child: by `--child` and what it is to do. */
#pragma once

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <ravel.h>

#include "../../support/every_point.h"
#include "../sched/sched_test.h"

#define SOON rv_after(30 * RV_SECOND)

static const char *self; /* this program's path */

/* For main(): whoever has started this may have ignored some signals. */
static inline void know_self(void)
{
    for (int number = 1; number < 32; number++)
        signal(number, SIG_DFL);
    self = realpath("/proc/self/exe", NULL);
}

/* No zombie either. */
static inline bool has_no_child(void)
{
    return waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD;
}

#define SELF(what)                                                                                 \
    (const char *const[])                                                                          \
    {                                                                                              \
        self, "--child", what, NULL                                                                \
    }
#define COMMAND(...)                                                                               \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }
#define SHELL(script) COMMAND("/bin/sh", "-c", script)

/* By a plain thread, by the only worker and with several. Under valgrind a process cannot borrow
 * another's memory: see sys/spawn.c. */
static inline void play(rv_fn *scene)
{
    if (is_under_valgrind())
        skip();
    struct holdings before = holdings_now();
    assert_int_equal(scene(NULL), 0);
    assert_int_equal(run_on(1, scene, NULL), 0);
    assert_int_equal(run_on(2, scene, NULL), 0);
    assert_no_more_is_held(&before);
    assert_true(has_no_child());
}

static inline void play_cancelled(rv_fn *scene)
{
    if (is_under_valgrind())
        skip();
    cancel_at_every_point(scene, 1);
    cancel_at_every_point(scene, 2);
    assert_true(has_no_child());
}

static inline void play_starved(rv_fn *scene)
{
    if (is_under_valgrind())
        skip();
    fail_every_allocation(scene, 2);
    assert_true(has_no_child());
}

#define PLAYS(test, scene)                                                                         \
    static void test(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        play(scene);                                                                               \
    }

/* Run to its end; its output in io, which the caller frees. */
static inline struct rv_child_status ran(const char *const *argv, const struct rv_child_opts *opts,
                                         struct rv_child_io *io)
{
    struct rv_child_failure failure;
    struct rv_child_opts known = opts ? *opts : (struct rv_child_opts){0};
    struct rv_child_status status;
    known.ret_failure = &failure;
    int r = rv_child_run(argv, &known, io, &status, SOON);
    if (r < 0)
        fprintf(stderr, "%s (%d)\n", failure.text, r);
    RV_CHECK(r == 0);
    return status;
}
