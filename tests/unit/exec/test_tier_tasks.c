/* SPDX-License-Identifier: MIT */
/* test_tier_tasks.c - what is particular about jobs that are tasks. */
#include "exec/executor.h"

#include "tiers.h"

/* --- cancellation from outside --- */

static void a_cancelled_scope_cancels_the_executor_inside(void)
{
    rv_future *f[4] = {NULL};
    int err;

    RV_SCOPE(s, err) {
        rv_executor *ex = open_wide(1, NULL);
        f[0] = submit(ex, pass_gate, &(int){0});
        for (int i = 1; i < 4; i++)
            f[i] = submit(ex, add_one, &i);
        until_inside(1);
        rv_scope_cancel(s, -EIO);
        RV_CHECK(rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER) == -ECANCELED);
    }
    RV_CHECK(err == -EIO);
    for (int i = 0; i < 4; i++)
        RV_CHECK(kind_of(f[i]) == RV_OUTCOME_CANCELLED);
    RV_CHECK(rvi_load_relaxed(&runs) == 0);
    free_all(f, 4);
}

static void an_idle_executor_hears_of_cancellation_too(void)
{
    int err;

    RV_SCOPE(s, err) {
        rv_executor *ex = open_wide(4, NULL);
        rv_future *f = submit(ex, add_one, &(int){0});
        RV_CHECK(value_of(f) == 1);
        f = rv_future_free(f);
        rv_scope_cancel(s, -EIO);
        RV_CHECK(rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER) == 0);
    }
    RV_CHECK(err == -EIO);
}

static void *submit_until_refused(void *arg)
{
    rv_future *f;
    int r;

    while ((r = rv_submit((rv_executor *)arg, &f, add_one, &(int){0}, RV_NEVER)) == 0)
        f = rv_future_free(f);
    RV_CHECK(r == -ECANCELED);
    return NULL;
}

static int join(void *arg)
{
    return -pthread_join(*(pthread_t *)arg, NULL);
}

/* Nobody may be submitting when it closes, so the thread is waited for, in a shield. */
static void a_cancelled_executor_refuses_other_threads(void)
{
    const struct rv_executor_opts opts = {.size = sizeof(opts), .backlog = 1};
    pthread_t thread;
    int err;

    RV_SCOPE(s, err) {
        rv_executor *ex = open_wide(2, &opts);
        RV_CHECK(pthread_create(&thread, NULL, submit_until_refused, ex) == 0);
        RV_CHECK(rv_sleep(RV_MILLISECOND) == 0);
        rv_scope_cancel(s, -EIO);
        RV_CHECK(rv_shield_begin(rv_after(RV_MINUTE)) == 0);
        RV_CHECK(rv_blocking(join, &thread, NULL) == 0);
        rv_shield_end();
        int r = rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER);
        RV_CHECK(r == 0 || r == -ECANCELED);
    }
    RV_CHECK(err == -EIO);
}

static void opening_in_a_cancelled_scope_fails(void)
{
    rv_executor *ex;
    int err;

    RV_SCOPE(s, err) {
        rv_scope_cancel(s, -EIO);
        RV_CHECK(rv_executor_open(&ex, "tasks:1", NULL) == -ECANCELED);
    }
    RV_CHECK(err == -EIO);
}

/* --- who may close --- */

static int close_from_elsewhere(void *arg)
{
    RV_CHECK(rv_executor_close(arg, RV_CLOSE_CANCEL, RV_NEVER) == -EPERM);
    return 0;
}

static int close_in_job(const uintptr_t *in, int *out)
{
    *out = rv_executor_close((rv_executor *)*in, RV_CLOSE_CANCEL, RV_NEVER);
    return 0;
}
RV_JOB(close_in_job, uintptr_t, int);

static void only_the_opener_closes(void)
{
    rv_executor *ex = open_wide(2, NULL);
    int err;

    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, close_from_elsewhere, ex) == 0);
    }
    RV_CHECK(err == 0);
    RV_CHECK(rv_blocking(close_from_elsewhere, ex, NULL) == 0);
    rv_future *f = submit(ex, close_in_job, &(uintptr_t){(uintptr_t)ex});
    RV_CHECK(value_of(f) == -EPERM);
    f = rv_future_free(f);
    f = submit(ex, add_one, &(int){1}); /* nothing has happened */
    RV_CHECK(value_of(f) == 2);
    f = rv_future_free(f);
    close_waiting(ex);
}

static void an_executor_closes_in_the_order_of_scopes(void)
{
    rv_executor *ex = open_wide(2, NULL);
    int err;

    RV_SCOPE(s, err) {
        RV_CHECK(rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER) == -EINVAL);
        rv_future *f = submit(ex, add_one, &(int){1});
        RV_CHECK(value_of(f) == 2);
        f = rv_future_free(f);
    }
    RV_CHECK(err == 0);
    close_waiting(ex);
}

static void executors_nest(void)
{
    rv_executor *outer = open_wide(2, NULL), *inner = open_wide(2, NULL);
    rv_future *f[2] = {submit(outer, add_one, &(int){1}), submit(inner, add_one, &(int){2})};

    RV_CHECK(rv_executor_close(outer, RV_CLOSE_WAIT, RV_NEVER) == -EINVAL);
    close_waiting(inner);
    close_waiting(outer);
    RV_CHECK(value_of(f[0]) == 2 && value_of(f[1]) == 3);
    free_all(f, 2);
}

/* --- jobs as tasks --- */

static int count_up(void *arg)
{
    rvi_fetch_add_relaxed((_Atomic(int) *)arg, 1);
    return 0;
}

static int start_children(const int *in, int *out)
{
    int err;

    RV_SCOPE(s, err) {
        for (int i = 0; i < *in; i++)
            RV_CHECK(rv_go(s, count_up, &runs) == 0);
    }
    *out = rvi_load_relaxed(&runs);
    return err;
}
RV_JOB(start_children, int, int);

static void a_job_may_open_scopes(void)
{
    rv_executor *ex = open_wide(2, NULL);
    rv_future *f = submit(ex, start_children, &(int){10});

    RV_CHECK(value_of(f) == 10);
    f = rv_future_free(f);
    close_waiting(ex);
}

static int leave_scope_open(const int *in, int *out)
{
    rv_scope *scope;

    (void)in;
    (void)out;
    return rv_scope_open(&scope, NULL);
}
RV_JOB(leave_scope_open, int, int);

static void leave_open(void)
{
    rv_executor *ex = open_wide(1, NULL);

    (void)kind_of(submit(ex, leave_scope_open, &(int){0}));
    close_waiting(ex);
}

static void a_job_that_leaves_a_scope_open_stops_the_program(void **state)
{
    (void)state;
    assert_panics((struct setting){"tasks", 1, leave_open, 0}, "leave_scope_open");
}

static void a_time_limit_reaches_blocking_calls(void)
{
    const struct rv_executor_opts opts = {.size = sizeof(opts), .job_timeout = 2 * RV_MILLISECOND};
    rv_executor *ex = open_wide(2, &opts);
    rv_future *f = submit(ex, pass_gate, &(int){0});

    RV_CHECK(kind_of(f) == RV_OUTCOME_TIMEOUT);
    f = rv_future_free(f);
    close_waiting(ex);
}

static int note_runs(void *arg)
{
    *(int *)arg = rvi_load_relaxed(&runs);
    return 0;
}

static void a_long_queue_lets_other_tasks_run(void)
{
    const struct rv_executor_opts opts = {.size = sizeof(opts), .backlog = 100};
    rv_future *f[100];
    int seen = 100, err;

    RV_SCOPE(s, err) {
        rv_executor *ex = open_wide(1, &opts);
        for (int i = 0; i < 100; i++)
            f[i] = submit(ex, add_one, &i);
        RV_CHECK(rv_go(s, note_runs, &seen) == 0);
        close_waiting(ex);
    }
    RV_CHECK(err == 0);
    RV_CHECK(seen < 100);
    free_all(f, 100);
}

static rv_executor *own;

static int submit_without_room(const int *in, int *out)
{
    rv_future *f;

    rvi_fetch_add_relaxed(&inside, 1);
    *out = rv_submit(own, &f, add_one, in, RV_NEVER);
    return *out;
}
RV_JOB(submit_without_room, int, int);

static void a_job_waiting_for_room_in_its_own_executor_can_be_cancelled(void)
{
    const struct rv_executor_opts opts = {.size = sizeof(opts), .backlog = 1};

    own = open_wide(1, &opts);
    rv_future *f[2] = {submit(own, submit_without_room, &(int){0}),
                       submit(own, add_one, &(int){0})};
    until_inside(1);
    rv_yield();
    rv_future_cancel(f[0]);
    RV_CHECK(kind_of(f[0]) == RV_OUTCOME_CANCELLED);
    RV_CHECK(value_of(f[1]) == 1);
    free_all(f, 2);
    close_waiting(own);
}

/* --- few stacks: the playing task has one --- */

static void a_first_runner_without_a_stack_is_out_of_memory(void)
{
    rv_executor *ex;

    RV_CHECK(rv_executor_open(&ex, "tasks:4", NULL) == -ENOMEM);
}

static void further_runners_without_a_stack_cost_width_only(void)
{
    rv_executor *ex = open_wide(8, NULL);
    rv_future *f[40];

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 40; i++)
            f[i] = submit(ex, add_one, &i);
        RV_CHECK(rv_wait(f, 40, RV_FIRST_ERROR, RV_NEVER) == 40);
        free_all(f, 40);
    }
    close_waiting(ex);
}

static int hold_stack(void *arg)
{
    return rv_event_wait(arg, RV_NEVER);
}

/* The further runner finds no stack, because of three the third is taken. */
static void lose_a_runner(rv_executor *ex)
{
    struct rv_event stack_is_free = RV_EVENT_INIT;
    rv_future *f[2];
    int err;

    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, hold_stack, &stack_is_free) == 0);
        rv_yield();
        f[0] = submit(ex, pass_gate, &(int){0});
        until_inside(1);
        f[1] = submit(ex, add_one, &(int){0});
        for (int i = 0; i < 10; i++)
            rv_yield();
        RV_CHECK(!rv_future_is_done(f[1]));
        open_gate();
        RV_CHECK(rv_wait(f, 2, RV_FIRST_ERROR, RV_NEVER) == 2);
        free_all(f, 2);
        rv_event_set(&stack_is_free);
    }
    RV_CHECK(err == 0);
}

static void a_lost_runner_is_replaced_when_there_are_stacks_again(void)
{
    rv_executor *ex = open_wide(2, NULL);
    rv_future *f[2];

    lose_a_runner(ex);
    shut_gate();
    f[0] = submit(ex, pass_gate, &(int){0});
    until_inside(1);
    f[1] = submit(ex, pass_gate, &(int){0});
    until_inside(2);
    open_gate();
    close_waiting(ex);
    free_all(f, 2);
}

/* Who would keep time finds no stack. */
static void regress_a_delayed_job_is_refused_when_nobody_can_keep_time(void)
{
    rv_executor *ex = open_wide(1, NULL);
    struct rv_event stack_is_free = RV_EVENT_INIT;
    const struct rv_submit_opts later = {.size = sizeof(later), .not_before = rv_after(1)};
    rv_future *f;
    int err;

    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, hold_stack, &stack_is_free) == 0);
        rv_yield();
        for (int i = 0; i < 2; i++)
            RV_CHECK(rv_submit_with(ex, &f, add_one, &(int){0}, &later, RV_NEVER) == -ENOMEM);
        rv_event_set(&stack_is_free);
    }
    RV_CHECK(err == 0);
    RV_CHECK(rv_submit_with(ex, &f, add_one, &(int){0}, &later, RV_NEVER) == 0);
    RV_CHECK(value_of(f) == 1);
    f = rv_future_free(f);
    close_waiting(ex);
}

#define WITH_STACKS(count, play)                                                                   \
    {                                                                                              \
#play, perform_test, NULL, NULL, &(struct setting)                                         \
        {                                                                                          \
            "tasks", 1, play, count                                                                \
        }                                                                                          \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_TASKS(a_cancelled_scope_cancels_the_executor_inside),
        ON_TASKS(an_idle_executor_hears_of_cancellation_too),
        ON_TASKS(a_cancelled_executor_refuses_other_threads),
        ON_TASKS(opening_in_a_cancelled_scope_fails),
        ON_TASKS(only_the_opener_closes),
        ON_TASKS(an_executor_closes_in_the_order_of_scopes),
        ON_TASKS(executors_nest),
        ON_TASKS(a_job_may_open_scopes),
        cmocka_unit_test(a_job_that_leaves_a_scope_open_stops_the_program),
        ON_TASKS(a_time_limit_reaches_blocking_calls),
        PERFORMANCE("", "tasks", 1, a_long_queue_lets_other_tasks_run),
        ON_TASKS(a_job_waiting_for_room_in_its_own_executor_can_be_cancelled),
        WITH_STACKS(1, a_first_runner_without_a_stack_is_out_of_memory),
        WITH_STACKS(3, further_runners_without_a_stack_cost_width_only),
        WITH_STACKS(3, regress_a_delayed_job_is_refused_when_nobody_can_keep_time),
        WITH_STACKS(3, a_lost_runner_is_replaced_when_there_are_stacks_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
