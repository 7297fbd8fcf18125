/* SPDX-License-Identifier: MIT */
/* latency_inflight.c - a hundred answers that each take 10 ms, so many of them
 * under way at a time. */
#include <ravel.h>
#include <stdio.h>

enum { QUESTIONS = 100 };

static int ask(void *arg)
{
    return rv_sleep(10 * RV_MILLISECOND);
}

static int ask_all(size_t at_a_time)
{
    int err;
    rv_time begin = rv_now();

    RV_SCOPE(s, err, .limit = at_a_time) {
        for (int i = 0; i < QUESTIONS; i++) {
            int r = rv_go(s, ask, NULL); /* waits for its turn */
            if (r < 0)
                rv_scope_cancel(s, r);
        }
    }
    double seconds = (double)(rv_now() - begin) / RV_SECOND;
    printf("%3zu under way: %6.3f s for all\n", at_a_time, seconds);
    return err;
}

static int entry(void *arg)
{
    int r = 0;

    for (size_t n = 1; n <= QUESTIONS && r == 0; n *= 10)
        r = ask_all(n);
    return r;
}

int main(void)
{
    struct rv_run_opts opts = {.size = sizeof(opts), .workers = 1};
    return rv_run(entry, NULL, &opts) < 0;
}
