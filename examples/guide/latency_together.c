/* SPDX-License-Identifier: MIT */
/* latency_together.c - ten answers that each take 100 ms, asked for one after
 * another, and at once. */
#include <ravel.h>
#include <stdio.h>

enum { QUESTIONS = 10 };

/* A peer far away: nothing is computed here, one only waits. */
static int ask(void *arg)
{
    return rv_sleep(100 * RV_MILLISECOND);
}

static int one_after_another(void)
{
    for (int i = 0; i < QUESTIONS; i++) {
        int r = ask(NULL);
        if (r < 0)
            return r;
    }
    return 0;
}

static int all_at_once(void)
{
    int err;
    RV_SCOPE(s, err) {
        for (int i = 0; i < QUESTIONS; i++) {
            int r = rv_go(s, ask, NULL);
            if (r < 0)
                rv_scope_cancel(s, r);
        }
    }
    return err;
}

static int tell(const char *how, int (*work)(void))
{
    rv_time begin = rv_now();
    int r = work();

    printf("%s: %.1f s\n", how, (double)(rv_now() - begin) / RV_SECOND);
    return r;
}

static int entry(void *arg)
{
    int r = tell("one after another", one_after_another);
    return r < 0 ? r : tell("all at once", all_at_once);
}

int main(void)
{
    struct rv_run_opts opts = {.size = sizeof(opts), .workers = 1};
    return rv_run(entry, NULL, &opts) < 0;
}
