/* SPDX-License-Identifier: MIT */
/* which_backend.c - whether the backend that RAVEL_BACKEND names works here: prints its name, or
 * why not, and fails. tools/run_tests.py asks it once a build. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ravel.h>

#include "under_tool.h"

static int ask(void *arg)
{
    (void)arg;
    return rv_run_backend();
}

int main(void)
{
    const char *wanted = getenv("RAVEL_BACKEND");
    struct rv_run_opts opts = {.size = sizeof opts, .workers = 1};

    if (is_under_valgrind() && wanted && strcmp(wanted, "uring") == 0) {
        puts("valgrind does not see what the kernel writes");
        return 1;
    }
    int r = rv_run(ask, NULL, &opts);
    puts(r < 0 ? strerror(-r) : r == RV_BACKEND_URING ? "uring" : "epoll");
    return r < 0;
}
