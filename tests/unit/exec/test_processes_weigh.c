/* SPDX-License-Identifier: MIT */
/* test_processes_weigh.c - limits of memory that are less than what a worker process begins with:
 * jobs end all the same. More of them is in test_tier_processes.c. This program is its own
 * worker. */
#include "tiers.h"

static int tell_process(const int *in, int *out)
{
    (void)in;
    *out = getpid();
    return 0;
}
RV_JOB(tell_process, int, int);

static int stay(const int *in, int *out)
{
    (void)in, (void)out;
    for (;;)
        pause();
    return 0;
}
RV_JOB(stay, int, int);

static rv_executor *open_limited(const struct rv_process_opts *process)
{
    const struct rv_executor_opts opts = {.size = sizeof(opts), .process = process};

    return open_wide(1, &opts);
}

static void regress_each_process_runs_a_job_before_it_is_replaced(void)
{
    const struct rv_process_opts process = {.size = sizeof(process), .recycle_bytes = 1};
    rv_executor *ex = open_limited(&process);

    for (int i = 0; i < 3; i++) {
        rv_future *f = submit(ex, tell_process, &i);
        RV_CHECK(value_of(f) > 0);
        f = rv_future_free(f);
    }
    RV_CHECK(stats_of(ex).deaths == 0);
    close_waiting(ex);
}

static void regress_a_job_learns_that_no_process_is_small_enough(void)
{
    const struct rv_process_opts process = {.size = sizeof(process), .memory_bytes = 1};
    rv_executor *ex = open_limited(&process);
    rv_future *f = submit(ex, stay, &(int){0});

    RV_CHECK(kind_of(f) == RV_OUTCOME_MEMORY);
    f = rv_future_free(f);
    close_waiting(ex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_PROCESSES(regress_each_process_runs_a_job_before_it_is_replaced),
        ON_PROCESSES(regress_a_job_learns_that_no_process_is_small_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
