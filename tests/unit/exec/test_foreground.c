/* SPDX-License-Identifier: MIT */
/* test_foreground.c - what is posted runs in front, once and in order; what works behind can be
 * cancelled and waited for; and who holds the foreground is named. */
#include <errno.h>
#include <poll.h>

#include "../../support/crowd.h"
#include "../sched/sched_test.h"

enum { TASKS = 4, POSTS = 200 };

static const struct rv_run_opts two_workers = {.size = sizeof two_workers, .workers = 2};

static rv_fg *open_fg(struct rv_fg_opts opts)
{
    rv_fg *fg;

    opts.size = sizeof opts;
    opts.run = &two_workers;
    assert_int_equal(rv_fg_open(&fg, &opts), 0);
    return fg;
}

static bool is_readable(rv_fg *fg)
{
    struct pollfd in = {.fd = rv_fg_fd(fg), .events = POLLIN};

    return poll(&in, 1, 0) == 1;
}

/* As an interface's loop does. */
static void loop_until(rv_fg *fg, flag *is_over)
{
    struct pollfd in = {.fd = rv_fg_fd(fg), .events = POLLIN};

    while (!is_raised(is_over)) {
        assert_true(poll(&in, 1, -1) == 1 || errno == EINTR);
        assert_true(rv_fg_dispatch(fg, 0) >= 0);
    }
}

static struct rv_fg_stats stats_of(rv_fg *fg)
{
    struct rv_fg_stats stats = {.size = sizeof stats};

    RV_CHECK(rv_fg_stats_read(fg, &stats) == 0);
    return stats;
}

static void go_behind(rv_fg *fg, rv_fn *fn, void *arg)
{
    assert_true(rv_fg_go(fg, fn, arg) > 0);
}

/* --- posting --- */

static struct {
    rv_fg *fg;
    pthread_t foreground;
    size_t seen[TASKS], tasks_seen;
    flag is_over;
} on;

static void begin(struct rv_fg_opts opts)
{
    memset(&on, 0, sizeof on);
    on.foreground = pthread_self();
    on.fg = open_fg(opts);
}

static void see_post(void *arg)
{
    size_t task = (size_t)(uintptr_t)arg / POSTS, post = (size_t)(uintptr_t)arg % POSTS;

    RV_CHECK(pthread_equal(pthread_self(), on.foreground));
    RV_CHECK(on.seen[task]++ == post);
    if (post == POSTS - 1 && ++on.tasks_seen == TASKS)
        raise_flag(&on.is_over);
}

static int post_many(void *arg)
{
    size_t first = (size_t)(uintptr_t)arg * POSTS;
    int r = 0;

    for (size_t i = 0; r == 0 && i < POSTS; i++)
        r = rv_fg_post(on.fg, see_post, (void *)(first + i), RV_NEVER);
    return r;
}

static void check_posts(size_t capacity)
{
    begin((struct rv_fg_opts){.capacity = capacity});
    for (size_t i = 0; i < TASKS; i++)
        go_behind(on.fg, post_many, (void *)i);
    loop_until(on.fg, &on.is_over);
    assert_int_equal(stats_of(on.fg).run, TASKS * POSTS);
    assert_int_equal(rv_fg_close(on.fg), 0);
}

static void posts_run_in_the_foreground_in_the_order_of_each_task(void **state)
{
    (void)state;
    check_posts(0);
}

static void posters_wait_for_room_in_a_short_queue(void **state)
{
    (void)state;
    check_posts(1);
}

static void count_it(void *arg)
{
    ++*(int *)arg;
}

static void a_full_queue_never_holds_up_the_foreground_itself(void **state)
{
    (void)state;
    int count = 0;
    rv_fg *fg = open_fg((struct rv_fg_opts){.capacity = 2});
    for (int i = 0; i < 2; i++)
        assert_int_equal(rv_fg_post(fg, count_it, &count, RV_NEVER), 0);
    assert_int_equal(rv_fg_post(fg, count_it, &count, RV_NEVER), -EAGAIN);
    assert_int_equal(stats_of(fg).waiting, 2);
    assert_int_equal(rv_fg_dispatch(fg, RV_MINUTE), 2);
    assert_int_equal(rv_fg_post(fg, count_it, &count, RV_NEVER), 0);
    assert_int_equal(rv_fg_close(fg), 0); /* which runs it */
    assert_int_equal(count, 3);
}

static int post_beyond_the_bound(void *arg)
{
    static int count;
    rv_scope *s = open_scope(NULL);

    RV_CHECK(rv_fg_post(on.fg, count_it, &count, RV_NEVER) == 0);
    RV_CHECK(rv_fg_post(on.fg, count_it, &count, rv_after(RV_MILLISECOND)) == -ETIME);
    rv_scope_cancel(s, -EINTR);
    RV_CHECK(rv_fg_post(on.fg, count_it, &count, RV_NEVER) == -ECANCELED);
    RV_CHECK(rv_scope_close(s) == -EINTR && count == 0);
    raise_flag(arg);
    return 0;
}

static void who_waits_for_room_can_give_up(void **state)
{
    (void)state;
    flag gave_up = false;
    begin((struct rv_fg_opts){.capacity = 1});
    go_behind(on.fg, post_beyond_the_bound, &gave_up);
    hold_until(&gave_up);
    assert_int_equal(rv_fg_dispatch(on.fg, RV_MINUTE), 1);
    assert_int_equal(rv_fg_close(on.fg), 0);
}

/* --- dispatching --- */

static void a_budget_ends_dispatching_after_one_function_at_least(void **state)
{
    (void)state;
    int count = 0;
    rv_fg *fg = open_fg((struct rv_fg_opts){.capacity = 0});
    assert_false(is_readable(fg));
    assert_int_equal(rv_fg_dispatch(fg, 0), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(rv_fg_post(fg, count_it, &count, RV_NEVER), 0);
    for (int left = 3; left > 0; left--) {
        assert_true(is_readable(fg));
        assert_int_equal(rv_fg_dispatch(fg, 1), 1);
    }
    assert_int_equal(count, 3);
    assert_false(is_readable(fg));
    assert_int_equal(rv_fg_close(fg), 0);
}

static void dispatch_inside(void *fg)
{
    RV_CHECK(rv_fg_close(fg) == -EPERM);
    RV_CHECK(rv_fg_dispatch(fg, RV_MINUTE) == 1);
    RV_CHECK(rv_fg_dispatch(fg, RV_MINUTE) == 0);
}

static void a_function_may_dispatch_itself(void **state)
{
    (void)state;
    int count = 0;
    rv_fg *fg = open_fg((struct rv_fg_opts){.capacity = 0});
    assert_int_equal(rv_fg_post(fg, dispatch_inside, fg, RV_NEVER), 0);
    assert_int_equal(rv_fg_post(fg, count_it, &count, RV_NEVER), 0);
    assert_int_equal(rv_fg_dispatch(fg, RV_MINUTE), 1);
    assert_int_equal(count, 1);
    assert_int_equal(rv_fg_close(fg), 0);
}

/* --- calls --- */

static int add_one(void *arg)
{
    RV_CHECK(pthread_equal(pthread_self(), on.foreground));
    return ++*(int *)arg;
}

static void end_loop(void *is_over)
{
    raise_flag(is_over);
}

static int call_in_all_ways(void *arg)
{
    int count = 0, result = -1;
    rv_scope *s = open_scope(NULL);

    RV_CHECK(rv_fg_call(on.fg, add_one, &count, &result, RV_NEVER) == 0);
    RV_CHECK(result == 1 && count == 1);
    RV_CHECK(rv_fg_call(on.fg, add_one, &count, NULL, rv_after(RV_MINUTE)) == 0 && count == 2);
    rv_scope_cancel(s, -EINTR);
    RV_CHECK(rv_fg_call(on.fg, add_one, &count, &result, RV_NEVER) == -ECANCELED);
    RV_CHECK(rv_scope_close(s) == -EINTR && count == 2 && result == 1);
    return rv_fg_post(on.fg, end_loop, arg, RV_NEVER);
}

static void a_call_returns_what_the_foreground_says(void **state)
{
    (void)state;
    int count = 0, result = 0;
    begin((struct rv_fg_opts){.capacity = 0});
    go_behind(on.fg, call_in_all_ways, &on.is_over);
    loop_until(on.fg, &on.is_over);
    assert_int_equal(rv_fg_call(on.fg, add_one, &count, &result, RV_NEVER), 0); /* in front */
    assert_int_equal(result, 1);
    assert_int_equal(rv_fg_close(on.fg), 0);
}

static int call_in_vain(void *arg)
{
    int count = 0, result = 7;

    RV_CHECK(rv_fg_call(on.fg, add_one, &count, &result, rv_after(RV_MILLISECOND)) == -ETIME);
    RV_CHECK(count == 0 && result == 7);
    raise_flag(arg);
    return 0;
}

static void a_call_that_is_given_up_never_runs(void **state)
{
    (void)state;
    begin((struct rv_fg_opts){.capacity = 0});
    go_behind(on.fg, call_in_vain, &on.is_over);
    hold_until(&on.is_over);
    assert_int_equal(rv_fg_dispatch(on.fg, 0), 0);
    assert_int_equal(rv_fg_close(on.fg), 0);
}

/* --- progress --- */

static struct {
    int calls;
    struct rv_fg_latest latest;
} shown;

static void show(void *arg, const struct rv_fg_latest *latest)
{
    RV_CHECK(arg == &shown);
    shown.calls++;
    shown.latest = *latest;
}

static int report_progress(void *arg)
{
    char text[300];

    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    for (uint64_t i = 1; i <= 1000; i++)
        rv_fg_progress(on.fg, i, 1000, i < 1000 ? "on the way" : text);
    raise_flag(arg);
    return 0;
}

static void of_much_progress_the_latest_is_shown_once(void **state)
{
    (void)state;
    shown.calls = 0;
    begin((struct rv_fg_opts){.progress = show, .arg = &shown});
    go_behind(on.fg, report_progress, &on.is_over);
    hold_until(&on.is_over);
    assert_true(is_readable(on.fg));
    assert_int_equal(rv_fg_dispatch(on.fg, 0), 0);
    assert_int_equal(shown.calls, 1);
    assert_int_equal(shown.latest.done, 1000);
    assert_int_equal(shown.latest.total, 1000);
    assert_int_equal(strlen(shown.latest.text), sizeof shown.latest.text - 1);
    assert_int_equal(rv_fg_dispatch(on.fg, 0), 0);
    assert_int_equal(shown.calls, 1);
    rv_fg_progress(on.fg, 3, 0, NULL);
    assert_int_equal(rv_fg_dispatch(on.fg, 0), 0);
    assert_int_equal(shown.calls, 2);
    assert_string_equal(shown.latest.text, "");
    assert_int_equal(rv_fg_close(on.fg), 0);
}

/* --- tasks --- */

static int wait_to_be_cancelled(void *arg)
{
    RV_CHECK(rv_sleep_until(RV_NEVER) == -ECANCELED);
    raise_flag(arg);
    return -EIO;
}

static int break_down(void *arg)
{
    (void)arg;
    return -EPROTO;
}

static void a_task_can_be_cancelled_by_its_number(void **state)
{
    (void)state;
    flag one = false, two = false;
    rv_fg *fg = open_fg((struct rv_fg_opts){.capacity = 0});
    int64_t first = rv_fg_go(fg, wait_to_be_cancelled, &one);
    int64_t second = rv_fg_go(fg, wait_to_be_cancelled, &two);
    assert_true(first > 0 && second > 0 && first != second);
    assert_int_equal(rv_fg_cancel(fg, first), 0);
    hold_until(&one);
    while (stats_of(fg).tasks > 1)
        rvi_thread_yield();
    assert_int_equal(rv_fg_cancel(fg, first), -ESRCH);
    assert_false(is_raised(&two));
    assert_int_equal(rv_fg_close(fg), 0); /* what a cancelled task returns is no failure */
    assert_true(is_raised(&two));
}

static void closing_tells_the_first_failure(void **state)
{
    (void)state;
    rv_fg *fg = open_fg((struct rv_fg_opts){.capacity = 0});
    go_behind(fg, break_down, NULL);
    while (stats_of(fg).tasks > 0)
        rvi_thread_yield();
    assert_int_equal(rv_fg_close(fg), -EPROTO);
}

/* What a task does on its way out is served. */
static int clean_up(void *arg)
{
    int asked = 0, result = 0;

    RV_CHECK(rv_sleep_until(RV_NEVER) == -ECANCELED);
    RV_CHECK(rv_shield_begin(rv_after(RV_MINUTE)) == 0);
    RV_CHECK(rv_fg_call(on.fg, add_one, &asked, &result, RV_NEVER) == 0 && result == 1);
    for (int i = 0; i < 10; i++) /* of which one may wait */
        RV_CHECK(rv_fg_post(on.fg, count_it, arg, RV_NEVER) == 0);
    rv_shield_end();
    return 0;
}

static void closing_serves_those_that_clean_up(void **state)
{
    (void)state;
    int count = 0;
    begin((struct rv_fg_opts){.capacity = 1});
    go_behind(on.fg, clean_up, &count);
    assert_int_equal(rv_fg_close(on.fg), 0);
    assert_int_equal(count, 10);
}

/* --- misuse, and lack of things --- */

static int open_in_task(void *arg)
{
    rv_fg *fg;

    (void)arg;
    return rv_fg_open(&fg, NULL);
}

static void *dispatch_elsewhere(void *fg)
{
    RV_CHECK(rv_fg_dispatch(fg, 0) == -EPERM && rv_fg_close(fg) == -EPERM);
    return NULL;
}

static void only_the_foreground_dispatches_and_closes(void **state)
{
    (void)state;
    pthread_t thread;
    rv_fg *fg = open_fg((struct rv_fg_opts){.capacity = 0});
    assert_int_equal(pthread_create(&thread, NULL, dispatch_elsewhere, fg), 0);
    pthread_join(thread, NULL);
    assert_int_equal(rv_fg_close(fg), 0);
    assert_int_equal(rv_fg_close(NULL), 0);
    assert_int_equal(run_on(1, open_in_task, NULL), -EBUSY);
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    const struct rv_run_opts too_many = {.size = sizeof too_many, .workers = 5000};
    struct rv_fg_opts opts = {.size = sizeof opts, .budget_ns = -1};
    rv_fg *fg;
    assert_int_equal(rv_fg_open(&fg, &opts), -EINVAL);
    opts = (struct rv_fg_opts){.size = sizeof opts, .capacity = SIZE_MAX / 16};
    assert_int_equal(rv_fg_open(&fg, &opts), -EOVERFLOW);
    opts = (struct rv_fg_opts){.size = sizeof opts, .run = &too_many};
    assert_int_equal(rv_fg_open(&fg, &opts), -EINVAL); /* the runtime's */
    struct rv_fg_stats old = {.size = 8};
    fg = open_fg((struct rv_fg_opts){.no_watch = 1});
    assert_int_equal(rv_fg_stats_read(fg, &old), -EINVAL);
    assert_int_equal(rv_fg_close(fg), 0);
}

static int use_once(void)
{
    struct rv_fg_opts opts = {.size = sizeof opts, .run = &two_workers};
    rv_fg *fg;
    int r = rv_fg_open(&fg, &opts);

    if (r < 0)
        return r;
    int64_t number = rv_fg_go(fg, do_nothing, NULL);
    int closed = rv_fg_close(fg);
    return number < 0 ? (int)number : closed;
}

static void without_memory_all_is_undone(void **state)
{
    (void)state;
    assert_int_equal(use_once(), 0);
    long before = rvi_alloc_live();
    bool all_tried = false;
    for (long n = 1; !all_tried; n++) {
        rvi_alloc_fail_after(n);
        int r = use_once();
        all_tried = rvi_alloc_fail_pending();
        rvi_alloc_fail_after(-1);
        assert_true(r == 0 || (!all_tried && (r == -ENOMEM || r == -EAGAIN)));
        assert_int_equal(rvi_alloc_live(), before);
    }
}

static void open_without_descriptors(void *arg)
{
    const struct rlimit none = {0, 0};
    (void)arg;
    RV_CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    RV_CHECK(use_once() == -EMFILE);
}

static void without_descriptors_it_does_not_open(void **state)
{
    (void)state;
    if (is_under_a_tool())
        skip(); /* which need some */
    struct ending ending = run_child(open_without_descriptors, NULL);
    if (ending.status != 0)
        fail_msg("%s", ending.text);
}

/* --- the watch --- */

/* A busy machine may hold the foreground anywhere, and that may be what is reported: so it is held
 * on purpose until a report says so. */
static struct {
    rv_fg *fg;
    const char *expected; /* in a report, besides who holds it */
    _Atomic(int) reports;
    flag is_told;
    char text[4000]; /* once it is told */
} watched;

static void note_report(void *arg, const char *report)
{
    (void)arg;
    rvi_fetch_add_relaxed(&watched.reports, 1);
    if (is_raised(&watched.is_told) || !strstr(report, watched.expected) ||
        !strstr(report, "hold_the_foreground"))
        return;
    snprintf(watched.text, sizeof watched.text, "%s", report);
    raise_flag(&watched.is_told);
}

static void open_watched(const char *expected)
{
    memset(&watched, 0, sizeof watched);
    watched.expected = expected;
    watched.fg = open_fg((struct rv_fg_opts){.budget_ns = 2 * RV_MILLISECOND, .held = note_report});
}

/* Until the watch has seen more holds than before anything was due. */
static __attribute__((noinline)) void hold_the_foreground(void *before)
{
    while (stats_of(watched.fg).held == *(uint64_t *)before)
        rvi_thread_yield();
}

static void post_hold(void)
{
    uint64_t before = stats_of(watched.fg).held;

    assert_int_equal(rv_fg_post(watched.fg, hold_the_foreground, &before, RV_NEVER), 0);
    assert_int_equal(rv_fg_dispatch(watched.fg, RV_MINUTE), 1);
}

static void who_holds_the_foreground_is_reported_at_most_once_a_second(void **state)
{
    (void)state;
    if (RVI_TSAN)
        skip(); /* signals are late */
    rv_time begin = rv_now();
    open_watched("by a function that it runs; its budget is 2 ms");
    for (int i = 0; i < 10 || !is_raised(&watched.is_told); i++)
        post_hold();
    assert_true(stats_of(watched.fg).held >= 10); /* more on a machine that is busy */
    assert_int_equal(rv_fg_close(watched.fg), 0);
    assert_in_range(rvi_load_relaxed(&watched.reports), 1, 1 + (rv_now() - begin) / RV_SECOND);
    assert_non_null(strstr(watched.text, "rv_fg_go()"));
}

/* Something is due, and the interface is busy with itself. */
static void an_interface_that_does_not_come_to_dispatch_is_reported(void **state)
{
    (void)state;
    int count = 0;
    if (RVI_TSAN)
        skip();
    open_watched("by something else than what is due");
    while (!is_raised(&watched.is_told)) {
        uint64_t before = stats_of(watched.fg).held;
        assert_int_equal(rv_fg_post(watched.fg, count_it, &count, RV_NEVER), 0);
        hold_the_foreground(&before);
        assert_int_equal(rv_fg_dispatch(watched.fg, RV_MINUTE), 1);
    }
    assert_int_equal(rv_fg_close(watched.fg), 0);
}

static void who_has_nothing_to_do_is_not_reported(void **state)
{
    (void)state;
    open_watched("");
    usleep(50000); /* far longer than the budget; then long enough for the watch to sleep */
    assert_int_equal(stats_of(watched.fg).held, 0);
    usleep(50000);
    if (!RVI_TSAN)
        post_hold(); /* which calls it */
    assert_int_equal(rv_fg_close(watched.fg), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posts_run_in_the_foreground_in_the_order_of_each_task),
        cmocka_unit_test(posters_wait_for_room_in_a_short_queue),
        cmocka_unit_test(a_full_queue_never_holds_up_the_foreground_itself),
        cmocka_unit_test(who_waits_for_room_can_give_up),
        cmocka_unit_test(a_budget_ends_dispatching_after_one_function_at_least),
        cmocka_unit_test(a_function_may_dispatch_itself),
        cmocka_unit_test(a_call_returns_what_the_foreground_says),
        cmocka_unit_test(a_call_that_is_given_up_never_runs),
        cmocka_unit_test(of_much_progress_the_latest_is_shown_once),
        cmocka_unit_test(a_task_can_be_cancelled_by_its_number),
        cmocka_unit_test(closing_tells_the_first_failure),
        cmocka_unit_test(closing_serves_those_that_clean_up),
        cmocka_unit_test(only_the_foreground_dispatches_and_closes),
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(without_memory_all_is_undone),
        cmocka_unit_test(without_descriptors_it_does_not_open),
        cmocka_unit_test(who_holds_the_foreground_is_reported_at_most_once_a_second),
        cmocka_unit_test(an_interface_that_does_not_come_to_dispatch_is_reported),
        cmocka_unit_test(who_has_nothing_to_do_is_not_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
