/* SPDX-License-Identifier: MIT */
/* executor.c - one job handed to an executor of one worker and its result fetched.
 *
 * in_flight=1: submit, wait, free the future, one after the other; more: rv_map() over that many
 * jobs at a time, in nanoseconds for one of them. bytes=1048576: input and result are so long, and
 * the job copies the one to the other; at most 16 in flight. The tiers "threads" and "processes"
 * are driven by a plain thread, the others by a task. */
#include "bench.h"

#include <ravel.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { MIB = 1 << 20, MOST_MIBS = 16 };

static const char *tier;
static long in_flight, bytes;
static long *inputs, *results;

static int echo(const long *job_in, long *job_out)
{
    *job_out = *job_in;
    return 0;
}
RV_JOB(echo, long, long);

struct mib {
    char bytes[MIB];
};

static int echo_mib(const struct mib *job_in, struct mib *job_out)
{
    *job_out = *job_in;
    return 0;
}
RV_JOB(echo_mib, struct mib, struct mib);

static struct mib mib_in, mib_out;

static void run_mib(void *arg, long ops)
{
    rv_executor *ex = arg;
    for (long i = 0; i < ops; i++) {
        rv_future *f;
        struct rv_outcome outcome;
        mib_in.bytes[i % MIB]++;
        bench_must(rv_submit(ex, &f, echo_mib, &mib_in, RV_NEVER), "rv_submit");
        bench_must(rv_future_get(f, &mib_out, &outcome, RV_NEVER), "rv_future_get");
        bench_require(mib_out.bytes[i % MIB] == mib_in.bytes[i % MIB], "the wrong result");
        rv_future_free(f);
    }
}

static struct mib mibs_in[MOST_MIBS], mibs_out[MOST_MIBS];

static void run_map_mib(void *arg, long ops)
{
    rv_executor *ex = arg;
    long last = in_flight - 1;
    for (long done = 0; done < ops; done += in_flight) {
        mibs_in[last].bytes[done % MIB]++;
        bench_must(rv_map(ex, echo_mib, mibs_in, (size_t)in_flight, mibs_out, NULL, RV_NEVER),
                   "rv_map");
        bench_require(mibs_out[last].bytes[done % MIB] == mibs_in[last].bytes[done % MIB],
                      "the wrong result");
    }
}

static bool is_far(void)
{
    return strcmp(tier, "threads") == 0 || strcmp(tier, "processes") == 0;
}

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
    if (bytes > 0)
        bench_batches(in_flight == 1 ? run_mib : run_map_mib, ex, 512);
    else if (in_flight == 1)
        bench_batches(run_one_by_one, ex, is_far() ? 5000 : 500000);
    else
        bench_batches(run_map, ex, is_far() ? 128000 : 512000);
    bench_must(rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER), "rv_executor_close");
    return 0;
}

int main(int argc, char **argv)
{
    bench_begin("executor", "ravel", argc, argv);
    tier = bench_param_text("tier", "threads");
    in_flight = bench_param("in_flight", 1);
    bytes = bench_param("bytes", 0);
    bench_require(!strcmp(tier, "inline") || !strcmp(tier, "tasks") || is_far(),
                  "tier=inline, tasks, threads or processes");
    bench_require(bytes == 0 || (bytes == MIB && in_flight <= MOST_MIBS),
                  "bytes=1048576, in_flight=1 to 16");
    inputs = calloc((size_t)in_flight + 1, sizeof *inputs);
    results = calloc((size_t)in_flight + 1, sizeof *results);
    bench_require(inputs && results && in_flight > 0, "in_flight: none or too many");
    for (long i = 0; i < in_flight; i++)
        inputs[i] = i + 1;
    struct rv_run_opts opts = {.size = sizeof opts, .workers = 1};
    bench_must(is_far() ? measure(NULL) : rv_run(measure, NULL, &opts), "rv_run");
    free(inputs);
    free(results);
}
