/* SPDX-License-Identifier: MIT */
/* test_tier_inline.c - what is particular about jobs that run in rv_submit. */
#include "exec/executor.h"

#include "tiers.h"

static int whose_thread(const int *in, pthread_t *out)
{
    (void)in;
    *out = pthread_self();
    return 0;
}
RV_JOB(whose_thread, int, pthread_t);

static void the_job_is_done_at_return_on_the_callers_thread(void)
{
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f = submit(ex, whose_thread, &(int){0});
    struct rv_outcome outcome;
    pthread_t thread;

    RV_CHECK(rv_future_is_done(f));
    RV_CHECK(rv_future_get(f, &thread, &outcome, 0) == 0);
    RV_CHECK(pthread_equal(thread, pthread_self()));
    f = rv_future_free(f);
    close_waiting(ex);
}

static int is_cancelled(const int *in, int *out)
{
    (void)in;
    *out = 0;
    return rv_cancelled();
}
RV_JOB(is_cancelled, int, int);

static void a_cancelled_caller_cannot_submit(void)
{
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f;
    rv_scope *scope;

    RV_CHECK(rv_scope_open(&scope, NULL) == 0);
    rv_scope_cancel(scope, -EIO);
    RV_CHECK(rv_submit(ex, &f, is_cancelled, &(int){0}, RV_NEVER) == -ECANCELED);
    RV_CHECK(rv_scope_close(scope) == -EIO);
    f = submit(ex, is_cancelled, &(int){0});
    RV_CHECK(kind_of(f) == RV_OUTCOME_VALUE);
    f = rv_future_free(f);
    close_waiting(ex);
}

static rv_scope *around;

static int cancel_around(const int *in, int *out)
{
    (void)out;
    rv_scope_cancel(around, -EIO);
    return *in;
}
RV_JOB(cancel_around, int, int);

static enum rv_outcome_kind kind_when_cancelled(rv_executor *ex, int result)
{
    rv_future *f;
    enum rv_outcome_kind kind;

    RV_CHECK(rv_scope_open(&around, NULL) == 0);
    f = submit(ex, cancel_around, &result);
    RV_CHECK(rv_scope_close(around) == -EIO);
    kind = kind_of(f);
    f = rv_future_free(f);
    return kind;
}

static void a_job_that_ends_by_its_callers_cancellation_is_cancelled(void)
{
    rv_executor *ex = open_wide(1, NULL);

    RV_CHECK(kind_when_cancelled(ex, -EIO) == RV_OUTCOME_CANCELLED); /* what rv_cancelled() says */
    RV_CHECK(kind_when_cancelled(ex, -ECANCELED) == RV_OUTCOME_CANCELLED); /* what calls say */
    RV_CHECK(kind_when_cancelled(ex, -EDOM) == RV_OUTCOME_ERROR);
    RV_CHECK(kind_when_cancelled(ex, 0) == RV_OUTCOME_VALUE);
    close_waiting(ex);
}

static void a_map_is_a_loop_that_ends_at_the_first_failure(void)
{
    rv_executor *ex = open_wide(1, NULL);
    int in[3] = {-EDOM, 0, 0}, out[3];

    RV_CHECK(rv_map(ex, fail_with, in, 3, out, NULL, RV_NEVER) == -EDOM);
    RV_CHECK(stats_of(ex).submitted == 1);
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
    (void)submit(own, close_own, &(int){0});
}

static void a_job_that_closes_its_executor_stops_the_program(void **state)
{
    (void)state;
    assert_panics((struct setting){"inline", 0, close_inside, 0}, "rv_executor_close");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_LINE(the_job_is_done_at_return_on_the_callers_thread),
        PERFORMANCE("", "inline", 1, a_cancelled_caller_cannot_submit),
        PERFORMANCE("", "inline", 1, a_job_that_ends_by_its_callers_cancellation_is_cancelled),
        IN_LINE(a_map_is_a_loop_that_ends_at_the_first_failure),
        cmocka_unit_test(a_job_that_closes_its_executor_stops_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
