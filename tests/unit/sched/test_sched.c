/* SPDX-License-Identifier: MIT */
/* test_sched.c - schedulers open, run and close: again and again, beside each other, without
 * memory, without threads, without stacks; and a stack that overflows is named. */
#include "sched/sched.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "sched_test.h"

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int give_back(void *arg)
{
    return *(int *)arg;
}

/* --- the first task --- */

static void what_the_first_task_returns_is_returned(void **state)
{
    (void)state;
    int results[] = {0, 1, INT_MAX, -1, -EIO, INT_MIN};
    for (unsigned workers = 1; workers <= 4; workers++) {
        for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++)
            assert_int_equal(run_on(workers, give_back, &results[i]), results[i]);
    }
}

static int begin_here(void *arg)
{
    RV_CHECK(gettid() == *(pid_t *)arg);
    RV_CHECK(rv_task_worker() == 0);
    for (int i = 0; i < 100; i++)
        rv_yield();
    RV_CHECK(gettid() == *(pid_t *)arg);
    return 0;
}

static void the_first_task_runs_on_the_callers_thread(void **state)
{
    (void)state;
    pid_t self = gettid();
    for (size_t i = 0; i < repeats(100); i++)
        assert_int_equal(run_on(4, begin_here, &self), 0);
}

static int end_elsewhere(void *arg)
{
    RV_CHECK(rv_migrate(rv_run_workers() - 1) == 0);
    return *(int *)arg;
}

static void the_first_task_may_end_on_another_worker(void **state)
{
    (void)state;
    int result = 42;
    pid_t self = gettid();
    for (size_t i = 0; i < repeats(200); i++) {
        assert_int_equal(run_on(1 + (unsigned)i % 4, end_elsewhere, &result), 42);
        assert_int_equal(gettid(), self);
    }
}

static int count_workers(void *arg)
{
    RV_CHECK(rv_run_workers() == *(unsigned *)arg);
    return 0;
}

static void there_are_as_many_workers_as_asked_for(void **state)
{
    (void)state;
    unsigned counts[] = {1, 2, 3, 16, 64};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(run_on(counts[i], count_workers, &counts[i]), 0);
    assert_int_equal(rv_run_workers(), 0);
}

/* --- one inside, after and beside another --- */

static int run_inside(void *arg)
{
    RV_CHECK(run_on(1, nothing, arg) == -EBUSY);
    RV_CHECK(rv_run(nothing, arg, NULL) == -EBUSY);
    return 3;
}

static int run_inside_of_a_child(void *arg)
{
    int err;
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, run_inside, arg) == 0);
    }
    return err;
}

static void none_runs_inside_another(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, run_inside, NULL), 3);
    assert_int_equal(run_on(2, run_inside_of_a_child, NULL), 0);
    assert_int_equal(run_on(1, nothing, NULL), 0);
}

static int make_children(void *arg)
{
    int err;
    (void)arg;
    RV_SCOPE(s, err) {
        for (int i = 0; i < 10; i++)
            RV_CHECK(rv_go(s, nothing, NULL) == 0);
    }
    return err;
}

static void run_in_a_row(unsigned workers, size_t times)
{
    struct holdings before;
    assert_int_equal(run_on(workers, make_children, NULL), 0);
    before = holdings_now();
    for (size_t i = 0; i < times; i++)
        assert_int_equal(run_on(workers, make_children, NULL), 0);
    assert_no_more_is_held(&before);
}

static void thousands_in_a_row_leave_nothing_behind(void **state)
{
    (void)state;
    run_in_a_row(1, repeats(3000));
    run_in_a_row(2, repeats(500));
    run_in_a_row(8, repeats(50));
}

struct start {
    pthread_t thread;
    unsigned workers;
    size_t times;
};

static void *run_often(void *arg)
{
    struct start *start = arg;
    for (size_t i = 0; i < start->times; i++)
        RV_CHECK(run_on(start->workers, make_children, NULL) == 0);
    return NULL;
}

static void several_run_at_one_time_in_plain_threads(void **state)
{
    (void)state;
    struct start starts[4];
    struct holdings before = holdings_now();
    for (unsigned i = 0; i < 4; i++) {
        starts[i] = (struct start){.workers = 1 + i % 3, .times = repeats(60)};
        assert_int_equal(pthread_create(&starts[i].thread, NULL, run_often, &starts[i]), 0);
    }
    for (size_t i = 0; i < 4; i++)
        pthread_join(starts[i].thread, NULL);
    assert_no_more_is_held(&before);
}

/* The very first ones of a process, too: they decide together how its fences work. */
static void run_the_first_two(void *arg)
{
    struct start starts[2];
    (void)arg;
    for (size_t i = 0; i < 2; i++) {
        starts[i] = (struct start){.workers = 2, .times = 2};
        RV_CHECK(pthread_create(&starts[i].thread, NULL, run_often, &starts[i]) == 0);
    }
    for (size_t i = 0; i < 2; i++)
        pthread_join(starts[i].thread, NULL);
}

static void the_first_two_may_open_at_one_time(void **state)
{
    (void)state;
    for (size_t i = 0; i < repeats(40); i++) {
        struct ending ending = run_child(run_the_first_two, NULL);
        assert_string_equal(ending.text, "");
        assert_int_equal(ending.status, 0);
    }
}

static int run_another(void *arg)
{
    RV_CHECK(rvi_task_self() == NULL);
    return run_on(2, make_children, arg);
}

static int block_on_another(void *arg)
{
    for (size_t i = 0; i < repeats(20); i++)
        RV_CHECK(rv_blocking(run_another, arg, NULL) == 0);
    return 0;
}

static void one_runs_in_a_blocking_call_of_another(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, block_on_another, NULL), 0);
}

/* --- what outlives a runtime --- */

static struct rv_sem old_sem;
static struct rv_mutex old_mutex;

static int use_old_objects(void *arg)
{
    (void)arg;
    RV_CHECK(rv_mutex_lock(&old_mutex, RV_NEVER) == 0);
    RV_CHECK(rv_sem_wait(&old_sem, RV_NEVER) == 0);
    rv_sem_post(&old_sem, 1);
    rv_mutex_unlock(&old_mutex);
    return 0;
}

static int use_old_objects_together(void *arg)
{
    int err;
    (void)arg;
    RV_SCOPE(s, err) {
        for (int i = 0; i < 10; i++)
            RV_CHECK(rv_go(s, use_old_objects, NULL) == 0);
    }
    return err;
}

/* The workers that own their locks' bias have long ended; others may have their addresses. */
static void objects_outlive_the_runtime_that_used_them_first(void **state)
{
    (void)state;
    for (size_t i = 0; i < repeats(100); i++) {
        rv_sem_init(&old_sem, 1);
        rv_mutex_init(&old_mutex);
        assert_int_equal(run_on(1, use_old_objects_together, NULL), 0);
        assert_int_equal(run_on(1 + (unsigned)i % 3, use_old_objects_together, NULL), 0);
        if (i % 2)
            use_old_objects(NULL);
        assert_int_equal(run_on(2, use_old_objects_together, NULL), 0);
    }
}

/* --- the thread gets its own life back --- */

static void the_callers_thread_is_as_it_was(void **state)
{
    (void)state;
    stack_t before, after;
    struct sigaction segv_before, segv_after;
    sigset_t mask_before, mask_after;

    assert_int_equal(prctl(PR_SET_TIMERSLACK, 123456, 0, 0, 0), 0);
    sigaltstack(NULL, &before);
    sigaction(SIGSEGV, NULL, &segv_before);
    sigemptyset(&mask_before);
    sigemptyset(&mask_after);
    pthread_sigmask(SIG_SETMASK, NULL, &mask_before);
    assert_int_equal(run_on(2, nothing, NULL), 0);
    pthread_sigmask(SIG_SETMASK, NULL, &mask_after);
    sigaltstack(NULL, &after);
    sigaction(SIGSEGV, NULL, &segv_after);

    assert_int_equal(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0), 123456);
    assert_int_equal(after.ss_flags, before.ss_flags);
    if (!(before.ss_flags & SS_DISABLE))
        assert_ptr_equal(after.ss_sp, before.ss_sp);
    assert_ptr_equal(segv_after.sa_sigaction, segv_before.sa_sigaction);
    for (int i = 1; i < NSIG; i++)
        assert_int_equal(sigismember(&mask_after, i), sigismember(&mask_before, i));
    assert_null(rvi_worker_self());
    assert_null(rvi_task_self());
}

/* --- what it counts --- */

static int count_children(void *arg)
{
    struct rv_run_stats before = stats_now();
    (void)arg;
    RV_CHECK(before.spawned == 1 && before.finished == 0);
    for (int i = 0; i < 10; i++)
        RV_CHECK(make_children(NULL) == 0);
    struct rv_run_stats after = stats_now();
    RV_CHECK(after.spawned == 101 && after.finished == 100);
    RV_CHECK(after.stolen <= 100 && after.switches >= before.switches);
    RV_CHECK(after.stacks >= 1 && after.stalls == 0);
    return 0;
}

static void what_happened_is_counted(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 4; workers++)
        assert_int_equal(run_on(workers, count_children, NULL), 0);
}

/* --- without memory --- */

static int touch_everything(void *arg)
{
    int err;
    (void)arg;
    RV_SCOPE(s, err, .deadline = rv_after(RV_MINUTE)) {
        for (int i = 0; i < 100; i++) {
            int r = rv_go(s, nothing, NULL);
            if (r < 0)
                rv_scope_cancel(s, r);
        }
        int r = rv_sleep(1);
        if (r < 0)
            rv_scope_cancel(s, r);
    }
    return err;
}

static bool run_until_memory_fails(unsigned workers, long n)
{
    rvi_alloc_fail_after(n);
    int result = run_on(workers, touch_everything, NULL);
    bool has_failed = !rvi_alloc_fail_pending();
    rvi_alloc_fail_after(-1);
    /* A deque that cannot grow does without if thieves have made room meanwhile. */
    if (workers == 1 || result != 0)
        assert_int_equal(result, has_failed ? -ENOMEM : 0);
    return has_failed;
}

static void each_allocation_that_fails_is_reported_and_leaks_nothing(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 3; workers++) {
        assert_int_equal(run_on(workers, touch_everything, NULL), 0);
        struct holdings before = holdings_now();
        long n = 1;
        while (run_until_memory_fails(workers, n))
            n++;
        assert_in_range(n, 8, 100);
        assert_no_more_is_held(&before);
    }
}

/* --- without threads --- */

struct shortage {
    unsigned workers;
    rlim_t threads;
};

static void run_with_few_threads(void *arg)
{
    struct shortage *shortage = arg;
    allow_threads(shortage->threads);
    for (int i = 0; i < 20; i++)
        RV_CHECK(run_on(shortage->workers, nothing, NULL) == -EAGAIN);
    RV_CHECK(rvi_worker_self() == NULL);
    RV_CHECK(run_on(1, nothing, NULL) == 0);
}

/* The workers besides the first, and after them the monitor. */
static void each_thread_that_cannot_be_started_is_reported(void **state)
{
    (void)state;
    if (!can_forbid_threads())
        skip();
    for (rlim_t threads = 1; threads <= 4; threads++) {
        struct shortage shortage = {4, threads};
        struct ending ending = run_child(run_with_few_threads, &shortage);
        assert_string_equal(ending.text, "");
        assert_int_equal(ending.status, 0);
    }
}

/* --- without stacks --- */

enum { FEW_STACKS = 16 };

static int park_for_ever(void *arg)
{
    rvi_fetch_add_relaxed((_Atomic(size_t) *)arg, 1);
    return rv_sleep_until(RV_NEVER);
}

static int start_too_many(void *arg)
{
    _Atomic(size_t) begun = 0;
    struct rv_scope_stats stats = {.size = sizeof(stats)};
    int err;
    (void)arg;
    for (int i = 0; i < 20; i++) {
        RV_SCOPE(s, err, .policy = RV_COLLECT_ALL) {
            begun = 0;
            for (int k = 0; k < 4 * FEW_STACKS; k++)
                RV_CHECK(rv_go(s, park_for_ever, &begun) == 0);
            do {
                rv_yield();
                RV_CHECK(rv_scope_stats_read(s, &stats) == 0);
            } while (stats.failed + begun < 4 * FEW_STACKS);
            RV_CHECK(stats.failed >= 3 * FEW_STACKS + 1); /* the first task has a stack, too */
            RV_CHECK(rv_scope_reason(s) == 0);
            rv_scope_cancel(s, -EINTR);
        }
        RV_CHECK(err == -EINTR);
    }
    return 0;
}

static int start_too_many_and_fail_fast(void *arg)
{
    _Atomic(size_t) begun = 0;
    int err;
    (void)arg;
    for (int i = 0; i < 20; i++) {
        RV_SCOPE(s, err) {
            for (int k = 0; k < 4 * FEW_STACKS; k++) {
                if (rv_go(s, park_for_ever, &begun) < 0)
                    RV_CHECK(rv_scope_reason(s) == -ENOMEM);
            }
        }
        RV_CHECK(err == -ENOMEM);
        RV_SCOPE(again, err) {
            RV_CHECK(rv_go(again, nothing, NULL) == 0);
        }
        RV_CHECK(err == 0);
    }
    return 0;
}

static void tasks_without_a_stack_fail_their_scope(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 3; workers++) {
        struct rv_run_opts opts = {.workers = workers, .max_tasks = FEW_STACKS};
        assert_int_equal(rv_run(start_too_many, NULL, &opts), 0);
        assert_int_equal(rv_run(start_too_many_and_fail_fast, NULL, &opts), 0);
    }
}

/* All at once on one worker: those that ended make room for those that follow. */
static int start_many_short_ones(void *arg)
{
    int err;
    (void)arg;
    RV_SCOPE(s, err) {
        for (int i = 0; i < 100 * FEW_STACKS; i++)
            RV_CHECK(rv_go(s, nothing, NULL) == 0);
    }
    return err;
}

static void few_stacks_are_enough_for_many_short_tasks(void **state)
{
    (void)state;
    struct rv_run_opts opts = {.workers = 1, .max_tasks = 2};
    assert_int_equal(rv_run(start_many_short_ones, NULL, &opts), 0);
}

static int recurse_a_little(void *arg)
{
    volatile char bytes[20 << 10];
    (void)arg;
    for (size_t i = 0; i < sizeof(bytes); i += 512)
        bytes[i] = (char)i;
    rv_yield();
    return bytes[0];
}

static int fill_stacks(void *arg)
{
    int err;
    (void)arg;
    RV_SCOPE(s, err) {
        for (int i = 0; i < 100; i++)
            RV_CHECK(rv_go(s, recurse_a_little, NULL) == 0);
    }
    return err;
}

static void stacks_are_as_large_as_asked_for(void **state)
{
    (void)state;
    struct rv_run_opts opts = {.workers = 2, .stack_bytes = (is_under_a_tool() ? 256 : 24) << 10};
    assert_int_equal(rv_run(fill_stacks, NULL, &opts), 0);
}

/* --- how much of its stack a task has used --- */

enum { DEEP = 30000 };

static size_t stack_bytes(void)
{
    return (size_t)(is_under_a_tool() ? 256 : 64) << 10;
}

__attribute__((noinline)) static long used_when_deep(void)
{
    volatile char room[DEEP];
    for (size_t i = 0; i < DEEP; i += 64)
        room[i] = 1;
    return rv_task_stack_used() + room[0] - 1;
}

static int use_a_little(void *arg)
{
    (void)arg;
    RV_CHECK(rv_task_stack_used() > 0 && rv_task_stack_used() < DEEP);
    return 0;
}

static int use_much(void *arg)
{
    long before = rv_task_stack_used();
    RV_CHECK(before > 0 && before < DEEP);
    long used = used_when_deep();
    RV_CHECK(used >= before + DEEP - 64 && used < (long)stack_bytes());
    rv_yield();
    RV_CHECK(rv_task_stack_used() >= used);
    (void)arg;
    return 0;
}

static int use_one_after_the_other(void *arg)
{
    int err;
    (void)arg;
    for (int i = 0; i < 50; i++) {
        RV_SCOPE(s, err) {
            RV_CHECK(rv_go(s, i % 2 ? use_much : use_a_little, NULL) == 0);
        }
        RV_CHECK(err == 0);
    }
    return 0;
}

static void what_a_task_used_of_its_stack_is_told_and_not_what_others_did(void **state)
{
    (void)state;
    struct rv_run_opts opts = {.workers = 1, .stack_bytes = stack_bytes(), .measure_stacks = 1};
    assert_int_equal(rv_run(use_one_after_the_other, NULL, &opts), 0);
    opts.workers = 2;
    assert_int_equal(rv_run(use_one_after_the_other, NULL, &opts), 0);
}

static int ask_unmeasured(void *arg)
{
    (void)arg;
    RV_CHECK(rv_task_stack_used() == -ENOTSUP);
    return 0;
}

static void unless_asked_for_it_is_not_measured(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, ask_unmeasured, NULL), 0);
    assert_int_equal(rv_task_stack_used(), -EPERM);
}

/* --- a stack that overflows --- */

static int overflow(void *arg)
{
    volatile char first = 0;
    const char *name = arg;
    if (name)
        RV_CHECK(rv_task_rename(name) == 0);
    return recurse(&first, 1000000);
}

static int overflow_elsewhere(void *arg)
{
    RV_CHECK(rv_migrate(1) == 0);
    return overflow(arg);
}

static const struct rv_site scene = {"scene.c", "start_a_disaster", "disaster", 99};

struct disaster {
    rv_fn *fn;
    const char *name;
};

static int start_a_disaster(void *arg)
{
    struct disaster *disaster = arg;
    int err;
    RV_SCOPE(s, err) {
        for (int i = 0; i < 10; i++)
            RV_CHECK(rv_go(s, nothing, NULL) == 0);
        rv_yield();
        void *name = (void *)(uintptr_t)disaster->name;
        RV_CHECK(rv_go_at(s, disaster->fn, name, &scene) == 0);
    }
    return err;
}

static void run_a_disaster(void *disaster)
{
    (void)run_on(2, start_a_disaster, disaster);
}

static void an_overflow_kills_and_names_the_task_and_its_place(void **state)
{
    (void)state;
    struct disaster disasters[] = {
        {overflow, NULL}, {overflow_elsewhere, NULL}, {overflow, "boiler"}};
    for (size_t i = 0; i < sizeof(disasters) / sizeof(disasters[0]); i++) {
        char words[512];
        const char *name = disasters[i].name ? disasters[i].name : "disaster";
        snprintf(words, sizeof(words),
                 "ravel: stack overflow in task '%s' spawned at scene.c:99: ", name);
        struct ending ending = run_child(run_a_disaster, &disasters[i]);
        assert_non_null(strstr(ending.text, words));
        assert_false(WIFEXITED(ending.status) && WEXITSTATUS(ending.status) == 0);
        if (!is_under_a_tool()) {
            assert_true(WIFSIGNALED(ending.status));
            assert_int_equal(WTERMSIG(ending.status), SIGSEGV);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_first_task_returns_is_returned),
        cmocka_unit_test(the_first_task_runs_on_the_callers_thread),
        cmocka_unit_test(the_first_task_may_end_on_another_worker),
        cmocka_unit_test(there_are_as_many_workers_as_asked_for),
        cmocka_unit_test(none_runs_inside_another),
        cmocka_unit_test(thousands_in_a_row_leave_nothing_behind),
        cmocka_unit_test(several_run_at_one_time_in_plain_threads),
        cmocka_unit_test(the_first_two_may_open_at_one_time),
        cmocka_unit_test(one_runs_in_a_blocking_call_of_another),
        cmocka_unit_test(objects_outlive_the_runtime_that_used_them_first),
        cmocka_unit_test(the_callers_thread_is_as_it_was),
        cmocka_unit_test(what_happened_is_counted),
        cmocka_unit_test(each_allocation_that_fails_is_reported_and_leaks_nothing),
        cmocka_unit_test(each_thread_that_cannot_be_started_is_reported),
        cmocka_unit_test(tasks_without_a_stack_fail_their_scope),
        cmocka_unit_test(few_stacks_are_enough_for_many_short_tasks),
        cmocka_unit_test(stacks_are_as_large_as_asked_for),
        cmocka_unit_test(what_a_task_used_of_its_stack_is_told_and_not_what_others_did),
        cmocka_unit_test(unless_asked_for_it_is_not_measured),
        cmocka_unit_test(an_overflow_kills_and_names_the_task_and_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
