/* SPDX-License-Identifier: MIT */
/* child.h - run something that may end the process in a child, and see how it ended and what it
 * said. With cmocka. */
#pragma once

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "under_tool.h"

/* How a child ended, and what it wrote to standard error. */
struct ending {
    int status;
    char text[4096];
};

/* Faults in the child meet the default action first, whatever a sanitizer has installed, and leave
 * no core behind. */
static inline void child_main(int error_fd, void (*fn)(void *), void *arg)
{
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
    signal(SIGABRT, SIG_DFL);
    dup2(error_fd, STDERR_FILENO);
    fn(arg);
    _exit(0);
}

static inline struct ending run_child(void (*fn)(void *), void *arg)
{
    struct ending ending = {0};
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        child_main(pipe_fds[1], fn, arg);
    close(pipe_fds[1]);
    size_t used = 0;
    ssize_t n;
    while ((n = read(pipe_fds[0], ending.text + used, sizeof(ending.text) - 1 - used)) > 0)
        used += (size_t)n;
    close(pipe_fds[0]);
    drop_qemu_line(ending.text);
    assert_int_equal(waitpid(child, &ending.status, 0), child);
    return ending;
}

/* It has to end in a panic that contains `message`. */
static inline void assert_panicked(const struct ending *ending, const char *message)
{
    assert_true(WIFSIGNALED(ending->status) && WTERMSIG(ending->status) == SIGABRT);
    assert_non_null(strstr(ending->text, "ravel: "));
    assert_non_null(strstr(ending->text, message));
}
