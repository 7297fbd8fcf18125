/* SPDX-License-Identifier: MIT */
/* test_future.c - how jobs end, and waiting for one, several, or the next of many. */
#include "exec/future.h"

#include <limits.h>

#include "tiers.h"

/* --- one future --- */

static void a_value_can_be_read_again(void)
{
    rv_executor *ex = open_wide(2, NULL);
    rv_future *f = submit(ex, add_one, &(int){41});

    RV_CHECK(value_of(f) == 42);
    RV_CHECK(value_of(f) == 42);
    RV_CHECK(rv_future_is_done(f));
    RV_CHECK(rv_future_wait(f, RV_NEVER) == 0);
    RV_CHECK(rv_future_free(f) == NULL);
    close_waiting(ex);
}

static void an_error_is_an_outcome_and_the_wait_succeeds(void)
{
    rv_executor *ex = open_wide(2, NULL);
    rv_future *f = submit(ex, fail_with, &(int){-ENOENT});
    struct rv_outcome outcome;
    int value = 1;

    RV_CHECK(rv_future_get(f, &value, &outcome, RV_NEVER) == 0);
    RV_CHECK(outcome.kind == RV_OUTCOME_ERROR && outcome.error == -ENOENT && outcome.signal == 0);
    RV_CHECK(value == 1);
    f = rv_future_free(f);
    close_waiting(ex);
}

static void an_uncancelled_job_that_says_cancelled_is_an_error(void)
{
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f = submit(ex, fail_with, &(int){-ECANCELED});

    RV_CHECK(kind_of(f) == RV_OUTCOME_ERROR);
    RV_CHECK(outcome_of(f).error == -ECANCELED);
    f = rv_future_free(f);
    close_waiting(ex);
}

static void futures_outlive_their_executor(void)
{
    rv_executor *ex = open_wide(2, NULL);
    rv_future *f = submit(ex, add_one, &(int){1});

    close_waiting(ex);
    RV_CHECK(rv_future_is_done(f));
    rv_future_cancel(f);
    RV_CHECK(value_of(f) == 2);
    f = rv_future_free(f);
}

static void freeing_nothing_is_fine(void)
{
    RV_CHECK(rv_future_free(NULL) == NULL);
    RV_CHECK(rv_completions_free(NULL) == NULL);
}

static void a_future_freed_early_drops_the_result_and_not_the_job(void)
{
    long live = rvi_alloc_live();
    rv_executor *ex = open_wide(2, NULL);

    for (int i = 0; i < 10; i++)
        (void)rv_future_free(submit(ex, add_one, &i));
    close_waiting(ex);
    RV_CHECK(rvi_load_relaxed(&runs) == 10);
    if (now_on->workers == 0) /* a runtime keeps memory warm */
        RV_CHECK(rvi_alloc_live() == live);
}

static void a_wait_ends_at_its_deadline(void)
{
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f = submit(ex, pass_gate, &(int){1});
    struct rv_outcome outcome = {.error = 99};
    int value = 99;

    RV_CHECK(rv_future_get(f, &value, &outcome, rv_after(RV_MILLISECOND)) == -ETIME);
    RV_CHECK(value == 99 && outcome.error == 99);
    RV_CHECK(rv_future_wait(f, 0) == -ETIME);
    RV_CHECK(!rv_future_is_done(f));
    open_gate();
    RV_CHECK(value_of(f) == 1);
    RV_CHECK(rv_future_wait(f, 0) == 0);
    f = rv_future_free(f);
    close_waiting(ex);
}

static void times_are_measured(void)
{
    rv_executor *ex = open_wide(1, NULL);
    rv_future *first = submit(ex, pass_gate, &(int){0});
    rv_future *second = submit(ex, add_one, &(int){0});
    rv_time before = rv_now();

    until_inside(1);
    RV_CHECK(rv_sleep(2 * RV_MILLISECOND) == 0);
    open_gate();
    RV_CHECK(outcome_of(first).run_ns >= 2 * RV_MILLISECOND);
    RV_CHECK(outcome_of(second).queued_ns >= 2 * RV_MILLISECOND);
    RV_CHECK(outcome_of(second).run_ns <= rv_now() - before);
    first = rv_future_free(first);
    second = rv_future_free(second);
    close_waiting(ex);
}

/* --- cancelling --- */

static void a_cancelled_job_that_waits_never_runs(void)
{
    rv_executor *ex = open_wide(1, NULL);
    rv_future *first = submit(ex, pass_gate, &(int){0});
    rv_future *second = submit(ex, add_one, &(int){0});

    rv_future_cancel(second);
    rv_future_cancel(second);
    RV_CHECK(rv_future_is_done(second));
    RV_CHECK(kind_of(second) == RV_OUTCOME_CANCELLED);
    RV_CHECK(outcome_of(second).run_ns == 0 && outcome_of(second).error == 0);
    open_gate();
    RV_CHECK(value_of(first) == 0);
    RV_CHECK(rvi_load_relaxed(&runs) == 0);
    first = rv_future_free(first);
    second = rv_future_free(second);
    close_waiting(ex);
}

static void a_cancelled_job_that_runs_is_asked_to_stop(void)
{
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f = submit(ex, stay_until_cancelled, &(int){0});
    int value = 1;
    struct rv_outcome outcome;

    until_inside(1);
    rv_future_cancel(f);
    rv_future_cancel(f);
    RV_CHECK(rv_future_get(f, &value, &outcome, RV_NEVER) == 0);
    RV_CHECK(outcome.kind == RV_OUTCOME_CANCELLED && outcome.error == 0 && value == 1);
    f = rv_future_free(f);

    f = submit(ex, add_one, &(int){1}); /* the next job is not cancelled */
    RV_CHECK(value_of(f) == 2);
    f = rv_future_free(f);
    close_waiting(ex);
}

static void a_cancelled_job_that_ends_by_itself_keeps_its_outcome(void)
{
    rv_executor *ex = open_wide(2, NULL);
    rv_future *value = submit(ex, stay_until_cancelled, &(int){1});
    rv_future *error = submit(ex, stay_until_cancelled, &(int){-EIO});

    until_inside(2);
    rv_future_cancel(value);
    rv_future_cancel(error);
    RV_CHECK(value_of(value) == 7);
    RV_CHECK(kind_of(error) == RV_OUTCOME_ERROR && outcome_of(error).error == -EIO);
    value = rv_future_free(value);
    error = rv_future_free(error);
    close_waiting(ex);
}

static void cancelling_what_has_ended_changes_nothing(void)
{
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f = submit(ex, add_one, &(int){1});

    RV_CHECK(value_of(f) == 2);
    rv_future_cancel(f);
    RV_CHECK(value_of(f) == 2);
    f = rv_future_free(f);
    close_waiting(ex);
}

static void a_blocking_call_of_a_cancelled_task_fails(void)
{
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f = submit(ex, pass_gate, &(int){0});

    until_inside(1);
    rv_future_cancel(f);
    RV_CHECK(kind_of(f) == RV_OUTCOME_CANCELLED);
    f = rv_future_free(f);
    close_waiting(ex);
}

static void a_cancelled_caller_cannot_wait(void)
{
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f = submit(ex, add_one, &(int){0});
    struct rv_outcome outcome;
    rv_scope *scope;

    RV_CHECK(kind_of(f) == RV_OUTCOME_VALUE);
    RV_CHECK(rv_scope_open(&scope, NULL) == 0);
    rv_scope_cancel(scope, -EIO);
    RV_CHECK(rv_future_wait(f, RV_NEVER) == -ECANCELED);
    RV_CHECK(rv_future_get(f, NULL, &outcome, RV_NEVER) == -ECANCELED);
    RV_CHECK(rv_wait(&f, 1, RV_ALL, RV_NEVER) == -ECANCELED);
    RV_CHECK(rv_wait(&f, 1, RV_ANY, RV_NEVER) == -ECANCELED);
    RV_CHECK(rv_scope_close(scope) == -EIO);
    RV_CHECK(rv_future_wait(f, RV_NEVER) == 0);
    f = rv_future_free(f);
    close_waiting(ex);
}

/* --- who waits, and from where --- */

static void *wait_in_thread(void *arg)
{
    RV_CHECK(value_of(arg) == 5);
    return NULL;
}

static void several_threads_wait_for_one_future(void)
{
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f = submit(ex, pass_gate, &(int){5});
    pthread_t threads[3];

    for (int i = 0; i < 3; i++)
        RV_CHECK(pthread_create(&threads[i], NULL, wait_in_thread, f) == 0);
    until_inside(1);
    open_gate();
    RV_CHECK(value_of(f) == 5);
    for (int i = 0; i < 3; i++)
        RV_CHECK(pthread_join(threads[i], NULL) == 0);
    f = rv_future_free(f);
    close_waiting(ex);
}

static int wait_in_task(void *arg)
{
    RV_CHECK(value_of(arg) == 5);
    return 0;
}

static void several_tasks_wait_for_one_future(void)
{
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f = submit(ex, pass_gate, &(int){5});
    int err;

    RV_SCOPE(s, err) {
        for (int i = 0; i < 20; i++)
            RV_CHECK(rv_go(s, wait_in_task, f) == 0);
        until_inside(1);
        open_gate();
    }
    RV_CHECK(err == 0);
    f = rv_future_free(f);
    close_waiting(ex);
}

static int wait_to_be_cancelled(void *arg)
{
    RV_CHECK(rv_future_wait(arg, RV_NEVER) == -ECANCELED);
    return 0;
}

static void a_waiting_task_can_be_cancelled(void)
{
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f = submit(ex, pass_gate, &(int){5});
    int err;

    RV_SCOPE(s, err) {
        for (int i = 0; i < 5; i++)
            RV_CHECK(rv_go(s, wait_to_be_cancelled, f) == 0);
        rv_yield();
        rv_scope_cancel(s, -ECANCELED);
    }
    RV_CHECK(err == -ECANCELED);
    open_gate();
    RV_CHECK(value_of(f) == 5);
    f = rv_future_free(f);
    close_waiting(ex);
}

/* --- several futures --- */

static void waiting_for_all_counts_them(void)
{
    rv_executor *ex = open_wide(2, NULL);
    rv_future *f[5];

    for (int i = 0; i < 5; i++)
        f[i] = i == 3 ? submit(ex, fail_with, &(int){-EIO}) : submit(ex, add_one, &i);
    RV_CHECK(rv_wait(f, 5, RV_ALL, RV_NEVER) == 5);
    for (int i = 0; i < 5; i++)
        RV_CHECK(rv_future_is_done(f[i]));
    RV_CHECK(rv_wait(f, 0, RV_ALL, RV_NEVER) == 0);
    free_all(f, 5);
    close_waiting(ex);
}

static void waiting_for_any_finds_the_lowest_that_has_ended(void)
{
    rv_executor *ex = open_wide(2, NULL);
    rv_future *f[3] = {submit(ex, pass_gate, &(int){0}), submit(ex, add_one, &(int){0}),
                       submit(ex, add_one, &(int){0})};

    RV_CHECK(kind_of(f[2]) == RV_OUTCOME_VALUE);
    RV_CHECK(kind_of(f[1]) == RV_OUTCOME_VALUE);
    RV_CHECK(rv_wait(f, 3, RV_ANY, RV_NEVER) == 1);
    RV_CHECK(rv_wait(f, 1, RV_ANY, rv_after(RV_MILLISECOND)) == -ETIME);
    RV_CHECK(rv_wait(f, 3, RV_ALL, rv_after(RV_MILLISECOND)) == -ETIME);
    open_gate();
    RV_CHECK(rv_wait(f, 3, RV_ALL, RV_NEVER) == 3);
    RV_CHECK(rv_wait(f, 3, RV_ANY, RV_NEVER) == 0);
    free_all(f, 3);
    close_waiting(ex);
}

static void the_first_error_ends_the_wait(void)
{
    rv_executor *ex = open_wide(2, NULL);
    rv_future *f[4] = {submit(ex, pass_gate, &(int){0}), submit(ex, add_one, &(int){0}),
                       submit(ex, fail_with, &(int){-EIO}), submit(ex, fail_with, &(int){-EIO})};

    RV_CHECK(kind_of(f[3]) == RV_OUTCOME_ERROR);
    RV_CHECK(kind_of(f[2]) == RV_OUTCOME_ERROR);
    RV_CHECK(rv_wait(f, 4, RV_FIRST_ERROR, RV_NEVER) == 2);
    RV_CHECK(rv_wait(f, 2, RV_FIRST_ERROR, rv_after(RV_MILLISECOND)) == -ETIME);
    open_gate();
    RV_CHECK(rv_wait(f, 2, RV_FIRST_ERROR, RV_NEVER) == 2); /* there is none */
    RV_CHECK(rv_wait(f, 0, RV_FIRST_ERROR, RV_NEVER) == 0);
    free_all(f, 4);
    close_waiting(ex);
}

static void a_wait_for_nothing_or_in_no_mode_is_refused(void)
{
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f = submit(ex, add_one, &(int){0});

    RV_CHECK(rv_wait(&f, 0, RV_ANY, RV_NEVER) == -EINVAL);
    RV_CHECK(rv_wait(&f, 1, (enum rv_wait_mode)(RV_FIRST_ERROR + 1), RV_NEVER) == -EINVAL);
    RV_CHECK(rv_wait(&f, (size_t)LONG_MAX + 1, RV_ALL, RV_NEVER) == -EOVERFLOW);
    RV_CHECK(rv_wait(&f, 1, RV_ALL, RV_NEVER) == 1);
    f = rv_future_free(f);
    close_waiting(ex);
}

/* --- completions --- */

enum { LINE = 4 };

static struct rv_event gates[LINE];

static int pass_own_gate(const int *in, int *out)
{
    *out = *in;
    return rv_event_wait(&gates[*in], RV_NEVER);
}
RV_JOB(pass_own_gate, int, int);

static void completions_come_in_the_order_of_the_ends(void)
{
    static const size_t order[LINE] = {2, 0, 3, 1};
    rv_executor *ex = open_wide(LINE, NULL);
    rv_completions *it;
    rv_future *f[LINE];
    size_t index;

    for (int i = 0; i < LINE; i++) {
        rv_event_init(&gates[i]);
        f[i] = submit(ex, pass_own_gate, &i);
    }
    RV_CHECK(rv_as_completed(&it, f, LINE) == 0);
    for (int i = 0; i < LINE; i++) {
        index = 77;
        RV_CHECK(rv_completions_next(it, &index, rv_after(RV_MILLISECOND / 10)) == -ETIME);
        RV_CHECK(index == 77);
        rv_event_set(&gates[order[i]]);
        RV_CHECK(rv_completions_next(it, &index, RV_NEVER) == 0);
        RV_CHECK(index == order[i]);
        f[index] = rv_future_free(f[index]); /* what has been given may go */
    }
    RV_CHECK(rv_completions_next(it, &index, RV_NEVER) == -ENOENT);
    it = rv_completions_free(it);
    close_waiting(ex);
}

static void completions_give_everyone_once(void)
{
    rv_executor *ex = open_wide(2, NULL);
    bool given[10] = {false};
    rv_completions *it;
    rv_future *f[10];
    size_t index;

    for (int i = 0; i < 10; i++)
        f[i] = submit(ex, add_one, &i);
    RV_CHECK(rv_as_completed(&it, f, 10) == 0);
    for (int i = 0; i < 10; i++) {
        RV_CHECK(rv_completions_next(it, &index, RV_NEVER) == 0);
        RV_CHECK(!given[index] && value_of(f[index]) == (int)index + 1);
        given[index] = true;
    }
    RV_CHECK(rv_completions_next(it, &index, RV_NEVER) == -ENOENT);
    it = rv_completions_free(it);
    free_all(f, 10);
    close_waiting(ex);
}

static void completions_can_be_left_early(void)
{
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f[3] = {submit(ex, add_one, &(int){0}), submit(ex, pass_gate, &(int){0}),
                       submit(ex, add_one, &(int){0})};
    rv_completions *it;
    size_t index;

    RV_CHECK(rv_as_completed(&it, f, 3) == 0);
    RV_CHECK(rv_completions_next(it, &index, RV_NEVER) == 0);
    RV_CHECK(index == 0);
    it = rv_completions_free(it);
    open_gate();
    RV_CHECK(rv_wait(f, 3, RV_ALL, RV_NEVER) == 3);
    RV_CHECK(rv_as_completed(&it, f, 3) == 0);
    it = rv_completions_free(it); /* told, not taken */
    RV_CHECK(rv_as_completed(&it, f, 0) == 0);
    RV_CHECK(rv_completions_next(it, &index, RV_NEVER) == -ENOENT);
    it = rv_completions_free(it);
    free_all(f, 3);
    close_waiting(ex);
}

static void futures_of_different_executors_are_waited_for_together(void)
{
    rv_executor *here, *there = open_wide(1, NULL);
    rv_future *f[2];

    RV_CHECK(rv_executor_open(&here, "threads:1", NULL) == 0);
    f[0] = submit(here, pass_gate, &(int){1});
    f[1] = submit(there, add_one, &(int){1});
    RV_CHECK(rv_wait(f, 2, RV_ANY, RV_NEVER) == 1);
    open_gate();
    RV_CHECK(rv_wait(f, 2, RV_FIRST_ERROR, RV_NEVER) == 2);
    free_all(f, 2);
    close_waiting(here);
    close_waiting(there);
}

/* --- words and sizes --- */

static void every_outcome_has_a_word(void **state)
{
    (void)state;
    assert_string_equal(rv_outcome_word(RV_OUTCOME_VALUE), "value");
    assert_string_equal(rv_outcome_word(RV_OUTCOME_ERROR), "error");
    assert_string_equal(rv_outcome_word(RV_OUTCOME_SIGNAL), "signal");
    assert_string_equal(rv_outcome_word(RV_OUTCOME_LOST), "lost");
    assert_string_equal(rv_outcome_word(RV_OUTCOME_CANCELLED), "cancelled");
    assert_string_equal(rv_outcome_word(RV_OUTCOME_TIMEOUT), "timeout");
    assert_string_equal(rv_outcome_word(RV_OUTCOME_MEMORY), "memory");
    assert_string_equal(rv_outcome_word((enum rv_outcome_kind)77), "unknown");
}

struct odd {
    char bytes[13];
};

static int turn_odd(const struct odd *in, long double *out)
{
    RV_CHECK((uintptr_t)out % _Alignof(long double) == 0);
    *out = in->bytes[12];
    return 0;
}
RV_JOB(turn_odd, struct odd, long double);

static void results_are_aligned_behind_odd_inputs(void)
{
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f = submit(ex, turn_odd, &(const struct odd){{[12] = 9}});
    struct rv_outcome outcome;
    long double value;

    RV_CHECK(rv_future_get(f, &value, &outcome, RV_NEVER) == 0);
    RV_CHECK(value == 9);
    f = rv_future_free(f);
    close_waiting(ex);
}

static void a_job_of_impossible_size_is_out_of_memory(void)
{
    struct rv_job job = rv_job_add_one;
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f;

    job.in_bytes = SIZE_MAX - 8;
    RV_CHECK(rv_submit_job(ex, &f, &job, &(int){0}, RV_NEVER) == -ENOMEM);
    job.in_bytes = sizeof(int);
    job.out_bytes = SIZE_MAX - 8;
    RV_CHECK(rv_submit_job(ex, &f, &job, &(int){0}, RV_NEVER) == -ENOMEM);
    close_waiting(ex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_TIER(a_value_can_be_read_again),
        ON_EVERY_TIER(an_error_is_an_outcome_and_the_wait_succeeds),
        ON_EVERY_TIER(an_uncancelled_job_that_says_cancelled_is_an_error),
        ON_EVERY_TIER(futures_outlive_their_executor),
        ON_EVERY_TIER(freeing_nothing_is_fine),
        ON_EVERY_TIER(a_future_freed_early_drops_the_result_and_not_the_job),
        ON_POOLS(a_wait_ends_at_its_deadline),
        ON_POOLS(times_are_measured),
        ON_POOLS(a_cancelled_job_that_waits_never_runs),
        ON_POOLS(a_cancelled_job_that_runs_is_asked_to_stop),
        ON_POOLS(a_cancelled_job_that_ends_by_itself_keeps_its_outcome),
        ON_EVERY_TIER(cancelling_what_has_ended_changes_nothing),
        ON_TASKS(a_blocking_call_of_a_cancelled_task_fails),
        ON_TASKS(a_cancelled_caller_cannot_wait),
        ON_POOLS(several_threads_wait_for_one_future),
        ON_TASKS(several_tasks_wait_for_one_future),
        ON_TASKS(a_waiting_task_can_be_cancelled),
        ON_EVERY_TIER(waiting_for_all_counts_them),
        ON_POOLS(waiting_for_any_finds_the_lowest_that_has_ended),
        ON_POOLS(the_first_error_ends_the_wait),
        ON_EVERY_TIER(a_wait_for_nothing_or_in_no_mode_is_refused),
        ON_POOLS_HERE(completions_come_in_the_order_of_the_ends),
        ON_EVERY_TIER(completions_give_everyone_once),
        ON_POOLS(completions_can_be_left_early),
        ON_EVERY_TIER(futures_of_different_executors_are_waited_for_together),
        cmocka_unit_test(every_outcome_has_a_word),
        ON_EVERY_TIER(results_are_aligned_behind_odd_inputs),
        ON_EVERY_TIER_HERE(a_job_of_impossible_size_is_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
