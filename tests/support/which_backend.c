/* SPDX-License-Identifier: MIT */
/* which_backend.c - whether the backend that RAVEL_BACKEND names works here: prints its name, or
 * why not, and fails. tools/run_tests.py asks it once a build.
 *
 * A user without privileges has a bound on the memory of all his rings (RLIMIT_MEMLOCK), and tests
 * run beside each other. So as many are opened at a time as all of them together may have: with
 * fewer, now this one would fail and now that. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ravel.h>

#include "under_tool.h"

enum { RINGS_OF_A_TEST = 8, MOST_RINGS = 256 };

static int ends[2];

/* A worker has what waiting takes from its first wait on. */
static int wait_there(void *worker)
{
    int r = rv_migrate((unsigned)(uintptr_t)worker);
    if (r == 0)
        r = rv_poll(ends[0], POLLIN, rv_after(RV_MILLISECOND));
    return r == -ETIME ? 0 : r;
}

static int ask(void *arg)
{
    int err, r = rv_pipe(ends);
    (void)arg;
    if (r < 0)
        return r;
    RV_SCOPE(s, err) {
        for (uintptr_t i = 0; r == 0 && i < rv_run_workers(); i++)
            r = rv_go(s, wait_there, (void *)i);
    }
    rv_close(ends[0]);
    rv_close(ends[1]);
    return r < 0 ? r : err < 0 ? err : rv_run_backend();
}

int main(void)
{
    const char *wanted = getenv("RAVEL_BACKEND");
    long rings = RINGS_OF_A_TEST * sysconf(_SC_NPROCESSORS_ONLN);
    struct rv_run_opts opts = {.size = sizeof opts};

    if (is_under_valgrind() && wanted && strcmp(wanted, "uring") == 0) {
        puts("valgrind does not see what the kernel writes");
        return 1;
    }
    opts.workers = (unsigned)(rings < MOST_RINGS ? rings : MOST_RINGS);
    int r = rv_run(ask, NULL, &opts);
    puts(r < 0 ? strerror(-r) : r == RV_BACKEND_URING ? "uring" : "epoll");
    return r < 0;
}
