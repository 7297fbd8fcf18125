/* SPDX-License-Identifier: MIT */
/* traced.c - a program of which each step is known, on one worker; with an argument it dies at the
 * end of the third. */
#include <stddef.h>
#include <stdlib.h>

#include <ravel.h>

static struct rv_event bell;
static int dies;

static int waiter(void *arg)
{
    (void)arg;
    return rv_event_wait(&bell, RV_NEVER);
}

static int ringer(void *arg)
{
    (void)arg;
    rv_event_set(&bell);
    if (dies)
        abort();
    return 0;
}

static int play(void *arg)
{
    int err;

    (void)arg;
    rv_event_init(&bell);
    RV_SCOPE(s, err, .name = "pair") {
        err = rv_go(s, waiter, NULL);
        rv_yield();
        if (err == 0)
            err = rv_go(s, ringer, NULL);
    }
    return err;
}

int main(int argc, char **argv)
{
    struct rv_run_opts opts = {.size = sizeof opts, .workers = 1};

    (void)argv;
    dies = argc > 1;
    return rv_run(play, NULL, &opts) == 0 ? 7 : 1;
}
