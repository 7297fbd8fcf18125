/* SPDX-License-Identifier: MIT */
/* test_run.c - entering and leaving the runtime: options, environment, several at a time,
 * statistics. */
#include <ravel/run.h>

#include <errno.h>
#include <stdio.h>

#include "../../support/crowd.h"
#include "../../support/under_tool.h"
#include "base/alloc.h"
#include "sched/sched.h"
#include "stage.h"
#include "sys/cpu.h"
#include "sys/stack.h"
#include "sys/topology.h"

enum { FEW = 8, MANY = 2000, ROUNDS = 200 };

static int return_it(void *arg)
{
    return *(const int *)arg;
}

static int run_with(struct rv_run_opts opts, rv_fn *entry, void *arg)
{
    opts.size = sizeof(opts);
    return rv_run(entry, arg, &opts);
}

/* --- the first task --- */

static void run_returns_what_the_first_task_returned(void **state)
{
    static int results[] = {0, 7, -EIO, -EINVAL, INT32_MIN, INT32_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
        assert_int_equal(rv_run(return_it, &results[i], NULL), results[i]);
        assert_int_equal(run_with((struct rv_run_opts){.workers = 1}, return_it, &results[i]),
                         results[i]);
    }
}

static int be_on_this_thread(void *arg)
{
    RV_CHECK(pthread_equal(*(pthread_t *)arg, pthread_self()));
    RV_CHECK(rv_task_worker() == 0);
    RV_CHECK(strcmp(rv_task_name(), "entry") == 0);
    return 0;
}

static void the_caller_is_the_first_worker(void **state)
{
    pthread_t self = pthread_self();
    (void)state;
    assert_int_equal(run_with((struct rv_run_opts){.workers = 3}, be_on_this_thread, &self), 0);
    assert_int_equal(rv_run_workers(), 0);
    assert_int_equal(rv_task_id(), 0);
}

static int return_workers(void *arg)
{
    (void)arg;
    return (int)rv_run_workers();
}

static int run_another(void *arg)
{
    RV_CHECK(rv_run(return_workers, arg, NULL) == -EBUSY);
    RV_CHECK(rv_run_workers() > 0);
    return 0;
}

static void a_task_cannot_run_another(void **state)
{
    (void)state;
    assert_int_equal(rv_run(run_another, NULL, NULL), 0);
}

/* --- options --- */

static void workers_are_as_many_as_asked_for(void **state)
{
    (void)state;
    unsetenv("RAVEL_WORKERS");
    assert_int_equal(rv_run(return_workers, NULL, NULL), rvi_usable_cores());
    for (unsigned workers = 1; workers <= 5; workers++)
        assert_int_equal(run_with((struct rv_run_opts){.workers = workers}, return_workers, NULL),
                         workers);
}

static int fill_stack(void *arg)
{
    volatile char frame[256 << 10];
    for (size_t i = 0; i < sizeof(frame); i += 512)
        frame[i] = 1;
    (void)arg;
    return frame[512] - 1;
}

static void stacks_are_as_large_as_asked_for(void **state)
{
    (void)state;
    assert_int_equal(run_with((struct rv_run_opts){.stack_bytes = 512 << 10}, fill_stack, NULL), 0);
    setenv("RAVEL_STACK", "524288", 1);
    assert_int_equal(rv_run(fill_stack, NULL, NULL), 0);
    unsetenv("RAVEL_STACK");
}

/* What fn writes to standard error; at most a pipe's fill. */
static int said(char *text, size_t size, rv_fn *fn, void *arg)
{
    int ends[2], before = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    int r = fn(arg);
    fflush(stderr);
    dup2(before, STDERR_FILENO);
    close(before);
    ssize_t length = read(ends[0], text, size - 1);
    close(ends[0]);
    text[length < 0 ? 0 : length] = '\0';
    return r;
}

static int run_opts(void *arg)
{
    return rv_run(do_nothing, NULL, arg);
}

static void assert_refused(struct rv_run_opts opts, const char *message)
{
    char text[500];
    opts.size = sizeof(opts);
    assert_int_equal(said(text, sizeof(text), run_opts, &opts), -EINVAL);
    assert_string_equal(text, message);
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    assert_refused((struct rv_run_opts){.workers = 1025},
                   "ravel: workers=1025: give a whole number from 1 to 1024\n");
    assert_refused((struct rv_run_opts){.workers = UINT32_MAX},
                   "ravel: workers=4294967295: give a whole number from 1 to 1024\n");
    assert_refused((struct rv_run_opts){.stack_bytes = 16383},
                   "ravel: stack_bytes=16383: give a whole number from 16384 to 1073741824\n");
    assert_refused((struct rv_run_opts){.stack_bytes = ((size_t)1 << 30) + 1},
                   "ravel: stack_bytes=1073741825: give a whole number from 16384 to 1073741824\n");
    assert_refused((struct rv_run_opts){.stall_ns = -1}, /* regress: this one was silent */
                   "ravel: stall_ns=-1: give a whole number from 0 to 9223372036854775807\n");
}

static void options_of_any_age_are_read_or_refused(void **state)
{
    struct {
        struct rv_run_opts known;
        int newer;
    } opts = {.known = {.size = sizeof(opts), .workers = 2}};
    (void)state;
    assert_int_equal(rv_run(return_workers, NULL, &opts.known), 2);
    opts.newer = 1;
    assert_int_equal(rv_run(return_workers, NULL, &opts.known), -E2BIG);
    opts.known.size = 0;
    assert_int_equal(rv_run(return_workers, NULL, &opts.known), 2);
    opts.known.size = offsetof(struct rv_run_opts, stack_bytes);
    opts.known.stack_bytes = 1;
    assert_int_equal(rv_run(return_workers, NULL, &opts.known), 2);
}

/* --- the environment --- */

static void the_environment_sets_what_the_program_leaves(void **state)
{
    (void)state;
    setenv("RAVEL_WORKERS", "3", 1);
    assert_int_equal(rv_run(return_workers, NULL, NULL), 3);
    assert_int_equal(run_with((struct rv_run_opts){.workers = 2}, return_workers, NULL), 2);
    setenv("RAVEL_WORKERS", "", 1);
    assert_int_equal(rv_run(return_workers, NULL, NULL), rvi_usable_cores());
    setenv("RAVEL_WORKERS", "nonsense", 1); /* which nobody asks for here */
    assert_int_equal(run_with((struct rv_run_opts){.workers = 2}, return_workers, NULL), 2);
    unsetenv("RAVEL_WORKERS");
}

static void assert_variable_refused(const char *name, const char *value, const char *range)
{
    struct rv_run_opts opts = {.size = sizeof(opts)};
    char text[500], message[500];
    setenv(name, value, 1);
    assert_int_equal(said(text, sizeof(text), run_opts, &opts), -EINVAL);
    snprintf(message, sizeof(message), "ravel: %s=%s: give a whole number from %s\n", name, value,
             range);
    assert_string_equal(text, message);
    unsetenv(name);
}

static void variables_that_are_no_numbers_are_refused(void **state)
{
    static const char *const nonsense[] = {
        "x", "1x", " 1", "1 ", "+1", "-1", "1.5", "0x1", "1e3", "\n1", "99999999999999999999999"};
    (void)state;
    for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
        assert_variable_refused("RAVEL_WORKERS", nonsense[i], "1 to 1024");
        assert_variable_refused("RAVEL_STACK", nonsense[i], "16384 to 1073741824");
        assert_variable_refused("RAVEL_STALL_MS", nonsense[i], "0 to 2147483647");
    }
    assert_variable_refused("RAVEL_WORKERS", "0", "1 to 1024");
    assert_variable_refused("RAVEL_WORKERS", "1025", "1 to 1024");
    assert_variable_refused("RAVEL_STACK", "16383", "16384 to 1073741824");
}

/* --- stalls --- */

static int return_stall_ms(void *arg)
{
    (void)arg;
    return (int)(rvi_sched_self()->monitor.stall_ns / RV_MILLISECOND);
}

static int watch_of(rv_time stall_ns)
{
    return run_with((struct rv_run_opts){.stall_ns = stall_ns}, return_stall_ms, NULL);
}

static void the_watch_is_on_by_itself_where_mistakes_are_looked_for(void **state)
{
    (void)state;
    unsetenv("RAVEL_STALL_MS");
    assert_int_equal(watch_of(0), RVI_DEBUG_CHECKS >= 1 ? 25 : 0);
    assert_int_equal(watch_of(RV_NEVER), 0);
    assert_int_equal(watch_of(RV_SECOND), 1000);
    setenv("RAVEL_STALL_MS", "7", 1);
    assert_int_equal(watch_of(0), 7);
    assert_int_equal(watch_of(RV_NEVER), 0);
    setenv("RAVEL_STALL_MS", "0", 1);
    assert_int_equal(watch_of(0), 0);
    assert_int_equal(watch_of(RV_SECOND), 1000);
}

static int stall_until_noticed(void *arg)
{
    struct rv_run_stats stats = {.size = sizeof(stats)};
    (void)arg;
    do
        RV_CHECK(rv_run_stats_read(&stats) == 0);
    while (stats.stalls == 0);
    rv_yield();
    return 0;
}

static int run_stalling(void *arg)
{
    return rv_run(stall_until_noticed, NULL, arg);
}

static int stall_unnoticed(void *arg)
{
    struct rv_run_stats stats = {.size = sizeof(stats)};
    rv_time until = rv_after(5 * RV_MILLISECOND);
    (void)arg;
    while (rv_now() < until)
        rvi_cpu_relax();
    RV_CHECK(rv_run_stats_read(&stats) == 0 && stats.stalls == 0);
    return 0;
}

static int run_unwatched(void *arg)
{
    return rv_run(stall_unnoticed, NULL, arg);
}

static void a_task_that_holds_its_worker_is_reported(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 2; workers++) {
        struct rv_run_opts opts = {.size = sizeof(opts), .workers = workers};
        char text[4000];
        opts.stall_ns = RV_MILLISECOND;
        assert_int_equal(said(text, sizeof(text), run_stalling, &opts), 0);
        assert_non_null(strstr(text, "ravel: worker 0 has been held for "));
        assert_non_null(strstr(text, " by task 'entry' ("));
        opts.stall_ns = 0;
        setenv("RAVEL_STALL_MS", "1", 1);
        assert_int_equal(said(text, sizeof(text), run_stalling, &opts), 0);
        assert_non_null(strstr(text, "ravel: worker 0 has been held for "));
        setenv("RAVEL_STALL_MS", "0", 1);
        assert_int_equal(said(text, sizeof(text), run_unwatched, &opts), 0);
        assert_string_equal(text, "");
    }
}

/* --- stacks run out --- */

static int outnumber_stacks(void *arg)
{
    int err;
    (void)arg;
    RV_SCOPE(scope, err) {
        for (int i = 0; i < MANY; i++)
            try_go(scope, sleep_for_ever, NULL);
    }
    RV_CHECK(err == -ENOMEM);
    RV_SCOPE(scope, err)
        go(scope, do_nothing, NULL);
    return err;
}

static void the_scope_hears_of_a_task_that_gets_no_stack(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 2; workers++) {
        struct rv_run_opts opts = {.workers = workers, .max_tasks = 300};
        assert_int_equal(run_with(opts, outnumber_stacks, NULL), 0);
    }
}

/* --- several runtimes --- */

static int work(void *arg)
{
    int err;
    RV_SCOPE(scope, err) {
        for (size_t i = 0; i < scaled(MANY, 100); i++)
            go(scope, do_nothing, arg);
        if (rv_run_workers() > 1)
            start_elsewhere(scope, do_nothing, arg);
    }
    return err;
}

static void *run_often(void *arg)
{
    for (int i = 0; i < FEW; i++)
        RV_CHECK(run_with((struct rv_run_opts){.workers = 1 + (unsigned)i % 3}, work, arg) == 0);
    return NULL;
}

static void runtimes_come_and_go(void **state)
{
    pthread_t threads[3];
    long before = rvi_alloc_live();
    (void)state;
    run_often(NULL);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_often, NULL), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(rvi_alloc_live(), before);
}

static int wait_for_event(void *arg)
{
    while (!rv_event_is_set(arg))
        rv_yield();
    return rv_event_wait(arg, RV_NEVER);
}

static int wait_asleep(void *arg)
{
    return rv_event_wait(arg, RV_NEVER);
}

static void *set_event(void *arg)
{
    rv_event_set(arg);
    return NULL;
}

/* regress: the thread was still busy with the worker it had woken when that was freed. */
static void a_thread_may_wake_the_last_task(void **state)
{
    (void)state;
    for (size_t i = 0; i < scaled(ROUNDS, 20); i++) {
        struct rv_event event = RV_EVENT_INIT;
        struct rv_run_opts opts = {.workers = 1 + i % 2};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, set_event, &event), 0);
        assert_int_equal(run_with(opts, i % 4 < 2 ? wait_for_event : wait_asleep, &event), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
}

/* --- statistics --- */

static int count_work(void *arg)
{
    struct rv_run_stats before = {.size = sizeof(before)}, after = before;
    int err;
    RV_CHECK(rv_run_stats_read(&before) == 0);
    RV_CHECK(before.size == sizeof(before) && before.spawned == 1 && before.finished == 0);
    RV_SCOPE(scope, err) {
        for (int i = 0; i < FEW; i++)
            go(scope, do_nothing, arg);
        if (rv_run_workers() > 1)
            start_elsewhere(scope, do_nothing, arg);
    }
    RV_CHECK(err == 0);
    RV_CHECK(rv_run_stats_read(&after) == 0);
    RV_CHECK(after.spawned == 1 + FEW + (rv_run_workers() > 1));
    RV_CHECK(after.finished == after.spawned - 1);
    RV_CHECK(after.switches > before.switches && after.stacks > 0 && after.stalls == 0);
    RV_CHECK(rv_run_workers() == 1 ? after.stolen == 0 : after.stolen > 0);
    after.size = sizeof(after) - 1;
    RV_CHECK(rv_run_stats_read(&after) == -EINVAL);
    struct {
        struct rv_run_stats known;
        uint64_t unknown;
    } newer = {{.size = sizeof(newer)}, 7};
    RV_CHECK(rv_run_stats_read(&newer.known) == 0 && newer.known.size == sizeof(newer));
    RV_CHECK(newer.known.spawned == after.spawned && newer.unknown == 0);
    return 0;
}

static void the_runtime_counts(void **state)
{
    struct rv_run_stats stats = {.size = sizeof(stats)};
    (void)state;
    assert_int_equal(rv_run_stats_read(&stats), -EPERM);
    for (unsigned workers = 1; workers <= 2; workers++)
        assert_int_equal(run_with((struct rv_run_opts){.workers = workers}, count_work, NULL), 0);
}

static void the_version_is_three_numbers(void **state)
{
    unsigned major, minor, patch;
    char rest;
    (void)state;
    assert_int_equal(sscanf(rv_version(), "%u.%u.%u%c", &major, &minor, &patch, &rest), 3);
}

/* --- memory --- */

static void without_memory_nothing_runs_and_nothing_is_left(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 2; workers++) {
        struct rv_run_opts opts = {.workers = workers, .stall_ns = RV_SECOND};
        long before = rvi_alloc_live();
        bool was_tried = false;
        for (long n = 1; !was_tried; n++) {
            rvi_alloc_fail_after(n);
            int r = run_with(opts, do_nothing, NULL);
            was_tried = rvi_alloc_fail_pending();
            rvi_alloc_fail_after(-1);
            assert_true(r == 0 || r == -ENOMEM);
            assert_true(!was_tried || (r == 0 && n > 5));
            assert_int_equal(rvi_alloc_live(), before);
        }
    }
}

/* Neither for stacks nor for threads. */
static void run_in_little_space(void)
{
    struct rlimit space;
    getrlimit(RLIMIT_AS, &space);
    for (rlim_t megabytes = 1; megabytes < 4096; megabytes += megabytes / 4 + 1) {
        space.rlim_cur = megabytes << 20;
        RV_CHECK(setrlimit(RLIMIT_AS, &space) == 0);
        int r = run_with((struct rv_run_opts){.workers = 4}, do_nothing, NULL);
        RV_CHECK(r == 0 || r == -ENOMEM || r == -EAGAIN);
    }
    rvi_panic("survived");
}

static void without_address_space_run_says_so(void **state)
{
    (void)state;
    if (is_under_a_tool())
        skip(); /* which needs address space of its own */
    assert_panics(THREADS, run_in_little_space, "survived");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_returns_what_the_first_task_returned),
        cmocka_unit_test(the_caller_is_the_first_worker),
        cmocka_unit_test(a_task_cannot_run_another),
        cmocka_unit_test(workers_are_as_many_as_asked_for),
        cmocka_unit_test(stacks_are_as_large_as_asked_for),
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(options_of_any_age_are_read_or_refused),
        cmocka_unit_test(the_environment_sets_what_the_program_leaves),
        cmocka_unit_test(variables_that_are_no_numbers_are_refused),
        cmocka_unit_test(the_watch_is_on_by_itself_where_mistakes_are_looked_for),
        cmocka_unit_test(a_task_that_holds_its_worker_is_reported),
        cmocka_unit_test(the_scope_hears_of_a_task_that_gets_no_stack),
        cmocka_unit_test(runtimes_come_and_go),
        cmocka_unit_test(a_thread_may_wake_the_last_task),
        cmocka_unit_test(the_runtime_counts),
        cmocka_unit_test(the_version_is_three_numbers),
        cmocka_unit_test(without_memory_nothing_runs_and_nothing_is_left),
        cmocka_unit_test(without_address_space_run_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
