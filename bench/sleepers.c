/* SPDX-License-Identifier: MIT */
/* sleepers.c - a million tasks asleep at one time: CPU for a timer from set to fired, and lateness.
 *
 * All tasks first wait at a gate, so that their stacks' first pages are not in the figure; what a
 * task's way from the gate into its sleep costs is. The deadlines are spread evenly over spread_ms,
 * in an order that is not the tasks', and begin lead_ms after the gate opens, when all should be
 * asleep. A runtime that spins between two timers pays for it in CPU: read that figure with a short
 * spread, which leaves no time to spin, and the lateness with a long one. */
#include "bench.h"

#include <ravel.h>
#include <stdlib.h>

enum { STRIDE = 611953 }; /* prime and not a factor of the number of tasks: visits every place */

static struct rv_event gate = RV_EVENT_INIT;
static long tasks, waiting;
static int64_t first_ns, step_ns;
static double *late_us;

static int sleeper(void *arg)
{
    double *late = arg;
    int64_t place = (late - late_us) * (int64_t)STRIDE % tasks;
    waiting++;
    bench_must(rv_event_wait(&gate, RV_NEVER), "rv_event_wait");
    int64_t when = first_ns + place * step_ns;
    bench_must(rv_sleep_until(when), "rv_sleep_until");
    *late = (double)(rv_now() - when) / 1000;
    return 0;
}

static int measure(void *arg)
{
    (void)arg;
    long lead_ms = bench_param("lead_ms", 2000);
    step_ns = bench_param("spread_ms", 2000) * RV_MILLISECOND / tasks;
    rv_scope *s;
    bench_must(rv_scope_open(&s, NULL), "rv_scope_open");
    for (long i = 0; i < tasks; i++)
        bench_must(rv_go(s, sleeper, &late_us[i]), "rv_go");
    while (waiting < tasks)
        rv_yield();
    int64_t cpu = bench_cpu();
    first_ns = rv_after(lead_ms * RV_MILLISECOND);
    rv_event_set(&gate);
    bench_must(rv_scope_close(s), "rv_scope_close");
    cpu = bench_cpu() - cpu;
    bench_result("cpu", (double)cpu / (double)tasks, "ns");
    bench_result("late p99", bench_percentile(late_us, (size_t)tasks, 99), "us");
    return 0;
}

int main(int argc, char **argv)
{
    bench_begin("sleepers", "ravel", argc, argv);
    tasks = bench_param("tasks", 1000000);
    late_us = calloc((size_t)tasks + 1, sizeof *late_us);
    bench_require(late_us && tasks > 0 && tasks % STRIDE, "tasks: none, too many, or unlucky");
    struct rv_run_opts opts = {.size = sizeof opts,
                               .workers = (unsigned)bench_param_upto("workers", 1, 1)};
    bench_must(rv_run(measure, NULL, &opts), "rv_run");
    free(late_us);
}
