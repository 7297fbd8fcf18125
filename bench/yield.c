/* SPDX-License-Identifier: MIT */
/* yield.c - one rv_yield(): `tasks` tasks on one worker let each other run. */
#include "tasks.h"

static long tasks;

static int yield_many(void *arg)
{
    for (long left = *(long *)arg; left > 0; left--)
        rv_yield();
    return 0;
}

static void run(void *arg, long ops)
{
    (void)arg;
    bench_share_out(yield_many, tasks, ops);
}

static int measure(void *arg)
{
    (void)arg;
    bench_batches(run, NULL, 5000000);
    return 0;
}

int main(int argc, char **argv)
{
    bench_begin("yield", "ravel", argc, argv);
    tasks = bench_param("tasks", 2);
    struct rv_run_opts opts = {
        .size = sizeof opts, .workers = 1, .trace = (size_t)bench_param("trace", 0)};
    bench_must(rv_run(measure, NULL, &opts), "rv_run");
}
