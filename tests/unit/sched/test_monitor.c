/* SPDX-License-Identifier: MIT */
/* test_monitor.c - a lone task behind a busy worker is noticed; a task that holds its worker is
 * reported, once and by name, and nobody else is; and where there is nothing to notice the monitor
 * sleeps. */
#include "sched/monitor.h"

#include <errno.h>
#include <stdio.h>

#include "sched_test.h"

static struct rvi_monitor *monitor(void)
{
    return &rvi_sched_self()->monitor;
}

static bool is_asleep(void)
{
    return rvi_load_seq_cst(&monitor()->asleep) == 1; /* pairs: monitor-asleep */
}

static void until_it_sleeps(void)
{
    while (!is_asleep())
        RV_CHECK(rv_sleep(RV_MILLISECOND) == 0);
}

/* --- lone tasks --- */

static int sleep_when_idle(void *arg)
{
    (void)arg;
    until_it_sleeps();
    RV_CHECK(rvi_load_seq_cst(&rvi_sched_self()->attention) >= 1); /* pairs: attention */
    return 0;
}

static void it_sleeps_when_there_is_nothing_to_notice(void **state)
{
    (void)state;
    assert_int_equal(run_on(2, sleep_when_idle, NULL), 0);
    assert_int_equal(run_on(4, sleep_when_idle, NULL), 0);
}

static void until_all_but_this_one_sleep(void)
{
    struct rvi_sched *sched = rvi_sched_self();
    /* The monitor and all workers but the caller's. */
    while (rvi_load_seq_cst(&sched->attention) < sched->worker_count) /* pairs: attention */
        rvi_thread_yield();
}

/* The caller holds its worker from the spawn until somebody else has run the task. */
static int leave_one_behind(void *arg)
{
    bool all_asleep = *(bool *)arg;
    int err;
    for (size_t i = 0; i < repeats(20); i++) {
        flag f = false;
        RV_SCOPE(s, err) {
            if (all_asleep) {
                until_it_sleeps();
                until_all_but_this_one_sleep();
            }
            RV_CHECK(rv_go(s, raise_it, &f) == 0);
            hold_until(&f);
        }
        RV_CHECK(err == 0);
    }
    RV_CHECK(stats_now().stolen == repeats(20));
    return 0;
}

static void a_lone_task_behind_a_busy_worker_is_rescued(void **state)
{
    (void)state;
    bool all_asleep = false;
    assert_int_equal(run_on(2, leave_one_behind, &all_asleep), 0);
    assert_int_equal(run_on(4, leave_one_behind, &all_asleep), 0);
}

static void a_lone_task_wakes_a_monitor_that_sleeps(void **state)
{
    (void)state;
    bool all_asleep = true;
    assert_int_equal(run_on(2, leave_one_behind, &all_asleep), 0);
    assert_int_equal(run_on(3, leave_one_behind, &all_asleep), 0);
}

static int leave_one_and_hold(void *arg)
{
    flag *f = arg;
    int err;
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, raise_it, f) == 0);
        hold_until(f);
    }
    return err;
}

static int two_hold(void *arg)
{
    flag flags[2] = {false, false};
    int err;
    (void)arg;
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, leave_one_and_hold, &flags[0]) == 0);
        RV_CHECK(rv_go(s, leave_one_and_hold, &flags[1]) == 0);
        rv_yield();
    }
    return err;
}

static void lone_tasks_of_several_workers_are_rescued(void **state)
{
    (void)state;
    for (size_t i = 0; i < repeats(20); i++)
        assert_int_equal(run_on(4, two_hold, NULL), 0);
}

static int has_no_monitor(void *arg)
{
    (void)arg;
    RV_CHECK(!monitor()->is_running);
    return 0;
}

static void one_worker_without_a_stall_watch_needs_none(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, has_no_monitor, NULL), 0);
}

/* --- the stall watch: in a child, as it writes to standard error --- */

/* So long that the tasks which do not hold their workers are not held up so long by the machine. */
static rv_time stall_ns(void)
{
    return (is_under_a_tool() ? 100 : 20) * RV_MILLISECOND;
}

static int run_watched(unsigned workers, rv_time limit, rv_fn *fn)
{
    struct rv_run_opts opts = {.size = sizeof(opts), .workers = workers, .stall_ns = limit};
    return rv_run(fn, NULL, &opts);
}

static size_t count_in(const char *text, const char *what)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, what)); at++)
        count++;
    return count;
}

static void hold_until_reported(uint64_t reports)
{
    while (stats_now().stalls < reports)
        rvi_thread_yield();
}

static void hold_for(rv_time length)
{
    for (rv_time until = rv_after(length); rv_now() < until;)
        rvi_thread_yield();
}

static int miller(void *arg)
{
    (void)arg;
    hold_until_reported(1);   /* it may be already */
    hold_for(4 * stall_ns()); /* once is enough */
    return 0;
}

static const struct rv_site mill = {"mill.c", "start_miller", "miller", 12};

static int start_miller(void *arg)
{
    int err;
    (void)arg;
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go_at(s, miller, NULL, &mill) == 0);
    }
    return err;
}

static void watch_a_miller(void *workers)
{
    RV_CHECK(run_watched(*(unsigned *)workers, stall_ns(), start_miller) == 0);
}

/* A line about it, and its backtrace indented below. */
static void a_task_that_holds_its_worker_is_reported_once_by_name_and_place(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 2; workers++) {
        struct ending ending = run_child(watch_a_miller, &workers);
        assert_int_equal(ending.status, 0);
        assert_int_equal(count_in(ending.text, "by task 'miller' (mill.c:12)"), 1);
        assert_int_equal(count_in(ending.text, "\n"),
                         count_in(ending.text, "ravel: worker") + count_in(ending.text, "\n    "));
    }
}

static int hold_again_and_again(void *arg)
{
    (void)arg;
    for (uint64_t i = 1; i <= 3; i++) {
        hold_until_reported(i);
        rv_yield();
    }
    return 0;
}

static void watch_one_that_holds_again(void *arg)
{
    (void)arg;
    RV_CHECK(run_watched(1, stall_ns(), hold_again_and_again) == 0);
}

/* Many are told as one, a second long. */
static void each_time_that_it_holds_on_is_noticed(void **state)
{
    (void)state;
    rv_time before = rv_now();
    struct ending ending = run_child(watch_one_that_holds_again, NULL);
    rv_time seconds = (rv_now() - before) / RV_SECOND;
    assert_int_equal(ending.status, 0);
    assert_in_range(count_in(ending.text, "ravel: worker 0 has been held"), 1, 1 + seconds);
}

/* Long enough that no machine is that slow, and the whole test shorter. */
#define NEVER_SO_LONG (20 * RV_SECOND)

static int sleeper(void *arg)
{
    (void)arg;
    return rv_sleep(20 * RV_MILLISECOND);
}

static int yielder(void *arg)
{
    (void)arg;
    for (rv_time until = rv_after(20 * RV_MILLISECOND); rv_now() < until;)
        rv_yield();
    return 0;
}

static int everybody(void *arg)
{
    int err;
    (void)arg;
    RV_SCOPE(s, err) {
        for (int i = 0; i < 5; i++)
            RV_CHECK(rv_go(s, sleeper, NULL) == 0 && rv_go(s, yielder, NULL) == 0);
    }
    RV_CHECK(err == 0 && stats_now().stalls == 0);
    return 0;
}

static void watch_everybody(void *arg)
{
    (void)arg;
    RV_CHECK(run_watched(2, NEVER_SO_LONG, everybody) == 0);
}

static void who_blocks_or_yields_is_not_reported(void **state)
{
    (void)state;
    struct ending ending = run_child(watch_everybody, NULL);
    assert_int_equal(ending.status, 0);
    assert_string_equal(ending.text, "");
}

static int sleep_long(void *arg)
{
    (void)arg;
    RV_CHECK(rv_sleep(6 * stall_ns()) == 0);
    return 0;
}

static int watched_idler(void *arg)
{
    int err;
    (void)arg;
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, sleep_long, NULL) == 0);
        hold_until_reported(1);
    }
    return err;
}

static void watch_an_idler(void *arg)
{
    (void)arg;
    RV_CHECK(run_watched(2, stall_ns(), watched_idler) == 0);
}

/* The first task holds its worker while the other's worker sleeps just as long. */
static void a_worker_that_sleeps_is_not_reported(void **state)
{
    (void)state;
    struct ending ending = run_child(watch_an_idler, NULL);
    assert_int_equal(ending.status, 0);
    assert_int_equal(count_in(ending.text, "by task 'entry'"),
                     count_in(ending.text, "ravel: worker"));
}

static int hold_unwatched(void *arg)
{
    (void)arg;
    hold_for(20 * RV_MILLISECOND);
    RV_CHECK(stats_now().stalls == 0);
    return 0;
}

static void run_unwatched(void *arg)
{
    (void)arg;
    RV_CHECK(run_on(2, hold_unwatched, NULL) == 0);
}

static void nobody_is_watched_unasked(void **state)
{
    (void)state;
    struct ending ending = run_child(run_unwatched, NULL);
    assert_int_equal(ending.status, 0);
    assert_string_equal(ending.text, "");
}

/* --- lifetime --- */

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void it_ends_with_its_scheduler_at_any_moment(void **state)
{
    (void)state;
    struct holdings before = holdings_now();
    for (size_t i = 0; i < repeats(300); i++)
        assert_int_equal(run_watched(1 + (unsigned)i % 2, i % 3 ? RV_SECOND : 0, nothing), 0);
    assert_no_more_is_held(&before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_sleeps_when_there_is_nothing_to_notice),
        cmocka_unit_test(a_lone_task_behind_a_busy_worker_is_rescued),
        cmocka_unit_test(a_lone_task_wakes_a_monitor_that_sleeps),
        cmocka_unit_test(lone_tasks_of_several_workers_are_rescued),
        cmocka_unit_test(one_worker_without_a_stall_watch_needs_none),
        cmocka_unit_test(a_task_that_holds_its_worker_is_reported_once_by_name_and_place),
        cmocka_unit_test(each_time_that_it_holds_on_is_noticed),
        cmocka_unit_test(who_blocks_or_yields_is_not_reported),
        cmocka_unit_test(a_worker_that_sleeps_is_not_reported),
        cmocka_unit_test(nobody_is_watched_unasked),
        cmocka_unit_test(it_ends_with_its_scheduler_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
