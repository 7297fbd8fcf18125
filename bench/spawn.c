/* SPDX-License-Identifier: MIT */
/* spawn.c - one empty task started and waited for on one worker.
 *
 * how=close opens a scope, starts the task, closes the scope; how=yield starts it in a scope that
 * stays open and yields, which lets it run to its end. */
#include "bench.h"

#include <ravel.h>
#include <string.h>

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void run_close(void *arg, long ops)
{
    (void)arg;
    while (ops-- > 0) {
        rv_scope *s;
        bench_must(rv_scope_open(&s, NULL), "rv_scope_open");
        bench_must(rv_go(s, nothing, NULL), "rv_go");
        bench_must(rv_scope_close(s), "rv_scope_close");
    }
}

static void run_yield(void *arg, long ops)
{
    (void)arg;
    rv_scope *s;
    bench_must(rv_scope_open(&s, NULL), "rv_scope_open");
    while (ops-- > 0) {
        bench_must(rv_go(s, nothing, NULL), "rv_go");
        rv_yield();
    }
    bench_must(rv_scope_close(s), "rv_scope_close");
}

static int measure(void *arg)
{
    bench_batches(strcmp(arg, "yield") == 0 ? run_yield : run_close, NULL, 1000000);
    return 0;
}

int main(int argc, char **argv)
{
    bench_begin("spawn", "ravel", argc, argv);
    char how[16] = {0};
    strncpy(how, bench_param_text("how", "close"), sizeof how - 1);
    bench_require(!strcmp(how, "close") || !strcmp(how, "yield"), "how=close or how=yield");
    struct rv_run_opts opts = {.size = sizeof opts, .workers = 1};
    bench_must(rv_run(measure, how, &opts), "rv_run");
}
