/* SPDX-License-Identifier: MIT */
/* test_once.c - what is done once, on every stage of stage.h. */
#include <ravel/once.h>

#include <errno.h>

#include "stage.h"

enum { PARTIES = 6 };

/* A function that is to be run once. It says that it has begun, and ends when it may. */
struct work {
    struct rv_once once;
    struct rv_event may_end;
    _Atomic(int) runs;
    int failures_left;
    long written; /* by the run that succeeds */
};

static void set_up(struct work *work, int failures)
{
    memset(work, 0, sizeof(*work));
    work->failures_left = failures;
}

static int do_work(void *arg)
{
    struct work *work = arg;
    rvi_fetch_add_relaxed(&work->runs, 1);
    int r = rv_event_wait(&work->may_end, RV_NEVER);
    if (r < 0)
        return r;
    if (work->failures_left-- > 0)
        return -EIO;
    work->written = 42;
    return 7;
}

static int need_it(void *arg)
{
    struct work *work = arg;
    RV_CHECK(rv_once_do(&work->once, do_work, work, RV_NEVER) == 0);
    RV_CHECK(work->written == 42);
    return 0;
}

static void until_running(struct work *work, int runs)
{
    while (rvi_load_relaxed(&work->runs) < runs)
        rv_yield();
}

static void one_runs_it_and_the_others_wait(void)
{
    struct work work;
    set_up(&work, 0);
    for (int i = 0; i < PARTIES; i++)
        start(need_it, &work);
    until_running(&work, 1);
    until_waiting(&work.once, PARTIES - 1);
    rv_event_set(&work.may_end);
    finish();
    RV_CHECK(rvi_load_relaxed(&work.runs) == 1);
    RV_CHECK(rv_once_do(&work.once, do_work, &work, 0) == 0);
    RV_CHECK(rvi_load_relaxed(&work.runs) == 1);
}

static int need_it_and_tell(void *arg)
{
    struct work *work = arg;
    int r = rv_once_do(&work->once, do_work, work, RV_NEVER);
    RV_CHECK(r == 0 || r == -EIO);
    RV_CHECK(r < 0 || work->written == 42);
    return 0;
}

static void when_it_fails_the_next_tries(void)
{
    struct work work;
    set_up(&work, 2);
    rv_event_set(&work.may_end);
    RV_CHECK(rv_once_do(&work.once, do_work, &work, RV_NEVER) == -EIO);
    rv_event_reset(&work.may_end);
    for (int i = 0; i < PARTIES; i++)
        start(need_it_and_tell, &work);
    until_waiting(&work.once, PARTIES - 1);
    rv_event_set(&work.may_end);
    finish();
    RV_CHECK(rvi_load_relaxed(&work.runs) == 3);
}

struct waiter {
    struct work *work;
    rv_time deadline;
    _Atomic(int) *gone;
};

static int do_not_get_it(void *arg)
{
    struct waiter *self = arg;
    RV_CHECK(rv_once_do(&self->work->once, do_work, self->work, self->deadline) == -ETIME);
    RV_CHECK(rv_now() >= self->deadline);
    rvi_fetch_add_relaxed(self->gone, 1);
    return 0;
}

static void waiting_ends_at_the_deadline_and_not_before(void)
{
    struct work work;
    set_up(&work, 0);
    start(need_it, &work);
    until_running(&work, 1);
    _Atomic(int) gone = 0;
    struct waiter late = {&work, 0, &gone};
    struct waiter patient = {&work, rv_after(2 * RV_MILLISECOND), &gone};
    start(do_not_get_it, &late);
    start(do_not_get_it, &patient);
    RV_CHECK(rv_once_do(&work.once, do_work, &work, rv_after(RV_MILLISECOND)) == -ETIME);
    while (rvi_load_relaxed(&gone) < 2)
        rv_yield();
    until_waiting(&work.once, 0);
    rv_event_set(&work.may_end);
    finish();
    RV_CHECK(rvi_load_relaxed(&work.runs) == 1);
}

/* --- cancellation --- */

static int wait_cancelled(void *arg)
{
    struct work *work = arg;
    RV_CHECK(rv_once_do(&work->once, do_work, work, RV_NEVER) == -ECANCELED);
    return 0;
}

static void a_cancelled_waiter_leaves_and_a_cancelled_runner_fails(void)
{
    struct work work;
    set_up(&work, 0);
    RV_CHECK(rv_go(now_on.scope, wait_cancelled, &work) == 0);
    until_running(&work, 1);
    RV_CHECK(rv_go(now_on.scope, wait_cancelled, &work) == 0);
    until_waiting(&work.once, 1);
    rv_scope_cancel(now_on.scope, -EIO);
    RV_CHECK(rv_scope_close(now_on.scope) == -EIO);
    open_stage();
    rv_event_set(&work.may_end);
    RV_CHECK(rv_once_do(&work.once, do_work, &work, RV_NEVER) == 0);
}

static int find_it_done(void *arg)
{
    struct work *work = arg;
    rv_scope_cancel(now_on.scope, -EIO);
    RV_CHECK(rv_cancelled() == -EIO);
    RV_CHECK(rv_once_do(&work->once, do_work, work, RV_NEVER) == 0);
    return 0;
}

static void what_is_done_can_be_had_by_the_cancelled(void)
{
    struct work work;
    set_up(&work, 0);
    rv_event_set(&work.may_end);
    RV_CHECK(rv_once_do(&work.once, do_work, &work, RV_NEVER) == 0);
    RV_CHECK(rv_go(now_on.scope, find_it_done, &work) == 0);
    RV_CHECK(rv_scope_close(now_on.scope) == -EIO);
    open_stage();
}

/* --- misuse --- */

static int ask_again(void *arg)
{
    return rv_once_do(arg, ask_again, arg, RV_NEVER);
}

static void recurse(void)
{
    struct rv_once once = RV_ONCE_INIT;
    (void)!rv_once_do(&once, ask_again, &once, RV_NEVER);
}

static void recursion_stops_the_program(void **state)
{
    (void)state;
    assert_panics(THREADS, recurse, "rv_once_do: called again from the function that it runs");
    assert_panics(ONE_WORKER, recurse, "rv_once_do: called again from the function that it runs");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_STAGE(one_runs_it_and_the_others_wait),
        ON_EVERY_STAGE(when_it_fails_the_next_tries),
        ON_EVERY_STAGE(waiting_ends_at_the_deadline_and_not_before),
        ON_TASKS(a_cancelled_waiter_leaves_and_a_cancelled_runner_fails),
        ON_TASKS(what_is_done_can_be_had_by_the_cancelled),
        cmocka_unit_test(recursion_stops_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
