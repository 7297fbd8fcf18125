/* SPDX-License-Identifier: MIT */
/* sys_test.h - what the tests of src/sys share: cmocka, the tools we may run under, and children
 * whose death is part of the test. */
#pragma once

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../support/under_tool.h"
#include "base/check.h"
#include "sys/stack.h"

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
