/* SPDX-License-Identifier: MIT */
/* test_blocking.c - calls on helper threads: results, limits, and what cancellation may not
 * touch. */
#include <ravel/blocking.h>

#include <errno.h>

#include "../../support/crowd.h"
#include "../../support/held.h"
#include "base/alloc.h"
#include "stage.h"

enum { FEW = 6, MAX = 3, MANY = 1000, DEFAULT_MAX = 64 };

/* --- where a call runs --- */

static int return_it(void *arg)
{
    return *(const int *)arg;
}

static void the_result_is_the_functions(void)
{
    static int results[] = {0, 1, -1, -EINVAL, -ECANCELED, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++)
        RV_CHECK(rv_blocking(return_it, &results[i], NULL) == results[i]);
}

static int be_no_task(void *arg)
{
    pthread_t *caller = arg;
    errno = EDOM;
    RV_CHECK(rv_task_id() == 0 && rv_run_workers() == 0);
    RV_CHECK(rv_sleep(RV_MICROSECOND) == 0);
    RV_CHECK(rv_blocking(do_nothing, NULL, NULL) == 0);
    return pthread_equal(*caller, pthread_self()) != 0;
}

static void a_tasks_call_runs_on_another_thread(void)
{
    pthread_t self = pthread_self();
    errno = 0;
    RV_CHECK(rv_blocking(be_no_task, &self, NULL) == 0);
    RV_CHECK(errno != EDOM);
}

static void a_threads_call_runs_on_the_thread(void **state)
{
    pthread_t self = pthread_self();
    rv_limiter *limiter;
    (void)state;
    assert_int_equal(rv_blocking(be_no_task, &self, NULL), 1);
    assert_int_equal(rv_limiter_new(&limiter, 1), 0);
    assert_int_equal(rv_blocking(be_no_task, &self, limiter), 1);
    assert_null(rv_limiter_free(limiter));
}

static int run_a_runtime(void *arg)
{
    struct rv_run_opts opts = {.size = sizeof(opts), .workers = 2};
    (void)arg;
    return rv_run(do_nothing, NULL, &opts);
}

static void a_call_may_run_a_runtime_of_its_own(void)
{
    RV_CHECK(rv_blocking(run_a_runtime, NULL, NULL) == 0);
}

static int wait_for_event(void *arg)
{
    return rv_event_wait(arg, RV_NEVER);
}

static int set_event(void *arg)
{
    rv_event_set(arg);
    return 0;
}

static void the_worker_is_free_meanwhile(void)
{
    struct rv_event event = RV_EVENT_INIT;
    rv_scope *scope = open_scope(NULL);
    go(scope, set_event, &event);
    RV_CHECK(rv_blocking(wait_for_event, &event, NULL) == 0);
    RV_CHECK(rv_scope_close(scope) == 0);
}

/* --- limits --- */

struct booth {
    rv_limiter *limiter;
    _Atomic(int) inside, most, calls;
};

static int go_in_and_out(void *arg)
{
    struct booth *booth = arg;
    int inside = rvi_fetch_add_relaxed(&booth->inside, 1) + 1;
    int most = rvi_load_relaxed(&booth->most);
    while (inside > most && !rvi_cas_relaxed(&booth->most, &most, inside))
        ;
    rvi_fetch_add_relaxed(&booth->calls, 1);
    rvi_thread_yield();
    rvi_fetch_sub_relaxed(&booth->inside, 1);
    return 0;
}

static int call_booth(void *arg)
{
    struct booth *booth = arg;
    return rv_blocking(go_in_and_out, booth, booth->limiter);
}

static void crowd_the_booth(struct booth *booth, size_t count)
{
    rv_scope *scope = open_scope(NULL);
    for (size_t i = 0; i < count; i++)
        go(scope, call_booth, booth);
    RV_CHECK(rv_scope_close(scope) == 0);
    RV_CHECK(rvi_load_relaxed(&booth->calls) == (int)count);
    RV_CHECK(rvi_load_relaxed(&booth->inside) == 0);
}

static void no_more_than_max_run_at_one_time(void)
{
    for (unsigned max = 1; max <= MAX; max++) {
        struct booth booth = {0};
        RV_CHECK(rv_limiter_new(&booth.limiter, max) == 0);
        crowd_the_booth(&booth, scaled(MANY, 100));
        RV_CHECK(rvi_load_relaxed(&booth.most) <= (int)max);
        rv_limiter_free(booth.limiter);
    }
}

static void the_runtimes_own_limiter_admits_sixty_four(void)
{
    struct booth booth = {0};
    crowd_the_booth(&booth, scaled(MANY, 100));
    RV_CHECK(rvi_load_relaxed(&booth.most) <= DEFAULT_MAX);
}

/* All of them are inside at the same time, or they would wait for ever. */
struct meeting {
    _Atomic(int) missing;
    rv_limiter *limiter;
};

static int meet(void *arg)
{
    struct meeting *meeting = arg;
    rvi_fetch_sub_acq_rel(&meeting->missing, 1);    /* pairs: meeting */
    while (rvi_load_acquire(&meeting->missing) > 0) /* pairs: meeting */
        rvi_thread_yield();
    return 0;
}

static int call_meeting(void *arg)
{
    struct meeting *meeting = arg;
    return rv_blocking(meet, meeting, meeting->limiter);
}

static void meet_all(rv_limiter *limiter, int count)
{
    struct meeting meeting = {count, limiter};
    rv_scope *scope = open_scope(NULL);
    for (int i = 0; i < count; i++)
        go(scope, call_meeting, &meeting);
    RV_CHECK(rv_scope_close(scope) == 0);
}

static void as_many_as_max_run_at_one_time(void)
{
    rv_limiter *limiter;
    RV_CHECK(rv_limiter_new(&limiter, FEW) == 0);
    for (int i = 0; i < 3; i++)
        meet_all(limiter, FEW);
    rv_limiter_free(limiter);
    meet_all(NULL, DEFAULT_MAX);
}

static void limiters_do_not_know_each_other(void)
{
    struct meeting meeting = {.missing = 2};
    rv_limiter *other;
    rv_scope *scope = open_scope(NULL);
    RV_CHECK(rv_limiter_new(&meeting.limiter, 1) == 0 && rv_limiter_new(&other, 1) == 0);
    go(scope, call_meeting, &meeting);
    RV_CHECK(rv_blocking(meet, &meeting, other) == 0);
    RV_CHECK(rv_scope_close(scope) == 0);
    rv_limiter_free(meeting.limiter);
    rv_limiter_free(other);
}

/* --- cancellation --- */

struct queued {
    rv_limiter *limiter;
    struct rv_event begun, go_on;
    _Atomic(int) calls;
};

static int hold_until_told(void *arg)
{
    struct queued *queued = arg;
    rv_event_set(&queued->begun);
    RV_CHECK(rv_event_wait(&queued->go_on, RV_NEVER) == 0);
    return 42;
}

static int hold(void *arg)
{
    struct queued *queued = arg;
    RV_CHECK(rv_blocking(hold_until_told, queued, queued->limiter) == 42);
    RV_CHECK(rv_cancelled() == -EIO);
    return 0;
}

static int count_call(void *arg)
{
    struct queued *queued = arg;
    rvi_fetch_add_relaxed(&queued->calls, 1);
    return 0;
}

static int stand_in_line(void *arg)
{
    struct queued *queued = arg;
    RV_CHECK(rv_blocking(count_call, queued, queued->limiter) == -ECANCELED);
    return 0;
}

/* The call that runs is waited for, those in line never run, and no turn is lost. */
static void cancellation_takes_back_what_has_not_begun(void)
{
    struct queued queued = {.begun = RV_EVENT_INIT, .go_on = RV_EVENT_INIT};
    rv_scope *scope = open_scope(NULL);
    RV_CHECK(rv_limiter_new(&queued.limiter, 1) == 0);
    go(scope, hold, &queued);
    RV_CHECK(rv_event_wait(&queued.begun, RV_NEVER) == 0);
    for (int i = 0; i < FEW; i++)
        go(scope, stand_in_line, &queued);
    if (rv_run_workers() > 1)
        start_elsewhere(scope, stand_in_line, &queued);
    for (int i = 0; i < FEW; i++)
        rv_yield();
    rv_scope_cancel(scope, -EIO);
    RV_CHECK(rv_blocking(count_call, &queued, NULL) == -ECANCELED);
    rv_event_set(&queued.go_on);
    RV_CHECK(rv_scope_close(scope) == -EIO);
    RV_CHECK(rvi_load_relaxed(&queued.calls) == 0);
    meet_all(queued.limiter, 1);
    rv_limiter_free(queued.limiter);
}

static int sleep_until_it(void *arg)
{
    return rv_sleep_until(*(rv_time *)arg);
}

static void a_deadline_does_not_interrupt_a_call(void)
{
    rv_time deadline = rv_after(2 * RV_MILLISECOND), long_after = deadline + RV_MILLISECOND;
    int err, result = 1;
    RV_SCOPE(scope, err, .deadline = deadline) {
        result = rv_blocking(sleep_until_it, &long_after, NULL);
        RV_CHECK(rv_now() >= long_after);
        RV_CHECK(rv_cancelled() == -ETIME);
    }
    RV_CHECK(err == -ETIME && result == 0);
}

/* --- limiters and misuse --- */

static void a_limiter_admits_at_least_one(void **state)
{
    rv_limiter *limiter = NULL;
    (void)state;
    assert_int_equal(rv_limiter_new(&limiter, 0), -EINVAL);
    rvi_alloc_fail_after(1);
    assert_int_equal(rv_limiter_new(&limiter, 1), -ENOMEM);
    assert_null(limiter);
    assert_null(rv_limiter_free(NULL));
}

static void free_in_use(void)
{
    struct queued queued = {.begun = RV_EVENT_INIT, .go_on = RV_EVENT_INIT};
    RV_CHECK(rv_limiter_new(&queued.limiter, 1) == 0);
    go(now_on.scope, hold, &queued);
    RV_CHECK(rv_event_wait(&queued.begun, RV_NEVER) == 0);
    rv_limiter_free(queued.limiter);
}

static void freeing_a_limiter_in_use_stops_the_program(void **state)
{
    (void)state;
    assert_panics(ONE_WORKER, free_in_use, "rv_limiter_free(): a call is using the limiter");
}

static int call_without_memory(void *arg)
{
    (void)arg;
    rvi_alloc_fail_after(1);
    RV_CHECK(rv_blocking(do_nothing, NULL, NULL) == -EAGAIN); /* nobody is there */
    RV_CHECK(rv_blocking(do_nothing, NULL, NULL) == 0);
    for (int i = 0; i < FEW; i++) {
        rvi_alloc_fail_after(1);
        RV_CHECK(rv_blocking(do_nothing, NULL, NULL) == 0); /* by who is there, idle or not yet */
    }
    rvi_alloc_fail_after(-1);
    return 0;
}

static void without_memory_a_call_waits_for_a_helper_or_fails(void **state)
{
    struct rv_run_opts opts = {.size = sizeof(opts), .workers = 1};
    (void)state;
    assert_int_equal(rv_run(call_without_memory, NULL, &opts), 0);
}

/* --- helpers --- */

static size_t count_threads(void)
{
    return count_entries("/proc/self/task");
}

static int call_and_idle(void *arg)
{
    size_t before = count_threads();
    (void)arg;
    meet_all(NULL, FEW);
    RV_CHECK(count_threads() >= before + FEW);
    while (count_threads() > before)
        RV_CHECK(rv_sleep(50 * RV_MILLISECOND) == 0);
    meet_all(NULL, FEW);
    return 0;
}

static void helpers_without_work_leave_and_come_again(void **state)
{
    struct rv_run_opts opts = {.size = sizeof(opts), .workers = 1};
    long before = rvi_alloc_live();
    (void)state;
    assert_int_equal(rv_run(call_and_idle, NULL, &opts), 0);
    assert_int_equal(rvi_alloc_live(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_TASKS(the_result_is_the_functions),
        ON_TASKS(a_tasks_call_runs_on_another_thread),
        cmocka_unit_test(a_threads_call_runs_on_the_thread),
        ON_TASKS(a_call_may_run_a_runtime_of_its_own),
        ON_TASKS(the_worker_is_free_meanwhile),
        ON_TASKS(no_more_than_max_run_at_one_time),
        ON_TASKS(the_runtimes_own_limiter_admits_sixty_four),
        ON_TASKS(as_many_as_max_run_at_one_time),
        ON_TASKS(limiters_do_not_know_each_other),
        ON_TASKS(cancellation_takes_back_what_has_not_begun),
        ON_TASKS(a_deadline_does_not_interrupt_a_call),
        cmocka_unit_test(a_limiter_admits_at_least_one),
        cmocka_unit_test(freeing_a_limiter_in_use_stops_the_program),
        cmocka_unit_test(without_memory_a_call_waits_for_a_helper_or_fails),
        cmocka_unit_test(helpers_without_work_leave_and_come_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
