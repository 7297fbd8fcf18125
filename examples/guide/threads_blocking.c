/* SPDX-License-Identifier: MIT */
/* threads_blocking.c - a library's call that blocks its thread, made by a task, and
 * made on a helper thread while the task waits: how often another task of the same
 * thread gets to run meanwhile. */
#include <errno.h>
#include <ravel.h>
#include <stdio.h>
#include <time.h>

/* It knows nothing of tasks: the kernel puts the whole thread to sleep. */
static int query_database(void *arg)
{
    struct timespec left = {0, 200000000};

    while (nanosleep(&left, &left) < 0)
        continue;
    return 0;
}

static int beat(void *count)
{
    for (;;) {
        int r = rv_sleep(RV_MILLISECOND);
        if (r < 0)
            return r;
        ++*(int *)count;
    }
}

static int query(const char *how, int is_helped)
{
    int err, beats = 0, r = 0;

    RV_SCOPE(s, err) {
        r = rv_go(s, beat, &beats);
        rv_yield(); /* it has begun, and sleeps */
        if (r == 0)
            r = is_helped ? rv_blocking(query_database, NULL, NULL) : query_database(NULL);
        printf("%s: the other task ran %s\n", how, beats > 1 ? "on and on" : "not at all");
        rv_scope_cancel(s, -ECANCELED); /* or it would go on for ever */
    }
    return r < 0 || err == -ECANCELED ? r : err;
}

static int entry(void *arg)
{
    int r = query("called by the task", 0);

    return r < 0 ? r : query("called by rv_blocking", 1);
}

int main(void)
{
    struct rv_run_opts opts = {.size = sizeof(opts), .workers = 1};
    return rv_run(entry, NULL, &opts) < 0;
}
