/* SPDX-License-Identifier: MIT */
/* parked.c - what a task costs that has run up to its first wait and waits: resident memory, page
 * tables beside it, mappings in all, and the time to get there on a stack never used before. */
#include "bench.h"

#include <ravel.h>

static struct rv_event gate = RV_EVENT_INIT;
static long waiting;

static int park(void *arg)
{
    (void)arg;
    waiting++;
    return rv_event_wait(&gate, RV_NEVER);
}

static int measure(void *arg)
{
    long tasks = *(long *)arg;
    struct bench_memory before = bench_memory_now();
    int64_t begin = bench_now();
    rv_scope *s;
    bench_must(rv_scope_open(&s, NULL), "rv_scope_open");
    for (long i = 0; i < tasks; i++)
        bench_must(rv_go(s, park, NULL), "rv_go");
    while (waiting < tasks)
        rv_yield();
    double ns = (double)(bench_now() - begin);
    struct bench_memory after = bench_memory_now();
    bench_result("resident", (double)(after.resident_bytes - before.resident_bytes) / (double)tasks,
                 "bytes");
    bench_result("page tables",
                 (double)(after.page_table_bytes - before.page_table_bytes) / (double)tasks,
                 "bytes");
    bench_result("mappings", (double)after.mappings, "");
    bench_result("first creation", ns / (double)tasks, "ns");
    rv_event_set(&gate);
    bench_must(rv_scope_close(s), "rv_scope_close");
    return 0;
}

int main(int argc, char **argv)
{
    bench_begin("parked", "ravel", argc, argv);
    long tasks = bench_param("tasks", 1000000);
    bench_require(tasks > 0, "nothing to do");
    struct rv_run_opts opts = {.size = sizeof opts, .workers = 1};
    bench_must(rv_run(measure, &tasks, &opts), "rv_run");
}
