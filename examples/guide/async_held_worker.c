/* SPDX-License-Identifier: MIT */
/* async_held_worker.c - a call that does not know of tasks holds all of them up. */
#include <errno.h>
#include <ravel.h>
#include <stdio.h>
#include <unistd.h>

static int turns;

/* Whoever else lives on this worker. */
static int heartbeat(void *arg)
{
    int r;
    while ((r = rv_sleep(5 * RV_MILLISECOND)) == 0)
        turns++;
    return r;
}

static int blocks(void *arg)
{
    usleep(100000); /* or getaddrinfo, a database's client, a long computation */
    return 0;
}

static int on_a_helper(void *arg)
{
    return rv_blocking(blocks, arg, NULL);
}

static int call(const char *how, rv_fn *fn)
{
    int before = turns;
    int r = fn(NULL);
    const char *others = turns == before ? "had no turn" : "went on";
    printf("%s: the others %s\n", how, others);
    return r;
}

static int entry(void *arg)
{
    int err, r = 0;
    RV_SCOPE(others, err) {
        r = rv_go_named(others, heartbeat, NULL, "heartbeat");
        rv_yield(); /* it begins */
        if (r == 0)
            r = call("as it is", blocks);
        if (r == 0)
            r = call("by rv_blocking", on_a_helper);
        rv_scope_cancel(others, -ECANCELED);
    }
    return r < 0 ? r : err == -ECANCELED ? 0 : err;
}

int main(void)
{
    struct rv_run_opts one_thread = {.size = sizeof(one_thread), .workers = 1};
    return rv_run(entry, NULL, &one_thread) < 0;
}
