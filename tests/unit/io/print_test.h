/* SPDX-License-Identifier: MIT */
/* print_test.h - programs that print, each in a child whose standard output and standard error are
 * pipes. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ravel.h>

#include "../../support/crowd.h"
#include "../sched/sched_test.h"

struct program {
    pid_t pid;
    int out, err; /* what it prints can be read here */
};

/* Deadly signals meet their default, whatever cmocka or a sanitizer has installed. */
static inline void program_main(const int out[2], const int err[2], void (*fn)(void))
{
    static const int deadly[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};

    RV_CHECK(dup2(out[1], STDOUT_FILENO) >= 0 && dup2(err[1], STDERR_FILENO) >= 0);
    for (int i = 0; i < 2; i++) {
        close(out[i]);
        close(err[i]);
    }
    for (size_t i = 0; i < sizeof deadly / sizeof deadly[0]; i++)
        signal(deadly[i], SIG_DFL);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    alarm(300); /* whoever is stuck does not stay for ever */
    fn();
    exit(0);
}

static inline struct program start_program(void (*fn)(void))
{
    int out[2], err[2];

    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(err, O_CLOEXEC), 0);
    struct program p = {.pid = fork(), .out = out[0], .err = err[0]};
    assert_true(p.pid >= 0);
    if (p.pid == 0)
        program_main(out, err, fn);
    close(out[1]);
    close(err[1]);
    return p;
}

static inline int status_of(const struct program *p)
{
    int status;

    assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
    return status;
}

/* All that comes until the end, with a NUL behind it; to be freed. */
static inline char *read_to_end(int fd, size_t *ret_bytes)
{
    size_t used = 0, room = 1 << 16;
    char *text = malloc(room);
    ssize_t n;

    while ((n = read(fd, text + used, room - used - 1)) > 0) {
        used += (size_t)n;
        if (room - used < 4096)
            text = realloc(text, room *= 2);
    }
    assert_int_equal(n, 0);
    close(fd);
    text[used] = '\0';
    if (ret_bytes)
        *ret_bytes = used;
    return text;
}

/* Run to the end; it has to exit with 0. What it printed, to be freed. */
static inline char *output_of(void (*fn)(void))
{
    struct program p = start_program(fn);
    char *text = read_to_end(p.out, NULL);
    char *complaints = read_to_end(p.err, NULL);
    int status = status_of(&p);

    if (status != 0)
        fail_msg("status %x: %s", status, complaints);
    free(complaints);
    return text;
}

static inline char *errors_of(void (*fn)(void))
{
    struct program p = start_program(fn);
    char *text = read_to_end(p.err, NULL);

    close(p.out);
    assert_int_equal(status_of(&p), 0);
    return text;
}

static inline struct rv_print_stats print_stats(enum rv_print_stream stream)
{
    struct rv_print_stats stats = {.size = sizeof stats};

    RV_CHECK(rv_print_stats_read(stream, &stats) == 0);
    return stats;
}

/* --- a queue that is soon full --- */

#define NINE "xxxxxxxxx"
#define THIRTY_THREE NINE NINE NINE "xxxxxx"

static const char text_of_100[] = THIRTY_THREE THIRTY_THREE THIRTY_THREE "\n";

enum { TEXT = sizeof text_of_100 - 1, BOUND = 4096, MANY = 2000 };

static inline void set_bound(void)
{
    struct rv_print_opts opts = {.size = sizeof opts, .bound_bytes = BOUND};
    RV_CHECK(rv_print_setup(&opts) == 0);
}

/* MANY are enough to fill pipe or terminal, and the queue. */
static inline int print_many(void *count)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < (size_t)(uintptr_t)count; i++)
        r = rv_print_text(RV_OUT, text_of_100, TEXT, RV_NEVER);
    return r;
}

/* Nobody reads. The pipe first, to the last byte, so that no piece of the queue still fits. */
static inline void fill_up(void)
{
    static const char zeros[PIPE_BUF];
    int r, flags = fcntl(STDOUT_FILENO, F_GETFL);

    RV_CHECK(fcntl(STDOUT_FILENO, F_SETFL, flags | O_NONBLOCK) == 0);
    for (size_t n = sizeof zeros; n > 0; n /= 2) {
        while (write(STDOUT_FILENO, zeros, n) > 0) {}
    }
    RV_CHECK(errno == EAGAIN && fcntl(STDOUT_FILENO, F_SETFL, flags) == 0);
    do
        r = rv_print_text(RV_OUT, text_of_100, TEXT, rv_after(0));
    while (r == 0);
    RV_CHECK(r == -ETIME);
}
