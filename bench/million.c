/* SPDX-License-Identifier: MIT */
/* million.c - `ops` (a million) empty tasks started in one scope, then waited for. */
#include "bench.h"

#include <ravel.h>

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void run(void *arg, long ops)
{
    (void)arg;
    rv_scope *s;
    bench_must(rv_scope_open(&s, NULL), "rv_scope_open");
    while (ops-- > 0)
        bench_must(rv_go(s, nothing, NULL), "rv_go");
    bench_must(rv_scope_close(s), "rv_scope_close");
}

static int measure(void *arg)
{
    (void)arg;
    bench_batches(run, NULL, 1000000);
    return 0;
}

int main(int argc, char **argv)
{
    bench_begin("million", "ravel", argc, argv);
    struct rv_run_opts opts = {.size = sizeof opts, .workers = (unsigned)bench_param("workers", 1)};
    bench_must(rv_run(measure, NULL, &opts), "rv_run");
}
