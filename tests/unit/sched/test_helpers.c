/* SPDX-License-Identifier: MIT */
/* test_helpers.c - blocking calls hold their own thread and nobody else's; the threads come and
 * go. */
#include "sched/helpers.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "sched_test.h"

static struct rvi_helpers *helpers(void)
{
    return &rvi_sched_self()->helpers;
}

static size_t count_here(void)
{
    struct rvi_helpers *h = helpers();
    size_t count = 0;
    rvi_lock_acquire(&h->lock);
    RVI_LIST_FOREACH(link, &h->here) {
        count++;
    }
    rvi_lock_release(&h->lock);
    return count;
}

static size_t count_idle(void)
{
    struct rvi_helpers *h = helpers();
    rvi_lock_acquire(&h->lock);
    size_t count = h->idle;
    rvi_lock_release(&h->lock);
    return count;
}

/* Calls that no helper has begun. */
static size_t count_calls(void)
{
    struct rvi_helpers *h = helpers();
    rvi_lock_acquire(&h->lock);
    size_t count = h->call_count;
    rvi_lock_release(&h->lock);
    return count;
}

static int call(rv_fn *fn, void *arg)
{
    return rvi_helpers_call(helpers(), fn, arg);
}

/* --- one call --- */

static int say_where(void *arg)
{
    *(pid_t *)arg = gettid();
    RV_CHECK(rvi_task_self() == NULL && rvi_worker_self() == NULL);
    errno = EDOM;
    return -EXDEV;
}

static int call_once(void *arg)
{
    pid_t where = 0;
    (void)arg;
    errno = 0;
    RV_CHECK(call(say_where, &where) == -EXDEV);
    RV_CHECK(where != 0 && where != gettid() && errno != EDOM);
    return 0;
}

static void a_call_runs_on_another_thread_and_returns_its_result(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, call_once, NULL), 0);
}

static int wait_for_flag(void *arg)
{
    hold_until(arg);
    return 0;
}

static int call_until_flag(void *arg)
{
    return call(wait_for_flag, arg);
}

/* The call returns only because the tasks of the worker go on. */
static int go_on_meanwhile(void *arg)
{
    flag f = false;
    int err;
    (void)arg;
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, call_until_flag, &f) == 0);
        for (int i = 0; i < 100; i++)
            rv_yield();
        RV_CHECK(rv_go(s, raise_it, &f) == 0);
    }
    return err;
}

static void its_worker_goes_on_meanwhile(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, go_on_meanwhile, NULL), 0);
}

static int cancel_while_it_runs(void *arg)
{
    flag f = false;
    int err;
    (void)arg;
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, call_until_flag, &f) == 0);
        while (count_here() == 0)
            rv_yield();
        rv_scope_cancel(s, -EINTR);
        for (int i = 0; i < 100; i++)
            rv_yield();
        raise_flag(&f); /* the call is using its caller's frame until here */
    }
    RV_CHECK(err == -EINTR);
    return 0;
}

static void cancelling_does_not_end_a_call_that_runs(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, cancel_while_it_runs, NULL), 0);
    assert_int_equal(run_on(2, cancel_while_it_runs, NULL), 0);
}

struct waiter_thread {
    struct rvi_helpers *helpers;
    flag *f;
    int result;
};

static void *call_from_thread(void *arg)
{
    struct waiter_thread *w = arg;
    w->result = rvi_helpers_call(w->helpers, wait_for_flag, w->f);
    return NULL;
}

static int let_a_thread_call(void *arg)
{
    flag f = false;
    struct waiter_thread w = {helpers(), &f, -1};
    pthread_t thread;
    (void)arg;
    RV_CHECK(pthread_create(&thread, NULL, call_from_thread, &w) == 0);
    while (count_here() == 0)
        rv_yield();
    raise_flag(&f);
    pthread_join(thread, NULL);
    RV_CHECK(w.result == 0);
    return 0;
}

static void a_plain_thread_may_call_too(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, let_a_thread_call, NULL), 0);
}

/* --- many calls --- */

enum { AT_ONE_TIME = 20 };

static int meet(void *arg)
{
    int r = pthread_barrier_wait(arg);
    RV_CHECK(r == 0 || r == PTHREAD_BARRIER_SERIAL_THREAD);
    return 0;
}

static int call_to_meet(void *arg)
{
    return call(meet, arg);
}

static int call_many_at_one_time(void *arg)
{
    pthread_barrier_t barrier;
    int err;
    (void)arg;
    RV_CHECK(pthread_barrier_init(&barrier, NULL, AT_ONE_TIME) == 0);
    for (int round = 0; round < 3; round++) {
        RV_SCOPE(s, err) {
            for (int i = 0; i < AT_ONE_TIME; i++)
                RV_CHECK(rv_go(s, call_to_meet, &barrier) == 0);
        }
        RV_CHECK(err == 0);
    }
    pthread_barrier_destroy(&barrier);
    return 0;
}

static void every_call_has_a_thread_of_its_own(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, call_many_at_one_time, NULL), 0);
    assert_int_equal(run_on(2, call_many_at_one_time, NULL), 0);
}

static int call_one_after_the_other(void *arg)
{
    pid_t first = 0, where = 0;
    (void)arg;
    for (size_t i = 0; i < repeats(1000); i++) {
        while (count_idle() != count_here())
            rvi_thread_yield(); /* it has woken its caller, but is not back yet */
        RV_CHECK(call(say_where, &where) == -EXDEV);
        if (i == 0)
            first = where;
        RV_CHECK(where == first);
    }
    RV_CHECK(count_here() == 1);
    return 0;
}

static void one_that_is_idle_takes_the_next_call(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, call_one_after_the_other, NULL), 0);
}

static int add_one(void *arg)
{
    rvi_fetch_add_relaxed((_Atomic(uint64_t) *)arg, 1);
    return 7;
}

static int call_in_a_row(void *arg)
{
    for (size_t i = 0; i < repeats(200); i++)
        RV_CHECK(call(add_one, arg) == 7);
    return 0;
}

static int call_from_everywhere(void *arg)
{
    _Atomic(uint64_t) count = 0;
    int err;
    (void)arg;
    RV_SCOPE(s, err) {
        for (int i = 0; i < AT_ONE_TIME; i++)
            RV_CHECK(rv_go(s, call_in_a_row, &count) == 0);
    }
    RV_CHECK(err == 0 && count == AT_ONE_TIME * repeats(200));
    return 0;
}

static void no_call_is_lost(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 4; workers *= 2)
        assert_int_equal(run_on(workers, call_from_everywhere, NULL), 0);
}

/* --- coming and going --- */

static int let_them_leave(void *arg)
{
    pthread_barrier_t barrier;
    pid_t where;
    (void)arg;
    RV_CHECK(pthread_barrier_init(&barrier, NULL, AT_ONE_TIME) == 0);
    helpers()->idle_ns = RV_MILLISECOND;
    for (size_t round = 0; round < 3; round++) {
        int err;
        RV_SCOPE(s, err) {
            for (int i = 0; i < AT_ONE_TIME; i++)
                RV_CHECK(rv_go(s, call_to_meet, &barrier) == 0);
        }
        RV_CHECK(err == 0);
        while (count_here() > 0)
            RV_CHECK(rv_sleep(RV_MILLISECOND) == 0);
        RV_CHECK(count_idle() == 0);
        RV_CHECK(call(say_where, &where) == -EXDEV); /* joins those that have left */
    }
    pthread_barrier_destroy(&barrier);
    return 0;
}

static void the_idle_leave_and_others_come(void **state)
{
    (void)state;
    struct holdings before = holdings_now();
    assert_int_equal(run_on(1, let_them_leave, NULL), 0);
    assert_int_equal(run_on(2, let_them_leave, NULL), 0);
    assert_no_more_is_held(&before);
}

static int leave_in_the_middle_of_calls(void *arg)
{
    _Atomic(uint64_t) count = 0;
    (void)arg;
    helpers()->idle_ns = 1;
    for (size_t i = 0; i < repeats(2000); i++)
        RV_CHECK(call(add_one, &count) == 7);
    RV_CHECK(count == repeats(2000));
    return 0;
}

static void no_call_is_lost_on_one_that_leaves(void **state)
{
    (void)state;
    struct holdings before = holdings_now();
    assert_int_equal(run_on(1, leave_in_the_middle_of_calls, NULL), 0);
    assert_no_more_is_held(&before);
}

static void all_are_gone_after_the_end(void **state)
{
    (void)state;
    struct holdings before = holdings_now();
    for (size_t i = 0; i < repeats(100); i++)
        assert_int_equal(run_on(1, call_many_at_one_time, NULL), 0);
    assert_no_more_is_held(&before);
}

/* --- none can be had --- */

static int never(void *arg)
{
    (void)arg;
    RV_CHECK(!"this ran");
    return 0;
}

static int call_without_memory(void *arg)
{
    (void)arg;
    rvi_alloc_fail_after(1);
    int r = call(never, NULL);
    rvi_alloc_fail_after(-1);
    RV_CHECK(r == -EAGAIN && count_here() == 0);
    return 0;
}

static void without_memory_for_the_first_the_call_is_refused(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, call_without_memory, NULL), 0);
}

static int wait_behind_another(void *arg)
{
    flag f = false;
    _Atomic(uint64_t) count = 0;
    int err;
    (void)arg;
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, call_until_flag, &f) == 0);
        while (count_here() == 0 || count_idle() != 0 || count_calls() != 0)
            rv_yield();
        rvi_alloc_fail_after(1);
        RV_CHECK(rv_go(s, raise_it, &f) == 0);
        RV_CHECK(call(add_one, &count) == 7);
        rvi_alloc_fail_after(-1);
    }
    RV_CHECK(err == 0 && count == 1);
    return 0;
}

static void without_memory_for_another_the_call_waits_for_the_first(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, wait_behind_another, NULL), 0);
}

static int call_without_threads(void *arg)
{
    (void)arg;
    allow_threads(1);
    RV_CHECK(call(never, NULL) == -EAGAIN && count_here() == 0);
    return 0;
}

static void run_without_threads(void *arg)
{
    (void)arg;
    RV_CHECK(run_on(1, call_without_threads, NULL) == 0);
}

static void without_a_thread_the_call_is_refused(void **state)
{
    (void)state;
    if (!can_forbid_threads())
        skip();
    struct ending ending = run_child(run_without_threads, NULL);
    assert_string_equal(ending.text, "");
    assert_int_equal(ending.status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_runs_on_another_thread_and_returns_its_result),
        cmocka_unit_test(its_worker_goes_on_meanwhile),
        cmocka_unit_test(cancelling_does_not_end_a_call_that_runs),
        cmocka_unit_test(a_plain_thread_may_call_too),
        cmocka_unit_test(every_call_has_a_thread_of_its_own),
        cmocka_unit_test(one_that_is_idle_takes_the_next_call),
        cmocka_unit_test(no_call_is_lost),
        cmocka_unit_test(the_idle_leave_and_others_come),
        cmocka_unit_test(no_call_is_lost_on_one_that_leaves),
        cmocka_unit_test(all_are_gone_after_the_end),
        cmocka_unit_test(without_memory_for_the_first_the_call_is_refused),
        cmocka_unit_test(without_memory_for_another_the_call_waits_for_the_first),
        cmocka_unit_test(without_a_thread_the_call_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
