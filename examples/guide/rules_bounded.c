/* SPDX-License-Identifier: MIT */
/* rules_bounded.c - a thousand requests, ten at a time. */
#include <ravel.h>
#include <stdio.h>

static int now_running, most, done;

static int request(void *arg)
{
    if (++now_running > most)
        most = now_running;
    int r = rv_sleep(RV_MILLISECOND);
    now_running--;
    done++;
    return r;
}

static int entry(void *arg)
{
    int err;
    RV_SCOPE(s, err, .limit = 10) {
        int r = 0;
        for (int i = 0; i < 1000 && r == 0; i++)
            r = rv_go(s, request, NULL);
        if (r < 0)
            rv_scope_cancel(s, r);
    }
    printf("%d requests, never more than %d at a time\n", done, most);
    return err;
}

int main(void)
{
    /* Tasks of one worker take turns where they wait: the counts need no lock. */
    struct rv_run_opts one_thread = {.size = sizeof(one_thread), .workers = 1};
    return rv_run(entry, NULL, &one_thread) < 0;
}
