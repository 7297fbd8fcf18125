/* SPDX-License-Identifier: MIT */
/* testing_simulated.c - a server looks whether its client is still there, then waits
 * for something else, then answers. The hour that this takes takes no time here. */
#include <errno.h>
#include <ravel.h>
#include <stdatomic.h>
#include <stdio.h>

static struct rv_event answer;
static atomic_int is_gone, answered_nobody;

static int server(void *arg)
{
    int r = rv_sleep(60 * RV_MINUTE);
    if (r < 0 || atomic_load(&is_gone))
        return r;
    r = rv_sleep(RV_MILLISECOND); /* its journal, say: anything that may wait */
    if (atomic_load(&is_gone))
        atomic_store(&answered_nobody, 1); /* elsewhere: a write to freed memory */
    rv_event_set(&answer);
    return r;
}

static int client(void *arg)
{
    int r = rv_event_wait(&answer, rv_after(60 * RV_MINUTE));
    atomic_store(&is_gone, 1);
    return r == -ETIME ? 0 : r;
}

static int entry(void *arg)
{
    int err;
    rv_event_init(&answer);
    atomic_store(&is_gone, 0);
    atomic_store(&answered_nobody, 0);
    RV_SCOPE(s, err) {
        int r = rv_go(s, server, NULL);
        if (r == 0)
            r = rv_go(s, client, NULL);
        if (r < 0)
            rv_scope_cancel(s, r);
    }
    return err < 0 ? err : atomic_load(&answered_nobody) ? -EBADMSG : 0;
}

int main(void)
{
    struct rv_sim_opts opts = {.size = sizeof(opts), .quiet = 1};
    struct rv_sim_result result = {.size = sizeof(result)};
    int r = rv_sim_explore(entry, NULL, &opts, &result);
    printf("after %d minutes: %s\n", (int)(result.elapsed / RV_MINUTE),
           r < 0 ? "an answer to nobody" : "nothing found");
    opts.seed = result.seed;
    int again = rv_sim_run(entry, NULL, &opts);
    printf("the same seed again: %s\n", again == r ? "the same" : "something else");
    return 0;
}
