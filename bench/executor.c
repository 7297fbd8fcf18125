/* SPDX-License-Identifier: MIT */
/* executor.c - one job handed to an executor of one worker and its result fetched.
 *
 * in_flight=1: submit, wait, free the future, one after the other; more: rv_map() over that many
 * jobs at a time, in nanoseconds for one of them. The tier "threads" is driven by a plain thread,
 * the others by a task. */
#include "bench.h"

#include <ravel.h>
#include <stdlib.h>
#include <string.h>

static const char *tier;
static long in_flight;
static long *inputs, *results;

static int echo(const long *job_in, long *job_out)
{
    *job_out = *job_in;
    return 0;
}
RV_JOB(echo, long, long);

static void run_one_by_one(void *arg, long ops)
{
    rv_executor *ex = arg;
    for (long i = 0; i < ops; i++) {
        rv_future *f;
        struct rv_outcome outcome;
        long value = -1;
        bench_must(rv_submit(ex, &f, echo, &i, RV_NEVER), "rv_submit");
        bench_must(rv_future_get(f, &value, &outcome, RV_NEVER), "rv_future_get");
        bench_require(value == i, "the wrong result");
        rv_future_free(f);
    }
}

static void run_map(void *arg, long ops)
{
    rv_executor *ex = arg;
    for (long done = 0; done < ops; done += in_flight)
        bench_must(rv_map(ex, echo, inputs, (size_t)in_flight, results, NULL, RV_NEVER), "rv_map");
    bench_require(results[in_flight - 1] == in_flight, "the wrong result");
}

static int measure(void *arg)
{
    (void)arg;
    rv_executor *ex;
    char spec[32] = "inline";
    if (strcmp(tier, "inline") != 0)
        strcat(strcpy(spec, tier), ":1");
    struct rv_executor_opts opts = {.size = sizeof opts, .backlog = (size_t)in_flight};
    bench_must(rv_executor_open(&ex, spec, &opts), "rv_executor_open");
    if (in_flight == 1)
        bench_batches(run_one_by_one, ex, strcmp(tier, "threads") ? 500000 : 5000);
    else
        bench_batches(run_map, ex, strcmp(tier, "threads") ? 512000 : 128000);
    bench_must(rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER), "rv_executor_close");
    return 0;
}

int main(int argc, char **argv)
{
    bench_begin("executor", "ravel", argc, argv);
    tier = bench_param_text("tier", "threads");
    in_flight = bench_param("in_flight", 1);
    bench_require(!strcmp(tier, "inline") || !strcmp(tier, "tasks") || !strcmp(tier, "threads"),
                  "tier=inline, tasks or threads");
    inputs = calloc((size_t)in_flight + 1, sizeof *inputs);
    results = calloc((size_t)in_flight + 1, sizeof *results);
    bench_require(inputs && results && in_flight > 0, "in_flight: none or too many");
    for (long i = 0; i < in_flight; i++)
        inputs[i] = i + 1;
    struct rv_run_opts opts = {.size = sizeof opts, .workers = 1};
    bench_must(strcmp(tier, "threads") ? rv_run(measure, NULL, &opts) : measure(NULL), "rv_run");
    free(inputs);
    free(results);
}
