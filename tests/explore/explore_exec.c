/* SPDX-License-Identifier: MIT */
/* explore_exec.c - executors of tasks and of threads: each job ends once, with an outcome that it
 * can have had, whoever waits, cancels, closes or runs out of time meanwhile. */
#include "explore.h"

#include <string.h>

enum { JOBS = 4 };

static _Atomic(int) runs;

static int add_one(const int *in, int *out)
{
    rvi_fetch_add_relaxed(&runs, 1);
    *out = *in + 1;
    return 0;
}
RV_JOB(add_one, int, int);

static int dawdle(const int *in, int *out)
{
    int r = 0;

    for (int i = 0; i < 3 && r == 0; i++) {
        rv_yield();
        r = rv_cancelled();
    }
    *out = *in + 1;
    return r;
}
RV_JOB(dawdle, int, int);

static int say(const int *in, int *out)
{
    for (int i = 1; i <= 3; i++) {
        RV_CHECK(rv_job_progress(&i, sizeof(i)) == 0);
        rv_yield();
    }
    *out = *in + 1;
    return 0;
}
RV_JOB(say, int, int);

static rv_executor *open_executor(const char *spec, rv_time job_timeout)
{
    struct rv_executor_opts opts = {
        .size = sizeof(opts),
        .backlog = 2,
        .job_timeout = job_timeout,
    };
    rv_executor *ex;

    RV_CHECK(rv_executor_open(&ex, spec, &opts) == 0);
    return ex;
}

static void check(rv_future *f, int in, bool may_be_cancelled)
{
    struct rv_outcome outcome;
    int value;

    RV_CHECK(rv_future_get(f, &value, &outcome, RV_NEVER) == 0);
    if (outcome.kind == RV_OUTCOME_VALUE)
        RV_CHECK(value == in + 1);
    else
        RV_CHECK(may_be_cancelled &&
                 (outcome.kind == RV_OUTCOME_CANCELLED || outcome.kind == RV_OUTCOME_TIMEOUT));
    rv_future_free(f);
}

static int run_each_once(const char *spec)
{
    rv_executor *ex = open_executor(spec, 0);
    rv_future *f[JOBS];

    rvi_store_relaxed(&runs, 0);
    for (int i = 0; i < JOBS; i++)
        RV_CHECK(rv_submit(ex, &f[i], add_one, &i, RV_NEVER) == 0);
    for (int i = 0; i < JOBS; i++)
        check(f[i], i, false);
    RV_CHECK(rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER) == 0);
    RV_CHECK(rvi_load_relaxed(&runs) == JOBS);
    return 0;
}

static int cancel_some(const char *spec)
{
    rv_executor *ex = open_executor(spec, 0);
    rv_future *f[JOBS];

    for (int i = 0; i < JOBS; i++) {
        RV_CHECK(rv_submit(ex, &f[i], dawdle, &i, RV_NEVER) == 0);
        if (i % 2)
            rv_future_cancel(f[i]);
    }
    for (int i = 0; i < JOBS; i++)
        check(f[i], i, i % 2);
    RV_CHECK(rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER) == 0);
    return 0;
}

static int close_early(const char *spec)
{
    rv_executor *ex = open_executor(spec, 0);
    rv_future *f[JOBS];

    for (int i = 0; i < JOBS; i++)
        RV_CHECK(rv_submit(ex, &f[i], dawdle, &i, RV_NEVER) == 0);
    int r = rv_executor_close(ex, RV_CLOSE_CANCEL, RV_NEVER);
    RV_CHECK(r == 0 || r == -ECANCELED);
    for (int i = 0; i < JOBS; i++)
        check(f[i], i, true);
    return 0;
}

static int run_out_of_time(const char *spec)
{
    rv_executor *ex = open_executor(spec, 3 * RV_MICROSECOND);
    rv_future *f[JOBS];

    for (int i = 0; i < JOBS; i++)
        RV_CHECK(rv_submit(ex, &f[i], dawdle, &i, RV_NEVER) == 0);
    for (int i = 0; i < JOBS; i++)
        check(f[i], i, true);
    RV_CHECK(rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER) == 0);
    return 0;
}

static int wait_for_any(const char *spec)
{
    rv_executor *ex = open_executor(spec, 0);
    rv_future *f[JOBS];

    for (int i = 0; i < JOBS; i++)
        RV_CHECK(rv_submit(ex, &f[i], dawdle, &i, RV_NEVER) == 0);
    long ended = rv_wait(f, JOBS, RV_ANY, RV_NEVER);
    RV_CHECK(ended >= 0);
    RV_CHECK(rv_wait(f, JOBS, RV_ALL, RV_NEVER) >= 0);
    for (int i = 0; i < JOBS; i++)
        check(f[i], i, false);
    RV_CHECK(rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER) == 0);
    return 0;
}

/* Whatever may not begin yet, or is too late, or goes first: all end, closing or not. */
static int keep_terms(const char *spec)
{
    rv_executor *ex = open_executor(spec, 0);
    rv_future *f[JOBS];

    for (int i = 0; i < JOBS; i++) {
        const struct rv_submit_opts opts = {
            .size = sizeof(opts),
            .lane = (enum rv_lane)(i % 3),
            .not_before = i % 2 ? rv_after((JOBS - i) * RV_MICROSECOND) : 0,
            .deadline = i > 1 ? rv_after(i * RV_MICROSECOND) : 0,
        };
        RV_CHECK(rv_submit_with(ex, &f[i], dawdle, &i, &opts, RV_NEVER) == 0);
    }
    rv_future_cancel(f[1]);
    int r = rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER);
    RV_CHECK(r == 0 || r == -ECANCELED); /* of the one that was cancelled */
    for (int i = 0; i < JOBS; i++)
        check(f[i], i, i > 0);
    return 0;
}

static int listen_to_all(const char *spec)
{
    rv_executor *ex = open_executor(spec, 0);
    rv_future *f[2];

    for (int i = 0; i < 2; i++)
        RV_CHECK(rv_submit(ex, &f[i], say, &i, RV_NEVER) == 0);
    for (int i = 0; i < 2; i++) {
        int note = 0, before = 0;
        while (rv_future_progress(f[i], &note, sizeof(note), RV_NEVER) == sizeof(note)) {
            RV_CHECK(note > before);
            before = note;
        }
        RV_CHECK(before == 3 && rv_future_is_done(f[i]));
        check(f[i], i, false);
    }
    RV_CHECK(rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER) == 0);
    return 0;
}

#define ON_BOTH_TIERS(play)                                                                        \
    static int play##_on_tasks(void *arg)                                                          \
    {                                                                                              \
        (void)arg;                                                                                 \
        return play("tasks:2");                                                                    \
    }                                                                                              \
    static int play##_on_threads(void *arg)                                                        \
    {                                                                                              \
        (void)arg;                                                                                 \
        return play("threads:2");                                                                  \
    }                                                                                              \
    EXPLORATION(play##_on_tasks)                                                                   \
    EXPLORATION(play##_on_threads)

ON_BOTH_TIERS(run_each_once)
ON_BOTH_TIERS(cancel_some)
ON_BOTH_TIERS(close_early)
ON_BOTH_TIERS(run_out_of_time)
ON_BOTH_TIERS(wait_for_any)
ON_BOTH_TIERS(keep_terms)
ON_BOTH_TIERS(listen_to_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EXPLORED(run_each_once_on_tasks),   EXPLORED(run_each_once_on_threads),
        EXPLORED(cancel_some_on_tasks),     EXPLORED(cancel_some_on_threads),
        EXPLORED(close_early_on_tasks),     EXPLORED(close_early_on_threads),
        EXPLORED(run_out_of_time_on_tasks), EXPLORED(run_out_of_time_on_threads),
        EXPLORED(wait_for_any_on_tasks),    EXPLORED(wait_for_any_on_threads),
        EXPLORED(keep_terms_on_tasks),      EXPLORED(keep_terms_on_threads),
        EXPLORED(listen_to_all_on_tasks),   EXPLORED(listen_to_all_on_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
