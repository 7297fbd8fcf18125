/* SPDX-License-Identifier: MIT */
/* lateness.c - how late one task wakes from its sleep while nothing else is to be done: the worker
 * has to sleep in the kernel and to come back in time. */
#include "bench.h"

#include <ravel.h>

static void sleep_until(int64_t when)
{
    bench_must(rv_sleep_until(when), "rv_sleep_until");
}

static int measure(void *arg)
{
    (void)arg;
    bench_late_sleeps(sleep_until);
    return 0;
}

int main(int argc, char **argv)
{
    bench_begin("lateness", "ravel", argc, argv);
    struct rv_run_opts opts = {.size = sizeof opts, .workers = 1};
    bench_must(rv_run(measure, NULL, &opts), "rv_run");
}
