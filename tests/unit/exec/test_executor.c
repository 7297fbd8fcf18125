/* SPDX-License-Identifier: MIT */
/* test_executor.c - specs, the backlog and its back-pressure, time limits, closing: for every
 * tier. */
#include "exec/executor.h"

#include "sys/topology.h"
#include "tiers.h"

/* --- specs and options --- */

static int open_error(const char *spec, const struct rv_executor_opts *opts)
{
    rv_executor *ex = NULL;
    int r = rv_executor_open(&ex, spec, opts);

    RV_CHECK((r == 0) == (ex != NULL));
    if (ex)
        close_waiting(ex);
    return r;
}

static void specs_that_mean_nothing_are_refused(void **state)
{
    static const char *const specs[] = {
        "",           "thread",        "threads2",     "threads:",   "threads:0",
        "threads:-1", "threads:x",     "threads:1x",   "threads: 1", "threads:+1",
        "Threads",    "threads:65537", "tasks:",       "tasks:0",    "tasks:4294967297",
        "inline:1",   "inline:",       "auto:2",       "auto:",      "process",
        ":",          "threads:1:1",   " threads:1",   "threads:1 ", "inlin",
        "inlines",    "tasks:1e3",     "threads:0x10",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++)
        assert_int_equal(open_error(specs[i], NULL), -EINVAL);
}

static void isolation_is_for_auto_to_mind(void **state)
{
    const struct rv_executor_opts isolated = {.size = sizeof(isolated), .isolated = 1};

    (void)state;
    assert_int_equal(open_error("auto", &isolated), 0);
    assert_int_equal(open_error("threads:1", &isolated), 0);
}

static void tasks_need_a_task(void **state)
{
    (void)state;
    assert_int_equal(open_error("tasks", NULL), -EPERM);
    assert_int_equal(open_error("tasks:3", NULL), -EPERM);
}

struct newer_opts {
    struct rv_executor_opts known;
    size_t unknown;
};

static void unknown_options_are_refused_when_they_are_set(void **state)
{
    struct newer_opts opts = {.known.size = sizeof(opts), .unknown = 1};

    (void)state;
    assert_int_equal(open_error("inline", &opts.known), -E2BIG);
    opts.unknown = 0;
    assert_int_equal(open_error("inline", &opts.known), 0);
    opts.known.size = 0;
    assert_int_equal(open_error("inline", &opts.known), 0);
    opts.known.job_timeout = -1;
    assert_int_equal(open_error("inline", &opts.known), -EINVAL);
}

static void check_choice(const char *spec, const char *choice, unsigned width)
{
    rv_executor *ex;

    RV_CHECK(rv_executor_open(&ex, spec, NULL) == 0);
    RV_CHECK(strcmp(rv_executor_choice(ex), choice) == 0);
    RV_CHECK(rv_executor_width(ex) == width);
    close_waiting(ex);
}

static void an_executor_says_what_it_is(void **state)
{
    unsigned cores = (unsigned)rvi_usable_cores();
    char choice[96];

    (void)state;
    check_choice("inline", "inline", 1);
    check_choice("threads:3", "threads:3", 3);
    check_choice("processes:3", "processes:3", 3);
    check_choice("threads:00065536", "threads:65536", 65536);
    snprintf(choice, sizeof(choice), "threads:%u", cores);
    check_choice("threads", choice, cores);
    if (cores == 1)
        check_choice("auto", "threads:1 (auto: 1 usable core, no runtime)", 1);
    else
        snprintf(choice, sizeof(choice), "threads:%u (auto: %u usable cores)", cores, cores);
    if (cores > 1)
        check_choice("auto", choice, cores);
}

static int say_inside(void *arg)
{
    (void)arg;
    check_choice("tasks", "tasks:8", 8);
    check_choice("tasks:5", "tasks:5", 5);
    if (rvi_usable_cores() == 1)
        check_choice("auto", "tasks:8 (auto: 1 usable core, inside a runtime)", 8);
    return 0;
}

static void an_executor_of_tasks_says_what_it_is(void **state)
{
    struct rv_run_opts opts = {.size = sizeof(opts), .workers = 2};

    (void)state;
    assert_int_equal(rv_run(say_inside, NULL, &opts), 0);
}

static void closing_nothing_is_fine(void **state)
{
    (void)state;
    assert_int_equal(rv_executor_close(NULL, RV_CLOSE_WAIT, RV_NEVER), 0);
}

/* --- width and backlog --- */

/* Notes how many are in here at one time. */
static int be_inside(const int *in, int *out)
{
    int now = rvi_fetch_add_relaxed(&inside, 1) + 1;
    int most = rvi_load_relaxed(&most_inside);

    while (now > most && !rvi_cas_relaxed(&most_inside, &most, now))
        ;
    for (int i = 0; i < *in; i++)
        rv_yield();
    rvi_fetch_sub_relaxed(&inside, 1);
    *out = 0;
    return 0;
}
RV_JOB(be_inside, int, int);

static void no_more_jobs_run_at_one_time_than_the_width(void)
{
    const struct rv_executor_opts opts = {.size = sizeof(opts), .backlog = 1000};
    rv_executor *ex = open_wide(3, &opts);
    rv_future *f[100];

    for (int i = 0; i < 100; i++)
        f[i] = submit(ex, be_inside, &(int){5});
    RV_CHECK(rv_wait(f, 100, RV_ALL, RV_NEVER) == 100);
    RV_CHECK(rvi_load_relaxed(&most_inside) <= 3);
    free_all(f, 100);
    close_waiting(ex);
}

static void as_many_jobs_run_at_one_time_as_the_width(void)
{
    rv_executor *ex = open_wide(4, NULL);
    rv_future *f[4];

    for (int i = 0; i < 4; i++)
        f[i] = submit(ex, pass_gate, &i);
    until_inside(4);
    open_gate();
    RV_CHECK(rv_wait(f, 4, RV_ALL, RV_NEVER) == 4);
    free_all(f, 4);
    close_waiting(ex);
}

static void a_full_backlog_makes_submission_wait(void)
{
    const struct rv_executor_opts opts = {.size = sizeof(opts), .backlog = 2};
    rv_executor *ex = open_wide(1, &opts);
    rv_future *f[4], *none = NULL;

    for (int i = 0; i < 3; i++) /* one runs, two wait */
        f[i] = submit(ex, pass_gate, &i);
    RV_CHECK(rv_submit(ex, &none, add_one, &(int){0}, rv_after(RV_MILLISECOND)) == -ETIME);
    RV_CHECK(rv_submit(ex, &none, add_one, &(int){0}, 0) == -ETIME);
    RV_CHECK(none == NULL);
    RV_CHECK(stats_of(ex).submitted == 3);
    rv_future_cancel(f[2]); /* what is cancelled makes room */
    f[3] = submit(ex, add_one, &(int){3});
    RV_CHECK(rv_submit(ex, &none, add_one, &(int){0}, 0) == -ETIME);
    open_gate();
    RV_CHECK(value_of(f[3]) == 4);
    free_all(f, 4);
    close_waiting(ex);
}

struct submitter {
    rv_executor *ex;
    int value;
    int result;
};

/* What has been handed over in which order. */
static _Atomic(int) order;

static int take_number(const int *in, int *out)
{
    *out = rvi_fetch_add_relaxed(&order, 1);
    RV_CHECK(*out == *in);
    return 0;
}
RV_JOB(take_number, int, int);

static int submit_waiting(void *arg)
{
    struct submitter *self = arg;
    rv_future *f = submit(self->ex, take_number, &self->value);

    RV_CHECK(value_of(f) == self->value);
    f = rv_future_free(f);
    return 0;
}

static void waiting_submitters_are_let_in_in_their_order(void)
{
    const struct rv_executor_opts opts = {.size = sizeof(opts), .backlog = 1};
    rv_executor *ex = open_wide(1, &opts);
    rv_future *f[2] = {submit(ex, pass_gate, &(int){0}), submit(ex, pass_gate, &(int){0})};
    struct submitter submitters[10];
    int err;

    rvi_store_relaxed(&order, 0);
    RV_SCOPE(s, err) {
        for (int i = 0; i < 10; i++) {
            submitters[i] = (struct submitter){ex, i, 0};
            RV_CHECK(rv_go(s, submit_waiting, &submitters[i]) == 0);
            rv_yield();
        }
        open_gate();
    }
    RV_CHECK(err == 0);
    free_all(f, 2);
    close_waiting(ex);
}

static void *submit_many_in_thread(void *arg)
{
    struct submitter *self = arg;

    for (int i = 0; i < 50; i++) {
        rv_future *f = submit(self->ex, add_one, &i);
        if (i % 5)
            RV_CHECK(value_of(f) == i + 1);
        f = rv_future_free(f);
    }
    return NULL;
}

static int close_late(void *arg)
{
    pthread_t *threads = arg;

    for (int i = 0; i < 3; i++)
        RV_CHECK(pthread_join(threads[i], NULL) == 0);
    return 0;
}

static void plain_threads_submit_with_back_pressure(void)
{
    const struct rv_executor_opts opts = {.size = sizeof(opts), .backlog = 1};
    rv_executor *ex = open_wide(2, &opts);
    struct submitter self = {.ex = ex};
    pthread_t threads[3];

    for (int i = 0; i < 3; i++)
        RV_CHECK(pthread_create(&threads[i], NULL, submit_many_in_thread, &self) == 0);
    RV_CHECK(rv_blocking(close_late, threads, NULL) == 0);
    close_waiting(ex);
    RV_CHECK(rvi_load_relaxed(&runs) == 150);
}

static int submit_to_be_cancelled(void *arg)
{
    struct submitter *self = arg;
    rv_future *f;

    self->result = rv_submit(self->ex, &f, add_one, &self->value, RV_NEVER);
    return 0;
}

static void a_submitting_task_can_be_cancelled(void)
{
    const struct rv_executor_opts opts = {.size = sizeof(opts), .backlog = 1};
    rv_executor *ex = open_wide(1, &opts);
    rv_future *f[2] = {submit(ex, pass_gate, &(int){0}), submit(ex, pass_gate, &(int){0})};
    struct submitter self = {.ex = ex};
    int err;

    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, submit_to_be_cancelled, &self) == 0);
        rv_yield();
        rv_scope_cancel(s, -ECANCELED);
    }
    RV_CHECK(self.result == -ECANCELED);
    RV_CHECK(stats_of(ex).submitted == 2);
    open_gate();
    RV_CHECK(rv_wait(f, 2, RV_ALL, RV_NEVER) == 2);
    free_all(f, 2);
    close_waiting(ex);
}

static int open_gate_later(void *arg)
{
    (void)arg;
    open_gate();
    return 0;
}

static void a_task_that_waits_for_room_or_the_end_lets_others_run(void)
{
    const struct rv_executor_opts opts = {.size = sizeof(opts), .backlog = 1};
    rv_scope *scope;

    RV_CHECK(rv_scope_open(&scope, NULL) == 0);
    rv_executor *ex = open_wide(1, &opts);
    rv_future *f[4] = {submit(ex, pass_gate, &(int){0}), submit(ex, add_one, &(int){0})};
    RV_CHECK(rv_go(scope, open_gate_later, NULL) == 0);
    f[2] = submit(ex, add_one, &(int){0});
    RV_CHECK(rv_wait(f, 3, RV_ALL, RV_NEVER) == 3);
    shut_gate();
    f[3] = submit(ex, pass_gate, &(int){0});
    RV_CHECK(rv_go(scope, open_gate_later, NULL) == 0);
    close_waiting(ex);
    RV_CHECK(rv_scope_close(scope) == 0);
    RV_CHECK(value_of(f[3]) == 0);
    free_all(f, 4);
}

static void stats_count_what_waits_and_runs(void)
{
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f[3];
    struct rv_executor_stats stats;

    for (int i = 0; i < 3; i++)
        f[i] = submit(ex, pass_gate, &i);
    until_inside(1);
    stats = stats_of(ex);
    RV_CHECK(stats.submitted == 3 && stats.ended == 0 && stats.waiting == 2 && stats.running == 1);
    open_gate();
    RV_CHECK(rv_wait(f, 3, RV_ALL, RV_NEVER) == 3);
    stats = stats_of(ex);
    RV_CHECK(stats.submitted == 3 && stats.ended == 3 && stats.waiting == 0 && stats.running == 0);
    stats.size = 8;
    RV_CHECK(rv_executor_stats_read(ex, &stats) == -EINVAL);
    free_all(f, 3);
    close_waiting(ex);
}

/* --- time limits --- */

static int oversleep(const int *in, int *out)
{
    *out = 1;
    int r = rv_sleep(*in * RV_MILLISECOND);
    return r == 0 ? 0 : -EIO; /* not what one says who was cancelled */
}
RV_JOB(oversleep, int, int);

static void a_job_that_overstays_is_a_timeout(void)
{
    const struct rv_executor_opts opts = {.size = sizeof(opts), .job_timeout = 3 * RV_MILLISECOND};
    rv_executor *ex = open_wide(2, &opts);
    rv_future *f = submit(ex, oversleep, &(int){5});
    struct rv_outcome outcome;
    int value = 9;

    RV_CHECK(rv_future_get(f, &value, &outcome, RV_NEVER) == 0);
    RV_CHECK(outcome.kind == RV_OUTCOME_TIMEOUT && outcome.error == 0 && value == 9);
    RV_CHECK(outcome.run_ns >= 3 * RV_MILLISECOND);
    f = rv_future_free(f);
    close_waiting(ex);
}

static void a_job_within_its_time_is_left_alone(void)
{
    const struct rv_executor_opts opts = {.size = sizeof(opts), .job_timeout = RV_MINUTE};
    rv_executor *ex = open_wide(2, &opts);
    rv_future *f = submit(ex, add_one, &(int){1});

    RV_CHECK(value_of(f) == 2);
    f = rv_future_free(f);
    close_waiting(ex);
}

static void each_job_has_the_limit_for_itself(void)
{
    const struct rv_executor_opts opts = {.size = sizeof(opts), .job_timeout = 2 * RV_MILLISECOND};
    rv_executor *ex = open_wide(2, &opts);
    rv_future *f[6];

    for (int i = 0; i < 6; i++) /* wait for one another longer than the limit */
        f[i] = submit(ex, stay_until_cancelled, &(int){0});
    for (int i = 0; i < 6; i++)
        RV_CHECK(kind_of(f[i]) == RV_OUTCOME_TIMEOUT);
    free_all(f, 6);
    close_waiting(ex);
}

static void the_longest_limit_never_comes(void)
{
    const struct rv_executor_opts opts = {.size = sizeof(opts), .job_timeout = RV_NEVER};
    rv_executor *ex = open_wide(2, &opts);
    rv_future *f = submit(ex, add_one, &(int){1});

    RV_CHECK(value_of(f) == 2);
    f = rv_future_free(f);
    close_waiting(ex);
}

/* --- closing --- */

static void closing_waits_for_everything(void)
{
    rv_executor *ex = open_wide(2, NULL);
    rv_future *f[8];

    for (int i = 0; i < 8; i++)
        f[i] = submit(ex, add_one, &i);
    close_waiting(ex);
    for (int i = 0; i < 8; i++)
        RV_CHECK(value_of(f[i]) == i + 1);
    free_all(f, 8);
}

static void closing_can_cancel(void)
{
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f[3] = {submit(ex, stay_until_cancelled, &(int){0}), submit(ex, add_one, &(int){0}),
                       submit(ex, add_one, &(int){0})};

    until_inside(1);
    RV_CHECK(rv_executor_close(ex, RV_CLOSE_CANCEL, RV_NEVER) == -ECANCELED);
    for (int i = 0; i < 3; i++)
        RV_CHECK(kind_of(f[i]) == RV_OUTCOME_CANCELLED);
    RV_CHECK(rvi_load_relaxed(&runs) == 0);
    free_all(f, 3);
}

static void closing_by_cancel_when_all_has_ended_is_no_error(void)
{
    rv_executor *ex = open_wide(2, NULL);
    rv_future *f = submit(ex, add_one, &(int){1});

    RV_CHECK(value_of(f) == 2);
    RV_CHECK(rv_executor_close(ex, RV_CLOSE_CANCEL, RV_NEVER) == 0);
    f = rv_future_free(f);
    RV_CHECK(rv_executor_close(open_wide(2, NULL), RV_CLOSE_CANCEL, 0) == 0);
}

static void a_job_asked_to_stop_by_closing_may_end_by_itself(void)
{
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f = submit(ex, stay_until_cancelled, &(int){1});

    until_inside(1);
    RV_CHECK(rv_executor_close(ex, RV_CLOSE_CANCEL, RV_NEVER) == 0);
    RV_CHECK(value_of(f) == 7);
    f = rv_future_free(f);
}

static void a_deadline_turns_waiting_into_cancelling(void)
{
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f[2] = {submit(ex, stay_until_cancelled, &(int){0}), submit(ex, add_one, &(int){0})};

    RV_CHECK(rv_executor_close(ex, RV_CLOSE_WAIT, rv_after(RV_MILLISECOND)) == -ETIME);
    RV_CHECK(kind_of(f[0]) == RV_OUTCOME_CANCELLED && kind_of(f[1]) == RV_OUTCOME_CANCELLED);
    free_all(f, 2);
}

static void a_cancelled_caller_turns_waiting_into_cancelling(void)
{
    rv_executor *ex;
    rv_future *f = NULL;
    int err;

    RV_SCOPE(s, err) {
        ex = open_wide(1, NULL);
        f = submit(ex, stay_until_cancelled, &(int){0});
        until_inside(1);
        rv_scope_cancel(s, -EIO);
        RV_CHECK(rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER) == -ECANCELED);
    }
    RV_CHECK(err == -EIO);
    RV_CHECK(kind_of(f) == RV_OUTCOME_CANCELLED);
    f = rv_future_free(f);
}

static rv_executor *own; /* of the jobs that use their own executor */

static int submit_when_closing(const int *in, int *out)
{
    rv_future *f;
    int r;

    rvi_fetch_add_relaxed(&inside, 1);
    while ((r = rv_submit(own, &f, add_one, in, RV_NEVER)) == 0) {
        f = rv_future_free(f);
        rv_yield();
    }
    *out = r;
    return 0;
}
RV_JOB(submit_when_closing, int, int);

static void an_executor_that_closes_takes_no_job(void)
{
    own = open_wide(2, NULL);
    rv_future *f = submit(own, submit_when_closing, &(int){0});

    until_inside(1);
    close_waiting(own);
    RV_CHECK(value_of(f) == -EPIPE);
    f = rv_future_free(f);
}

static int submit_and_wait(const int *in, int *out)
{
    rv_future *f = submit(own, add_one, in);

    *out = value_of(f);
    f = rv_future_free(f);
    return 0;
}
RV_JOB(submit_and_wait, int, int);

static void jobs_submit_to_their_own_executor(void)
{
    own = open_wide(2, NULL);
    rv_future *f = submit(own, submit_and_wait, &(int){1});

    RV_CHECK(value_of(f) == 2);
    f = rv_future_free(f);
    close_waiting(own);
}

/* --- no memory --- */

static int use_executor(rv_executor *ex)
{
    rv_future *f = NULL, *g = NULL;
    rv_completions *it = NULL;
    int in[3] = {1, 2, 3}, out[3];
    size_t index;
    int r;

    if ((r = rv_submit(ex, &f, add_one, &in[0], RV_NEVER)) < 0)
        return r;
    r = rv_submit(ex, &g, add_one, &in[1], RV_NEVER);
    if (r == 0)
        r = rv_as_completed(&it, (rv_future *[]){f, g}, 2);
    if (r == 0)
        r = rv_completions_next(it, &index, RV_NEVER);
    if (r == 0)
        r = (int)rv_wait(&f, 1, RV_ANY, RV_NEVER);
    if (r == 0)
        r = rv_map(ex, add_one, in, 3, out, NULL, RV_NEVER);
    it = rv_completions_free(it);
    g = rv_future_free(g);
    RV_CHECK(rv_future_wait(f, RV_NEVER) == 0);
    f = rv_future_free(f);
    return r;
}

static int open_and_use(void)
{
    const struct rv_executor_opts opts = {.size = sizeof(opts), .job_timeout = RV_MINUTE};
    rv_executor *ex;
    char spec[16];
    int r;

    snprintf(spec, sizeof(spec), is_tier("inline") ? "%s" : "%s:2", now_on->tier);
    r = rv_executor_open(&ex, spec, &opts);
    if (r < 0)
        return r;
    r = use_executor(ex);
    close_waiting(ex);
    return r;
}

static void each_allocation_may_fail(void)
{
    int failures = 0;

    RV_CHECK(open_and_use() == 0); /* what a runtime keeps is warm from here on */
    long live = rvi_alloc_live();
    for (long n = 1;; n++) {
        rvi_alloc_fail_after(n);
        int r = open_and_use();
        bool pending = rvi_alloc_fail_pending();
        rvi_alloc_fail_after(-1);
        RV_CHECK(r == 0 || r == -ENOMEM);
        RV_CHECK(now_on->workers > 0 || rvi_alloc_live() == live);
        failures += r < 0;
        if (pending)
            break;
    }
    RV_CHECK(failures >= 4);
    RV_CHECK(open_and_use() == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(specs_that_mean_nothing_are_refused),
        cmocka_unit_test(isolation_is_for_auto_to_mind),
        cmocka_unit_test(tasks_need_a_task),
        cmocka_unit_test(unknown_options_are_refused_when_they_are_set),
        cmocka_unit_test(an_executor_says_what_it_is),
        cmocka_unit_test(an_executor_of_tasks_says_what_it_is),
        cmocka_unit_test(closing_nothing_is_fine),
        ON_EVERY_TIER(no_more_jobs_run_at_one_time_than_the_width),
        ON_POOLS(as_many_jobs_run_at_one_time_as_the_width),
        ON_POOLS(a_full_backlog_makes_submission_wait),
        PERFORMANCE("", "tasks", 1, waiting_submitters_are_let_in_in_their_order),
        ON_EVERY_TIER(plain_threads_submit_with_back_pressure),
        ON_TASKS(a_submitting_task_can_be_cancelled),
        PERFORMANCE("_with_tasks", "tasks", 1,
                    a_task_that_waits_for_room_or_the_end_lets_others_run),
        PERFORMANCE("_with_threads", "threads", 1,
                    a_task_that_waits_for_room_or_the_end_lets_others_run),
        PERFORMANCE("_with_processes", "processes", 1,
                    a_task_that_waits_for_room_or_the_end_lets_others_run),
        ON_POOLS(stats_count_what_waits_and_runs),
        ON_EVERY_TIER(a_job_that_overstays_is_a_timeout),
        ON_EVERY_TIER(a_job_within_its_time_is_left_alone),
        ON_POOLS(each_job_has_the_limit_for_itself),
        ON_EVERY_TIER(the_longest_limit_never_comes),
        ON_EVERY_TIER(closing_waits_for_everything),
        ON_POOLS(closing_can_cancel),
        ON_EVERY_TIER(closing_by_cancel_when_all_has_ended_is_no_error),
        ON_POOLS(a_job_asked_to_stop_by_closing_may_end_by_itself),
        ON_POOLS(a_deadline_turns_waiting_into_cancelling),
        ON_TASKS(a_cancelled_caller_turns_waiting_into_cancelling),
        ON_POOLS_HERE(an_executor_that_closes_takes_no_job),
        ON_EVERY_TIER_HERE(jobs_submit_to_their_own_executor),
        ON_EVERY_TIER_HERE(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
