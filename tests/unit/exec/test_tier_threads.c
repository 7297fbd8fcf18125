/* SPDX-License-Identifier: MIT */
/* test_tier_threads.c - what is particular about jobs on threads of their own. */
#include "exec/executor.h"

#include "tiers.h"

static int whose_thread(const int *in, pthread_t *out)
{
    (void)in;
    *out = pthread_self();
    return rv_task_id() == 0 && rvi_worker_self() == NULL ? 0 : -EIO;
}
RV_JOB(whose_thread, int, pthread_t);

static pthread_t thread_of_next_job(rv_executor *ex)
{
    rv_future *f = submit(ex, whose_thread, &(int){0});
    struct rv_outcome outcome;
    pthread_t thread = pthread_self();

    RV_CHECK(rv_future_get(f, &thread, &outcome, RV_NEVER) == 0);
    RV_CHECK(outcome.kind == RV_OUTCOME_VALUE);
    RV_CHECK(!pthread_equal(thread, pthread_self()));
    f = rv_future_free(f);
    return thread;
}

static unsigned count_threads(rv_executor *ex)
{
    bool biased = rvi_bias_lock(&ex->lock);
    unsigned count = ex->ordered + ex->runners;

    rvi_bias_unlock(&ex->lock, biased);
    return count;
}

static void the_first_thread_is_there_and_the_others_as_they_are_needed(void)
{
    rv_executor *ex = open_wide(64, NULL);

    RV_CHECK(count_threads(ex) == 1);
    for (int i = 0; i < 10; i++)
        (void)thread_of_next_job(ex);
    RV_CHECK(count_threads(ex) <= 11);
    close_waiting(ex);
}

static int why_cancelled(const int *in, int *out)
{
    (void)in;
    while ((*out = rv_cancelled()) == 0)
        rv_yield();
    return 0;
}
RV_JOB(why_cancelled, int, int);

static int copy_reason(const int *in, int *out)
{
    int r;

    (void)out;
    while ((r = rv_cancelled()) == 0)
        rv_yield();
    RV_CHECK(r == *in);
    return 0;
}
RV_JOB(copy_reason, int, int);

static void a_job_learns_why_it_is_to_stop(void)
{
    const struct rv_executor_opts opts = {.size = sizeof(opts), .job_timeout = 2 * RV_MILLISECOND};
    rv_executor *ex = open_wide(1, &opts);
    rv_future *f = submit(ex, copy_reason, &(int){-ETIME});

    RV_CHECK(kind_of(f) == RV_OUTCOME_TIMEOUT);
    f = rv_future_free(f);
    close_waiting(ex);

    ex = open_wide(1, NULL);
    f = submit(ex, why_cancelled, &(int){0});
    rv_future_cancel(f);
    if (kind_of(f) == RV_OUTCOME_VALUE) /* else it had not begun */
        RV_CHECK(value_of(f) == -ECANCELED);
    f = rv_future_free(f);
    close_waiting(ex);
}

static void the_caller_is_not_cancelled_with_its_job(void)
{
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f = submit(ex, stay_until_cancelled, &(int){0});

    rv_future_cancel(f);
    RV_CHECK(kind_of(f) == RV_OUTCOME_CANCELLED);
    RV_CHECK(rv_cancelled() == 0);
    f = rv_future_free(f);
    close_waiting(ex);
}

static void jobs_that_overstay_together_are_all_told(void)
{
    const struct rv_executor_opts opts = {.size = sizeof(opts), .job_timeout = 3 * RV_MILLISECOND};
    rv_executor *ex = open_wide(4, &opts);
    rv_future *f[4];

    for (int round = 0; round < 3; round++) { /* the watcher sleeps in between */
        for (int i = 0; i < 4; i++)
            f[i] = submit(ex, stay_until_cancelled, &(int){0});
        for (int i = 0; i < 4; i++)
            RV_CHECK(kind_of(f[i]) == RV_OUTCOME_TIMEOUT);
        free_all(f, 4);
    }
    close_waiting(ex);
}

static rv_executor *own;

static int close_own(const int *in, int *out)
{
    (void)in;
    *out = rv_executor_close(own, RV_CLOSE_WAIT, RV_NEVER);
    return 0;
}
RV_JOB(close_own, int, int);

static void close_inside(void)
{
    own = open_wide(1, NULL);
    (void)kind_of(submit(own, close_own, &(int){0}));
}

static void a_job_that_closes_its_executor_stops_the_program(void **state)
{
    (void)state;
    assert_panics((struct setting){"threads", 0, close_inside, 0}, "rv_executor_close");
}

static int close_another(const int *in, int *out)
{
    *out = rv_executor_close(own, RV_CLOSE_WAIT, RV_NEVER);
    return *in;
}
RV_JOB(close_another, int, int);

static void a_job_may_close_another_executor(void)
{
    rv_executor *ex = open_wide(1, NULL);

    own = open_wide(1, NULL);
    rv_future *f = submit(ex, close_another, &(int){0});
    RV_CHECK(value_of(f) == 0);
    f = rv_future_free(f);
    close_waiting(ex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_THREADS(the_first_thread_is_there_and_the_others_as_they_are_needed),
        ON_THREADS(a_job_learns_why_it_is_to_stop),
        ON_THREADS(the_caller_is_not_cancelled_with_its_job),
        ON_THREADS(jobs_that_overstay_together_are_all_told),
        cmocka_unit_test(a_job_that_closes_its_executor_stops_the_program),
        ON_THREADS(a_job_may_close_another_executor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
