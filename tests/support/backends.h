/* SPDX-License-Identifier: MIT */
/* backends.h - the same tests on io_uring and on epoll, a group each. A backend that the kernel
 * refuses has its tests skipped, and so has io_uring under valgrind, which does not see what the
 * kernel writes. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ravel.h>

#include "../unit/sched/sched_test.h"

static inline int ask_backend(void *arg)
{
    (void)arg;
    return rv_run_backend();
}

/* What a runtime says that is told to use this one: less than 0 if it cannot. */
static inline int backend_there(enum rv_backend backend)
{
    struct rv_run_opts opts = {.size = sizeof(opts), .workers = 1, .backend = backend};
    return rv_run(ask_backend, NULL, &opts);
}

/* As run_on(), where the test may be skipped; for cmocka's own frame. */
static inline int run_here(unsigned workers, rv_fn *fn, void *arg)
{
    const char *name = getenv("RAVEL_BACKEND");
    bool is_uring = name && strcmp(name, "uring") == 0;
    if (is_uring && (is_under_valgrind() || backend_there(RV_BACKEND_URING) < 0))
        skip();
    return run_on(workers, fn, arg);
}

/* A group of tests on both; on one, if somebody has said which. */
#define RUN_ON_EACH_BACKEND(tests, result)                                                         \
    do {                                                                                           \
        if (getenv("RAVEL_BACKEND")) {                                                             \
            (result) = cmocka_run_group_tests(tests, NULL, NULL);                                  \
            break;                                                                                 \
        }                                                                                          \
        setenv("RAVEL_BACKEND", "epoll", 1);                                                       \
        (result) = cmocka_run_group_tests_name("epoll", tests, NULL, NULL);                        \
        setenv("RAVEL_BACKEND", "uring", 1);                                                       \
        (result) += cmocka_run_group_tests_name("uring", tests, NULL, NULL);                       \
        unsetenv("RAVEL_BACKEND");                                                                 \
    } while (0)
