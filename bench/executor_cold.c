/* SPDX-License-Identifier: MIT */
/* executor_cold.c - a job for an executor of one worker when everybody is asleep: the median of so
 * many, with pauses of gap_us before each.
 *
 * work_us=0: from its submission until its result is there, which wakes the worker; its submitter
 * may still be looking for the end then. Else the job sleeps for so long, and its submitter
 * meanwhile: from the job's end until its result is there. The floor for both ways together is
 * shm-ring wait=sleep. */
#include "bench.h"

#include <ravel.h>
#include <stdio.h>
#include <time.h>

enum { MOST = 10000 };

static long gap_us, work_us;

static void sleep_us(long us)
{
    struct timespec t = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    if (us > 0)
        bench_must(nanosleep(&t, NULL), "nanosleep");
}

/* Its result is when it ends. */
static int work(const long *job_in, long *job_out)
{
    sleep_us(*job_in);
    *job_out = (long)bench_now();
    return 0;
}
RV_JOB(work, long, long);

static double measure_one(rv_executor *ex)
{
    rv_future *f;
    struct rv_outcome outcome;
    long end = 0;
    sleep_us(gap_us);
    int64_t begin = bench_now();
    bench_must(rv_submit(ex, &f, work, &work_us, RV_NEVER), "rv_submit");
    bench_must(rv_future_get(f, &end, &outcome, RV_NEVER), "rv_future_get");
    int64_t now = bench_now();
    rv_future_free(f);
    bench_require(end >= begin && end <= now, "the wrong result");
    return (double)(now - (work_us > 0 ? end : begin));
}

int main(int argc, char **argv)
{
    static double ns[MOST];
    rv_executor *ex;
    char spec[32];
    bench_begin("executor-cold", "ravel", argc, argv);
    snprintf(spec, sizeof spec, "%s:1", bench_param_text("tier", "processes"));
    gap_us = bench_param("gap_us", 500);
    work_us = bench_param("work_us", 0);
    long ops = bench_param_upto("ops", 1000, MOST);
    bench_must(rv_executor_open(&ex, spec, NULL), "rv_executor_open");
    for (long i = 0; i < ops; i++)
        ns[i] = measure_one(ex);
    bench_must(rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER), "rv_executor_close");
    bench_result(NULL, bench_percentile(ns, (size_t)ops, 50), "ns");
}
