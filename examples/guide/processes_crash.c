/* SPDX-License-Identifier: MIT */
/* processes_crash.c - ten jobs, one of which crashes and one of which never ends. */
#include <ravel.h>
#include <stdio.h>
#include <string.h>

enum { JOBS = 10 };

static int square(const int *in, int *out)
{
    if (*in == 3)
        __builtin_trap(); /* a bug in somebody's parser */
    while (*in == 7)
        __asm__ volatile(""); /* another one: it goes round and round, and asks nobody */
    *out = *in * *in;
    return 0;
}
RV_JOB(square, int, int);

static int tell(int i, rv_future *future)
{
    struct rv_outcome how;
    int squared;
    int r = rv_future_get(future, &squared, &how, RV_NEVER);

    if (r < 0)
        return r;
    printf("%d: %s", i, rv_outcome_word(how.kind));
    if (how.kind == RV_OUTCOME_VALUE)
        printf(" %d", squared);
    if (how.kind == RV_OUTCOME_SIGNAL)
        printf(" %d (%s)", how.signal, strsignal(how.signal));
    printf("\n");
    return 0;
}

static int square_all(rv_executor *ex)
{
    rv_future *futures[JOBS] = {NULL};
    int r = 0;

    for (int i = 0; i < JOBS && r == 0; i++)
        r = rv_submit(ex, &futures[i], square, &i, RV_NEVER);
    for (int i = 0; i < JOBS && r == 0; i++)
        r = tell(i, futures[i]);
    for (int i = 0; i < JOBS; i++)
        rv_future_free(futures[i]);
    return r;
}

static int entry(void *arg)
{
    struct rv_child_limit no_core = {RLIMIT_CORE, {0, 0}};
    struct rv_process_opts process = {
        .size = sizeof(process),
        .limits = &no_core,
        .limit_count = 1,
        .cancel_grace = 50 * RV_MILLISECOND,
        .term_grace = 50 * RV_MILLISECOND,
    };
    struct rv_executor_opts opts = {
        .size = sizeof(opts), .job_timeout = 500 * RV_MILLISECOND, .process = &process};
    rv_executor *ex;
    int r = rv_executor_open(&ex, "processes:2", &opts);

    if (r < 0)
        return r;
    r = square_all(ex);
    int closed = rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER);
    return r < 0 ? r : closed;
}

int main(void)
{
    return rv_run(entry, NULL, NULL) < 0;
}
