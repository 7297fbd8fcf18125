/* SPDX-License-Identifier: MIT */
/* test_scope.c - opening, starting, closing; policies, limits, misuse. How cancellation spreads
 * is in test_cancel.c. */
#include <ravel/scope.h>

#include <errno.h>

#include "../../support/crowd.h"
#include "base/alloc.h"
#include "stage.h"

enum { FEW = 8, MANY = 5000, LIMIT = 3 };

static const struct rv_scope_opts collect_all = {.size = sizeof(collect_all),
                                                 .policy = RV_COLLECT_ALL};
static const struct rv_scope_opts first_success = {.size = sizeof(first_success),
                                                   .policy = RV_FIRST_SUCCESS};

/* --- what tasks do here --- */

static int return_it(void *arg)
{
    return *(const int *)arg;
}

static const int zero = 0, positive = 7, io_error = -EIO, pipe_error = -EPIPE;

static void *constant(const int *value)
{
    return (void *)(uintptr_t)value;
}

static int count_me(void *arg)
{
    _Atomic(int) *count = arg;
    rvi_fetch_add_relaxed(count, 1);
    return 0;
}

/* Returns `result` when the event has happened, whatever else has. */
struct late {
    struct rv_event event;
    int result;
};

static int return_late(void *arg)
{
    struct late *late = arg;
    while (!rv_event_is_set(&late->event))
        rv_yield();
    return late->result;
}

static struct rv_scope_stats stats_of(rv_scope *scope)
{
    struct rv_scope_stats stats = {.size = sizeof(stats)};
    RV_CHECK(rv_scope_stats_read(scope, &stats) == 0);
    return stats;
}

static void until_ended(rv_scope *scope, size_t count)
{
    struct rv_scope_stats stats = {.size = sizeof(stats)};
    do {
        rv_yield();
        stats = stats_of(scope);
    } while (stats.succeeded + stats.failed < count);
}

/* --- the end of one task, for the others --- */

static void every_task_runs_once_before_the_scope_ends(void)
{
    _Atomic(int) count = 0;
    rv_scope *scope = open_scope(NULL);
    for (int i = 0; i < MANY; i++)
        go(scope, count_me, &count);
    RV_CHECK(rv_scope_close(scope) == 0);
    RV_CHECK(rvi_load_relaxed(&count) == MANY);
}

static void an_empty_scope_is_a_success(void)
{
    for (int policy = RV_FAIL_FAST; policy <= RV_FIRST_SUCCESS; policy++) {
        struct rv_scope_opts opts = {.size = sizeof(opts), .policy = (enum rv_policy)policy};
        RV_CHECK(rv_scope_close(open_scope(&opts)) == 0);
    }
}

static void a_positive_result_is_a_success(void)
{
    for (int policy = RV_FAIL_FAST; policy <= RV_FIRST_SUCCESS; policy++) {
        struct rv_scope_opts opts = {.size = sizeof(opts), .policy = (enum rv_policy)policy};
        rv_scope *scope = open_scope(&opts);
        go(scope, return_it, constant(&positive));
        RV_CHECK(rv_scope_close(scope) == 0);
    }
}

static void fail_fast_cancels_the_rest_at_the_first_failure(void)
{
    rv_scope *scope = open_scope(NULL);
    struct rv_scope_stats stats = {.size = sizeof(stats)};
    for (int i = 0; i < FEW; i++)
        go(scope, sleep_for_ever, NULL);
    go(scope, return_it, constant(&io_error));
    until_ended(scope, FEW + 1);
    stats = stats_of(scope);
    RV_CHECK(stats.failed == FEW + 1 && stats.alive == 0);
    RV_CHECK(rv_scope_reason(scope) == -EIO);
    RV_CHECK(rv_scope_close(scope) == -EIO);
}

static void later_failures_do_not_replace_the_first(void)
{
    struct late late = {RV_EVENT_INIT, -EPIPE};
    rv_scope *scope = open_scope(NULL);
    go(scope, return_late, &late);
    go(scope, return_it, constant(&io_error));
    until_ended(scope, 1);
    rv_event_set(&late.event);
    RV_CHECK(rv_scope_close(scope) == -EIO);
}

static void collect_all_lets_everybody_finish_and_returns_the_first_failure(void)
{
    struct late fails = {RV_EVENT_INIT, -EPIPE}, succeeds = {RV_EVENT_INIT, 0};
    rv_scope *scope = open_scope(&collect_all);
    go(scope, return_late, &fails);
    go(scope, return_late, &succeeds);
    go(scope, return_it, constant(&io_error));
    until_ended(scope, 1);
    RV_CHECK(rv_scope_reason(scope) == 0 && rv_cancelled() == 0);
    rv_event_set(&fails.event);
    until_ended(scope, 2);
    rv_event_set(&succeeds.event);
    until_ended(scope, 3);
    struct rv_scope_stats stats = stats_of(scope);
    RV_CHECK(stats.succeeded == 1 && stats.failed == 2);
    RV_CHECK(rv_scope_close(scope) == -EIO);
}

static void collect_all_can_be_cancelled(void)
{
    rv_scope *scope = open_scope(&collect_all);
    go(scope, sleep_for_ever, NULL);
    go(scope, return_it, constant(&io_error));
    until_ended(scope, 1);
    rv_scope_cancel(scope, -ESTALE);
    RV_CHECK(rv_scope_close(scope) == -ESTALE);
}

/* What a loser of a race sees. */
static int lose(void *arg)
{
    int *seen = arg;
    RV_CHECK(rv_sleep_until(RV_NEVER) == -ECANCELED);
    *seen = rv_cancelled();
    return -ECANCELED;
}

static void first_success_cancels_the_losers_and_is_no_error(void)
{
    int seen = 0;
    rv_scope *scope = open_scope(&first_success);
    go(scope, lose, &seen);
    go(scope, return_it, constant(&io_error));
    until_ended(scope, 1);
    RV_CHECK(rv_scope_reason(scope) == 0 && rv_cancelled() == 0);
    go(scope, return_it, constant(&zero));
    until_ended(scope, 3);
    RV_CHECK(rv_scope_reason(scope) == 0);
    RV_CHECK(rv_sleep(0) == -ECANCELED);
    RV_CHECK(rv_go(scope, return_it, constant(&zero)) == -ECANCELED);
    RV_CHECK(rv_scope_close(scope) == 0);
    RV_CHECK(seen == -ECANCELED); /* regress: it was the room's own positive word */
}

static void first_success_without_any_returns_the_first_failure(void)
{
    rv_scope *scope = open_scope(&first_success);
    go(scope, return_it, constant(&io_error));
    until_ended(scope, 1);
    go(scope, return_it, constant(&pipe_error));
    RV_CHECK(rv_scope_close(scope) == -EIO);
}

static void a_success_after_cancellation_comes_too_late(void)
{
    struct late late = {RV_EVENT_INIT, 0};
    rv_scope *scope = open_scope(&first_success);
    go(scope, return_late, &late);
    rv_scope_cancel(scope, -ETIME);
    rv_event_set(&late.event);
    RV_CHECK(rv_scope_close(scope) == -ETIME);
}

/* --- RV_SCOPE --- */

static void a_block_ends_at_break_and_continue(void)
{
    _Atomic(int) count = 0;
    int rounds = 0, err;
    for (int i = 0; i < 4; i++) {
        RV_SCOPE(scope, err) {
            go(scope, count_me, &count);
            if (i % 2)
                break;
            else
                continue;
        }
        RV_CHECK(err == 0 && rvi_load_relaxed(&count) == i + 1);
        rounds++;
    }
    RV_CHECK(rounds == 4);
}

static int return_from_block(_Atomic(int) *count, int *err)
{
    RV_SCOPE(scope, *err) {
        go(scope, count_me, count);
        return 42;
    }
    return 0;
}

static void a_block_ends_at_return(void)
{
    _Atomic(int) count = 0;
    int err = 1;
    RV_CHECK(return_from_block(&count, &err) == 42);
    RV_CHECK(err == 0 && rvi_load_relaxed(&count) == 1);
}

static void a_block_ends_at_goto(void)
{
    _Atomic(int) count = 0;
    int err, inner_err;
    RV_SCOPE(scope, err) {
        RV_SCOPE(inner, inner_err) {
            go(inner, count_me, &count);
            go(scope, count_me, &count);
            goto out;
        }
    }
out:
    RV_CHECK(err == 0 && inner_err == 0 && rvi_load_relaxed(&count) == 2);
}

static void blocks_nest(void)
{
    int err, inner_err = 1;
    RV_SCOPE(scope, err, .policy = RV_COLLECT_ALL) {
        RV_SCOPE(inner, inner_err) {
            go(inner, return_it, constant(&io_error));
            go(scope, return_it, constant(&pipe_error));
        }
        RV_CHECK(inner_err == -EIO);
        RV_CHECK(rv_sleep(0) == 0);
    }
    RV_CHECK(err == -EPIPE);
}

static void any_error_may_come_out_of_a_block(void)
{
    static const int errors[] = {-EINVAL, -EPERM, -EIO, -ETIME, -ECANCELED, INT32_MIN};
    int err;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        RV_SCOPE(scope, err) /* regress: -EINVAL and -EPERM were taken for misuse */
            go(scope, return_it, constant(&errors[i]));
        RV_CHECK(err == errors[i]);
    }
}

static void a_block_that_cannot_open_is_not_entered(void)
{
    int err = 0;
    RV_SCOPE(scope, err, .policy = (enum rv_policy)3)
        RV_CHECK(false);
    RV_CHECK(err == -EINVAL);
    rvi_alloc_fail_after(1);
    RV_SCOPE(scope, err)
        RV_CHECK(false);
    RV_CHECK(err == -ENOMEM);
}

static void outside_of_tasks_no_scope_opens(void **state)
{
    rv_scope *scope = NULL;
    int err = 0;
    (void)state;
    RV_SCOPE(inside, err)
        fail();
    assert_int_equal(err, -EPERM);
    assert_int_equal(rv_scope_open(&scope, NULL), -EPERM);
    assert_null(scope);
}

static void options_of_any_age_are_read_or_refused(void)
{
    struct {
        struct rv_scope_opts known;
        int newer;
    } opts = {.known = {.size = sizeof(opts), .policy = RV_COLLECT_ALL}};
    rv_scope *scope = open_scope(&opts.known);
    RV_CHECK(rv_scope_close(scope) == 0);
    opts.newer = 1;
    RV_CHECK(rv_scope_open(&scope, &opts.known) == -E2BIG);
    opts.known = (struct rv_scope_opts){.size = 0, .policy = (enum rv_policy)9};
    RV_CHECK(rv_scope_open(&scope, &opts.known) == -EINVAL);
    opts.known.size = offsetof(struct rv_scope_opts, policy); /* older than policies */
    RV_CHECK(rv_scope_open(&scope, &opts.known) == 0);
    RV_CHECK(rv_scope_close(scope) == 0);
    opts.known = (struct rv_scope_opts){.policy = (enum rv_policy) - 1};
    RV_CHECK(rv_scope_open(&scope, &opts.known) == -EINVAL);
}

/* --- closing --- */

static int close_it(void *arg)
{
    return rv_scope_close(arg);
}

static void *close_it_on_a_thread(void *arg)
{
    (void)!rv_scope_close(arg);
    return NULL;
}

static void a_child_closes(void)
{
    rv_scope *scope = open_scope(NULL);
    go(scope, close_it, scope);
    (void)!rv_scope_close(scope);
}

static void a_thread_closes(void)
{
    rv_scope *scope = open_scope(NULL);
    pthread_t thread;
    RV_CHECK(pthread_create(&thread, NULL, close_it_on_a_thread, scope) == 0);
    RV_CHECK(pthread_join(thread, NULL) == 0);
}

static void the_outer_is_closed_first(void)
{
    rv_scope *outer = open_scope(NULL);
    open_scope(NULL);
    (void)!rv_scope_close(outer);
}

static void closing_out_of_turn_stops_the_program(void **state)
{
    (void)state;
    assert_panics(ONE_WORKER, a_child_closes, "rv_scope_close: the caller does not own this scope");
    assert_panics(ONE_WORKER, a_thread_closes,
                  "rv_scope_close: the caller does not own this scope");
    assert_panics(ONE_WORKER, the_outer_is_closed_first,
                  "rv_scope_close: a scope that was opened inside this one is still open");
}

/* regress: a task's -EPERM or -EINVAL could not be told from a scope that was not closed. */
static void the_result_is_a_tasks_whatever_it_is(void)
{
    int results[] = {-EPERM, -EINVAL};
    for (int i = 0; i < 2; i++) {
        rv_scope *scope = open_scope(NULL);
        go(scope, return_it, &results[i]);
        RV_CHECK(rv_scope_close(scope) == results[i]);
    }
}

static int leave_open(void *arg)
{
    rv_scope *scope;
    (void)arg;
    return rv_scope_open(&scope, NULL);
}

static void return_with_a_scope_open(void)
{
    RV_CHECK(rv_go(now_on.scope, leave_open, NULL) == 0);
    finish();
}

static void leave_a_block_with_a_scope_open(void)
{
    int err;
    RV_SCOPE(scope, err)
        open_scope(NULL);
}

static void a_scope_left_open_stops_the_program(void **state)
{
    (void)state;
    assert_panics(ONE_WORKER, return_with_a_scope_open, "task 'leave_open' (");
    assert_panics(ONE_WORKER, return_with_a_scope_open, ") returned with a scope open");
    assert_panics(ONE_WORKER, leave_a_block_with_a_scope_open,
                  "rv_scope_close: a scope that was opened inside this one is still open");
}

static void the_first_reason_stays(void)
{
    rv_scope *scope = open_scope(NULL);
    RV_CHECK(rv_scope_reason(scope) == 0);
    rv_scope_cancel(scope, EPIPE);
    rv_scope_cancel(scope, -EIO);
    rv_scope_cancel(scope, 0);
    RV_CHECK(rv_scope_reason(scope) == -EPIPE);
    RV_CHECK(rv_scope_close(scope) == -EPIPE);
    scope = open_scope(NULL);
    rv_scope_cancel(scope, 0);
    RV_CHECK(rv_scope_reason(scope) == -ECANCELED);
    RV_CHECK(rv_scope_close(scope) == -ECANCELED);
}

/* --- starting from elsewhere --- */

struct shared_scope {
    rv_scope *scope;
    int each; /* tasks that every starter starts */
    _Atomic(int) started, ran;
};

static int count_run(void *arg)
{
    struct shared_scope *shared = arg;
    rvi_fetch_add_relaxed(&shared->ran, 1);
    return 0;
}

static int start_more(void *arg)
{
    struct shared_scope *shared = arg;
    for (int i = 0; i < shared->each; i++) {
        int r = rv_go(shared->scope, count_run, shared);
        if (r == -ECANCELED)
            break;
        RV_CHECK(r == 0);
        rvi_fetch_add_relaxed(&shared->started, 1);
    }
    return 0;
}

static void check_all_ran(struct shared_scope *shared)
{
    RV_CHECK(rvi_load_relaxed(&shared->started) == rvi_load_relaxed(&shared->ran));
}

static void tasks_start_their_siblings(void)
{
    struct shared_scope shared = {.scope = open_scope(NULL), .each = MANY / FEW};
    for (int i = 0; i < FEW; i++)
        go(shared.scope, start_more, &shared);
    RV_CHECK(rv_scope_close(shared.scope) == 0);
    RV_CHECK(rvi_load_relaxed(&shared.ran) == MANY);
    check_all_ran(&shared);
}

static int start_more_below(void *arg)
{
    int err;
    RV_SCOPE(scope, err)
        go(scope, start_more, arg);
    return err;
}

static void grandchildren_start_tasks_in_an_outer_scope(void)
{
    struct shared_scope shared = {.scope = open_scope(NULL), .each = MANY / FEW};
    int err;
    RV_SCOPE(other, err) {
        for (int i = 0; i < FEW; i++)
            go(other, start_more_below, &shared);
    }
    RV_CHECK(err == 0);
    RV_CHECK(rv_scope_close(shared.scope) == 0);
    RV_CHECK(rvi_load_relaxed(&shared.ran) == MANY);
    check_all_ran(&shared);
}

static void starting_goes_on_until_the_scope_is_cancelled(void)
{
    for (int round = 0; round < FEW; round++) {
        struct shared_scope shared = {.scope = open_scope(NULL), .each = MANY};
        for (int i = 0; i < FEW; i++)
            go(shared.scope, start_more, &shared);
        for (int i = 0; i < round; i++)
            rv_yield();
        rv_scope_cancel(shared.scope, -EIO);
        RV_CHECK(rv_scope_close(shared.scope) == -EIO);
        check_all_ran(&shared);
    }
}

static void a_cancelled_scope_takes_no_more_tasks(void)
{
    rv_scope *scope = open_scope(NULL);
    _Atomic(int) count = 0;
    rv_scope_cancel(scope, 0);
    RV_CHECK(rv_go(scope, count_me, &count) == -ECANCELED);
    RV_CHECK(rv_scope_close(scope) == -ECANCELED);
    RV_CHECK(rvi_load_relaxed(&count) == 0);
}

static void *start_more_on_a_thread(void *arg)
{
    start_more(arg);
    return NULL;
}

static void plain_threads_start_tasks(void)
{
    struct shared_scope shared = {.scope = open_scope(NULL), .each = MANY / FEW};
    pthread_t threads[FEW];
    for (int i = 0; i < FEW; i++)
        RV_CHECK(pthread_create(&threads[i], NULL, start_more_on_a_thread, &shared) == 0);
    for (int i = 0; i < FEW; i++)
        RV_CHECK(pthread_join(threads[i], NULL) == 0);
    RV_CHECK(rv_scope_close(shared.scope) == 0);
    RV_CHECK(rvi_load_relaxed(&shared.ran) == MANY);
    check_all_ran(&shared);
}

/* The threads have returned before the worker looks at what they sent. */
static void what_was_started_runs_though_it_is_cancelled_before(void)
{
    struct shared_scope shared = {.scope = open_scope(NULL), .each = FEW};
    pthread_t thread;
    RV_CHECK(pthread_create(&thread, NULL, start_more_on_a_thread, &shared) == 0);
    RV_CHECK(pthread_join(thread, NULL) == 0);
    start_more(&shared);
    rv_scope_cancel(shared.scope, -EIO);
    RV_CHECK(rv_scope_close(shared.scope) == -EIO);
    RV_CHECK(rvi_load_relaxed(&shared.started) == 2 * FEW);
    check_all_ran(&shared); /* regress: the thread's were dropped without a word */
}

static void *run_another_runtime(void *arg)
{
    struct rv_run_opts opts = {.size = sizeof(opts), .workers = 3};
    RV_CHECK(rv_run(start_more_below, arg, &opts) == 0);
    return NULL;
}

static void tasks_of_another_runtime_start_tasks(void)
{
    struct shared_scope shared = {.scope = open_scope(NULL), .each = FEW};
    pthread_t thread;
    RV_CHECK(pthread_create(&thread, NULL, run_another_runtime, &shared) == 0);
    RV_CHECK(pthread_join(thread, NULL) == 0);
    RV_CHECK(rv_scope_close(shared.scope) == 0);
    RV_CHECK(rvi_load_relaxed(&shared.ran) == FEW); /* regress: with their own worker's index */
}

/* --- limits --- */

struct narrow {
    rv_scope *scope;
    _Atomic(int) alive, most, ran;
};

static int be_alive(void *arg)
{
    struct narrow *narrow = arg;
    int alive = rvi_fetch_add_relaxed(&narrow->alive, 1) + 1;
    int most = rvi_load_relaxed(&narrow->most);
    while (alive > most && !rvi_cas_relaxed(&narrow->most, &most, alive))
        ;
    for (int i = 0; i < 3; i++)
        rv_yield();
    rvi_fetch_add_relaxed(&narrow->ran, 1);
    rvi_fetch_sub_relaxed(&narrow->alive, 1);
    return 0;
}

static void no_more_than_the_limit_are_alive(void)
{
    struct narrow narrow = {0};
    int err;
    RV_SCOPE(scope, err, .limit = LIMIT) {
        for (int i = 0; i < MANY / 10; i++) {
            go(scope, be_alive, &narrow);
            RV_CHECK(stats_of(scope).alive <= LIMIT);
        }
    }
    RV_CHECK(err == 0);
    RV_CHECK(rvi_load_relaxed(&narrow.ran) == MANY / 10);
    RV_CHECK(rvi_load_relaxed(&narrow.most) <= LIMIT);
}

static int start_alive_ones(void *arg)
{
    struct narrow *narrow = arg;
    for (int i = 0; i < MANY / 100; i++)
        go(narrow->scope, be_alive, narrow);
    return 0;
}

static void the_limit_holds_for_starters_elsewhere(void)
{
    struct narrow narrow = {.scope = open_scope(&(struct rv_scope_opts){.limit = LIMIT})};
    int err;
    RV_SCOPE(starters, err) {
        for (int i = 0; i < FEW; i++)
            go(starters, start_alive_ones, &narrow);
    }
    RV_CHECK(err == 0);
    RV_CHECK(rv_scope_close(narrow.scope) == 0);
    RV_CHECK(rvi_load_relaxed(&narrow.ran) == FEW * (MANY / 100));
    RV_CHECK(rvi_load_relaxed(&narrow.most) <= LIMIT);
}

static int cancel_it(void *arg)
{
    rv_scope_cancel(arg, -EIO);
    return 0;
}

static void a_start_that_waits_for_room_can_be_cancelled(void)
{
    int err, inner_err;
    RV_SCOPE(scope, err, .limit = 1) {
        RV_SCOPE(inner, inner_err) {
            go(scope, sleep_for_ever, NULL);
            go(inner, cancel_it, scope);
            RV_CHECK(rv_go(scope, return_it, constant(&zero)) == -ECANCELED);
        }
    }
    RV_CHECK(err == -EIO && inner_err == -ECANCELED);
}

static void a_start_that_waits_for_room_ends_at_the_deadline(void)
{
    rv_time deadline = rv_after(2 * RV_MILLISECOND);
    int err;
    RV_SCOPE(scope, err, .limit = 1, .deadline = deadline) {
        go(scope, sleep_for_ever, NULL);
        RV_CHECK(rv_go(scope, return_it, constant(&zero)) == -ECANCELED);
        RV_CHECK(rv_now() >= deadline);
    }
    RV_CHECK(err == -ETIME);
}

static int start_one_too_late(void *arg)
{
    RV_CHECK(rv_go((rv_scope *)arg, return_it, constant(&zero)) == -ECANCELED);
    return 0;
}

/* The starter is no task of the scope that it starts in: it hears of the end when there is room. */
static void a_start_from_outside_that_waits_for_room_is_refused_after_the_end(void)
{
    rv_scope *scope = open_scope(&(struct rv_scope_opts){.limit = 1});
    int err;
    go(scope, sleep_for_ever, NULL);
    RV_CHECK(rv_shield_begin(rv_after(RV_MINUTE)) == 0);
    RV_SCOPE(starters, err) {
        go(starters, start_one_too_late, scope);
        for (int i = 0; i < FEW; i++)
            rv_yield();
        rv_scope_cancel(scope, -EIO);
    }
    rv_shield_end();
    RV_CHECK(err == 0);
    RV_CHECK(rv_scope_close(scope) == -EIO);
}

static void a_start_that_fails_takes_no_room(void)
{
    size_t limit = 200, failures = 0;
    rv_scope *scope = open_scope(&(struct rv_scope_opts){.limit = limit});
    for (size_t started = 0; started < limit; started++) {
        rvi_alloc_fail_after(1);
        int r = rv_go(scope, sleep_for_ever, NULL);
        rvi_alloc_fail_after(-1);
        failures += r < 0;
        RV_CHECK(r == 0 || (r == -ENOMEM && rv_go(scope, sleep_for_ever, NULL) == 0));
    }
    RV_CHECK(failures > 0);
    rv_scope_cancel(scope, 0);
    RV_CHECK(rv_scope_close(scope) == -ECANCELED);
}

static void a_limit_beyond_all_memory_is_none(void)
{
    _Atomic(int) count = 0;
    int err;
    RV_SCOPE(scope, err, .limit = SIZE_MAX) /* regress: more than a semaphore can count */
        go(scope, count_me, &count);
    RV_CHECK(err == 0 && rvi_load_relaxed(&count) == 1);
}

static void *start_in_a_narrow_scope(void *arg)
{
    RV_CHECK(rv_go((rv_scope *)arg, return_it, constant(&zero)) == -EPERM);
    return NULL;
}

static void plain_threads_cannot_start_where_they_might_wait(void)
{
    rv_scope *scope = open_scope(&(struct rv_scope_opts){.limit = 1});
    pthread_t thread;
    RV_CHECK(pthread_create(&thread, NULL, start_in_a_narrow_scope, scope) == 0);
    RV_CHECK(pthread_join(thread, NULL) == 0);
    RV_CHECK(rv_scope_close(scope) == 0);
}

/* --- counting --- */

static int read_stats_of(void *arg)
{
    struct rv_scope_stats stats = {.size = sizeof(stats)};
    RV_CHECK(rv_scope_stats_read(arg, &stats) == -EPERM);
    return 0;
}

static void stats_of_another_size_are_refused_or_filled(void)
{
    rv_scope *scope = open_scope(NULL);
    struct {
        struct rv_scope_stats known;
        uint64_t unknown;
    } newer = {{.size = sizeof(newer)}, 7};
    struct rv_scope_stats shorter = {.size = sizeof(shorter) - 1};
    RV_CHECK(rv_scope_stats_read(scope, &shorter) == -EINVAL);
    RV_CHECK(rv_scope_stats_read(scope, &newer.known) == 0);
    RV_CHECK(newer.known.size == sizeof(newer) && newer.unknown == 0);
    RV_CHECK(rv_scope_close(scope) == 0);
}

static void the_owner_can_count(void)
{
    rv_scope *scope = open_scope(&collect_all);
    struct rv_scope_stats stats = stats_of(scope);
    RV_CHECK(stats.started == 0 && stats.alive == 0);
    go(scope, read_stats_of, scope);
    go(scope, return_it, constant(&io_error));
    go(scope, sleep_for_ever, NULL);
    until_ended(scope, 2);
    stats = stats_of(scope);
    RV_CHECK(stats.started == 3 && stats.succeeded == 1 && stats.failed == 1 && stats.alive == 1);
    rv_scope_cancel(scope, 0);
    until_ended(scope, 3);
    stats = stats_of(scope);
    RV_CHECK(stats.started == 3 && stats.succeeded == 1 && stats.failed == 2 && stats.alive == 0);
    RV_CHECK(rv_scope_close(scope) == -ECANCELED);
}

static void never_fewer_are_started_than_have_ended(void)
{
    struct shared_scope shared = {.scope = open_scope(NULL), .each = MANY};
    struct rv_scope_stats stats = {.size = sizeof(stats)};
    go(shared.scope, start_more, &shared);
    do {
        stats = stats_of(shared.scope);
        RV_CHECK(stats.started == stats.succeeded + stats.alive && stats.failed == 0);
        RV_CHECK(stats.alive <= MANY + 1); /* regress: it wrapped while another worker counted */
        rv_yield();
    } while (stats.succeeded <= MANY);
    RV_CHECK(rv_scope_close(shared.scope) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_TASKS(every_task_runs_once_before_the_scope_ends),
        ON_TASKS(an_empty_scope_is_a_success),
        ON_TASKS(a_positive_result_is_a_success),
        ON_TASKS(fail_fast_cancels_the_rest_at_the_first_failure),
        ON_TASKS(later_failures_do_not_replace_the_first),
        ON_TASKS(collect_all_lets_everybody_finish_and_returns_the_first_failure),
        ON_TASKS(collect_all_can_be_cancelled),
        ON_TASKS(first_success_cancels_the_losers_and_is_no_error),
        ON_TASKS(first_success_without_any_returns_the_first_failure),
        ON_TASKS(a_success_after_cancellation_comes_too_late),
        ON_TASKS(a_block_ends_at_break_and_continue),
        ON_TASKS(a_block_ends_at_return),
        ON_TASKS(a_block_ends_at_goto),
        ON_TASKS(blocks_nest),
        ON_TASKS(any_error_may_come_out_of_a_block),
        ON_TASKS(a_block_that_cannot_open_is_not_entered),
        cmocka_unit_test(outside_of_tasks_no_scope_opens),
        ON_TASKS(options_of_any_age_are_read_or_refused),
        cmocka_unit_test(closing_out_of_turn_stops_the_program),
        ON_TASKS(the_result_is_a_tasks_whatever_it_is),
        cmocka_unit_test(a_scope_left_open_stops_the_program),
        ON_TASKS(the_first_reason_stays),
        ON_TASKS(tasks_start_their_siblings),
        ON_TASKS(grandchildren_start_tasks_in_an_outer_scope),
        ON_TASKS(starting_goes_on_until_the_scope_is_cancelled),
        ON_TASKS(a_cancelled_scope_takes_no_more_tasks),
        ON_TASKS(plain_threads_start_tasks),
        ON_TASKS(what_was_started_runs_though_it_is_cancelled_before),
        ON_TASKS(tasks_of_another_runtime_start_tasks),
        ON_TASKS(no_more_than_the_limit_are_alive),
        ON_TASKS(the_limit_holds_for_starters_elsewhere),
        ON_TASKS(a_start_that_waits_for_room_can_be_cancelled),
        ON_TASKS(a_start_that_waits_for_room_ends_at_the_deadline),
        ON_TASKS(a_start_from_outside_that_waits_for_room_is_refused_after_the_end),
        ON_TASKS(a_start_that_fails_takes_no_room),
        ON_TASKS(a_limit_beyond_all_memory_is_none),
        ON_TASKS(plain_threads_cannot_start_where_they_might_wait),
        ON_TASKS(the_owner_can_count),
        ON_TASKS(stats_of_another_size_are_refused_or_filled),
        ON_TASKS(never_fewer_are_started_than_have_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
