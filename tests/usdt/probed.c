/* SPDX-License-Identifier: MIT */
/* probed.c - a program that comes by probes of which each argument is known, on one worker. */
#include <errno.h>
#include <stddef.h>

#include <ravel.h>

static struct rv_event bell;

static int waiter(void *arg)
{
    (void)arg;
    return rv_event_wait(&bell, RV_NEVER) == -ECANCELED ? 5 : 6;
}

static int play(void *arg)
{
    int err;

    (void)arg;
    rv_event_init(&bell);
    RV_SCOPE(s, err, .name = "short") {
        err = rv_go(s, waiter, NULL);
        rv_yield();
        if (err == 0)
            rv_scope_cancel(s, -EIO);
    }
    return err == -EIO ? 0 : -EPROTO;
}

int main(void)
{
    struct rv_run_opts opts = {.size = sizeof opts, .workers = 1};

    return rv_run(play, NULL, &opts) == 0 ? 0 : 1;
}
