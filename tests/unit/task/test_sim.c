/* SPDX-License-Identifier: MIT */
/* test_sim.c - a seed decides everything; what goes wrong is said, and can be had again. */
#include <ravel/sim.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../support/crowd.h"
#include "../sys/sys_test.h"
#include "base/alloc.h"
#include "sys/backtrace.h"

static const char *program; /* this one's path, to be run anew */

static int simulate(rv_fn *fn, void *arg, uint64_t seed)
{
    struct rv_sim_opts opts = {.size = sizeof(opts), .seed = seed, .quiet = 1};
    return rv_sim_run(fn, arg, &opts);
}

/* --- time and results --- */

static int return_arg(void *arg)
{
    return *(int *)arg;
}

static void what_entry_returns_is_returned(void **state)
{
    (void)state;
    int results[] = {0, 7, -EDOM};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(simulate(return_arg, &results[i], i), results[i]);
}

static int sleep_an_hour(void *arg)
{
    rv_time before = rv_now();
    RV_CHECK(rv_sleep(60 * RV_MINUTE) == 0);
    rv_time slept = rv_now() - before;
    RV_CHECK(slept >= 60 * RV_MINUTE && slept < 61 * RV_MINUTE);
    *(rv_time *)arg = slept;
    return 0;
}

static void an_hour_is_over_at_once(void **state)
{
    (void)state;
    struct rv_sim_result result = {.size = sizeof(result)};
    struct rv_sim_opts opts = {.size = sizeof(opts), .seeds = 3};
    rv_time slept = 0;
    assert_int_equal(rv_sim_explore(sleep_an_hour, &slept, &opts, &result), 0);
    assert_int_equal(result.runs, 3);
    assert_true(result.elapsed >= slept);
}

static int note_time(void *arg)
{
    return rv_sleep_until(*(rv_time *)arg);
}

static int sleep_in_order(void *arg)
{
    rv_time start = rv_now(), when[3];
    int err;
    (void)arg;
    RV_SCOPE(s, err) {
        for (int i = 0; i < 3; i++) {
            when[i] = start + (3 - i) * RV_SECOND;
            go(s, note_time, &when[i]);
        }
    }
    RV_CHECK(rv_now() - start >= 3 * RV_SECOND && rv_now() - start < 4 * RV_SECOND);
    return err;
}

static void sleepers_share_the_same_time(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++)
        assert_int_equal(simulate(sleep_in_order, NULL, seed), 0);
}

/* --- the same seed, the same run --- */

/* Some of everything: tasks on several workers, a channel, a blocking call, threads of jobs. */
static int double_it(const int *in, int *out)
{
    *out = 2 * *in;
    return 0;
}
RV_JOB(double_it, int, int);

static int send_two(void *arg)
{
    int r = 0;
    for (int i = 0; i < 2 && r == 0; i++)
        r = rv_chan_send(arg, &i, RV_NEVER);
    return r;
}

/* Which one happens is drawn by chance, also for a plain thread. */
static int select_one(void *arg)
{
    struct rv_event one = RV_EVENT_INIT, other = RV_EVENT_INIT;
    struct rv_case cases[] = {RV_EVENT(&one), RV_EVENT(&other)};
    (void)arg;
    rv_event_set(&one);
    rv_event_set(&other);
    for (int i = 0; i < 10; i++) {
        int which = rv_select(cases, 2, RV_NEVER);
        RV_CHECK(which >= 0);
        while (which-- > 0)
            (void)rv_now(); /* a step more */
    }
    return 0;
}

static int call_out(void *arg)
{
    return rv_blocking(select_one, arg, NULL);
}

static int submit_one(void *arg)
{
    rv_executor *ex;
    rv_future *f;
    struct rv_outcome outcome;
    int in = 21, out = 0;
    (void)arg;
    RV_CHECK(rv_executor_open(&ex, "threads:2", NULL) == 0);
    RV_CHECK(rv_submit(ex, &f, double_it, &in, RV_NEVER) == 0);
    RV_CHECK(rv_future_get(f, &out, &outcome, RV_NEVER) == 0 && out == 42);
    rv_future_free(f);
    return rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER);
}

static int some_of_everything(void *arg)
{
    rv_chan *ch;
    int err, item;
    (void)arg;
    int r = rv_chan_new(&ch, sizeof(int), 1);
    if (r < 0)
        return r;
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, send_two, ch) == 0);
        RV_CHECK(rv_go(s, send_two, ch) == 0);
        go(s, call_out, NULL);
        go(s, submit_one, NULL);
        go(s, select_one, NULL);
        for (int i = 0; i < 4; i++)
            RV_CHECK(rv_chan_recv(ch, &item, RV_NEVER) == 0);
    }
    rv_chan_free(ch);
    return err;
}

struct events {
    FILE *text;
    uint64_t count;
};

static void write_event(void *arg, const struct rv_sim_event *e)
{
    struct events *events = arg;
    RV_CHECK(e->step == ++events->count);
    fprintf(events->text, "%llu %lld %u %s %llu %s %s\n", (unsigned long long)e->step,
            (long long)e->now, e->thread, e->thread_name, (unsigned long long)e->task, e->task_name,
            e->what);
}

static char *events_of(uint64_t seed, enum rv_sim_strategy strategy)
{
    char *text;
    size_t bytes;
    struct events events = {.text = open_memstream(&text, &bytes)};
    struct rv_sim_opts opts = {
        .size = sizeof(opts),
        .seed = seed,
        .strategy = strategy,
        .event = write_event,
        .event_arg = &events,
    };
    assert_non_null(events.text);
    assert_int_equal(rv_sim_run(some_of_everything, NULL, &opts), 0);
    assert_int_equal(fclose(events.text), 0);
    assert_true(events.count > 0);
    return text;
}

static void equal_seeds_give_equal_events(void **state)
{
    (void)state;
    char *before = NULL;
    for (uint64_t seed = 0; seed < 10; seed++) {
        enum rv_sim_strategy strategy = seed % 2 ? RV_SIM_RANDOM_WALK : RV_SIM_PCT;
        char *one = events_of(seed, strategy), *other = events_of(seed, strategy);
        assert_string_equal(one, other);
        assert_true(!before || strcmp(before, one) != 0);
        free(before);
        free(other);
        before = one;
    }
    free(before);
}

static char *contents_of(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t room = 0;
    assert_non_null(file);
    assert_true(getdelim(&text, &room, '\0', file) > 0);
    fclose(file);
    return text;
}

static void run_program_anew(void *path)
{
    setenv("RAVEL_SIM_LOG", path, 1);
    setenv("RAVEL_SEED", "11:walk:3", 1);
    execl(program, program, "simulate", (char *)NULL);
    _exit(99);
}

static char *log_of_a_process(void)
{
    char path[] = "/tmp/ravel-sim-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    struct ending ending = run_child(run_program_anew, path);
    assert_int_equal(ending.status, 0);
    char *text = contents_of(path);
    unlink(path);
    return text;
}

/* Addresses differ from process to process. */
static void equal_seeds_give_equal_logs_in_every_process(void **state)
{
    (void)state;
    if (is_under_qemu())
        skip(); /* the kernel cannot start this program for another CPU */
    char *one = log_of_a_process(), *other = log_of_a_process();
    assert_string_equal(one, other);
    assert_true(strncmp(one, "RAVEL_SEED=11:walk:3\n", 21) == 0);
    assert_non_null(strstr(one, "send_two"));
    free(one);
    free(other);
}

static void *simulate_on_a_thread(void *arg)
{
    struct rv_sim_result *result = arg;
    struct rv_sim_opts opts = {.size = sizeof(opts), .seed = 4, .seeds = 5};
    result->size = sizeof(*result);
    RV_CHECK(rv_sim_explore(some_of_everything, NULL, &opts, result) == 0);
    return NULL;
}

static void threads_simulate_side_by_side(void **state)
{
    (void)state;
    struct rv_sim_result results[3];
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, simulate_on_a_thread, &results[i]), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(results[0].digest == results[1].digest && results[1].digest == results[2].digest);
    assert_true(results[0].steps == results[1].steps && results[1].steps == results[2].steps);
}

static int keep_errno(void *arg)
{
    int mine = *(const int *)arg;
    errno = mine;
    for (int i = 0; i < 5; i++) {
        (void)rv_now();
        RV_CHECK(errno == mine);
    }
    return 0;
}

static int keep_errno_on_a_helper(void *arg)
{
    return rv_blocking(keep_errno, arg, NULL);
}

static int keep_errno_apart(void *arg)
{
    int numbers[3] = {1001, 1002, 1003}, err;
    (void)arg;
    RV_SCOPE(s, err) {
        for (int i = 0; i < 3; i++)
            go(s, keep_errno_on_a_helper, &numbers[i]);
    }
    return err;
}

static void threads_keep_their_errno(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++)
        assert_int_equal(simulate(keep_errno_apart, NULL, seed), 0);
}

/* --- what goes wrong --- */

static int wait_for_each_other(void *arg)
{
    struct rv_event never = RV_EVENT_INIT;
    (void)arg;
    return rv_event_wait(&never, RV_NEVER);
}

static int get_stuck(void *arg)
{
    int err;
    (void)arg;
    RV_SCOPE(s, err)
        RV_CHECK(rv_go_named(s, wait_for_each_other, NULL, "lonely") == 0);
    return err;
}

static void run_into_a_deadlock(void *arg)
{
    struct rv_sim_opts opts = {.size = sizeof(opts), .seed = 5, .workers = 2};
    long before = rvi_alloc_live();
    (void)arg;
    if (rv_sim_run(get_stuck, NULL, &opts) != -EDEADLK || rvi_alloc_live() != before)
        _exit(1);
}

static bool has_exact_backtraces(void)
{
    struct rvi_backtracer *backtracer = rvi_backtracer_new(true);
    bool is_exact = backtracer && rvi_backtracer_is_exact(backtracer);
    rvi_backtracer_free(backtracer);
    return is_exact;
}

static void a_deadlock_is_reported_and_unwound(void **state)
{
    (void)state;
    struct ending ending = run_child(run_into_a_deadlock, NULL);
    assert_int_equal(ending.status, 0);
    assert_non_null(strstr(ending.text, "ravel: deadlock: nobody can run"));
    assert_non_null(strstr(ending.text, "'lonely', started at "));
    assert_non_null(strstr(ending.text, "test_sim.c:"));
    assert_non_null(strstr(ending.text, "waits for: event"));
    assert_non_null(strstr(ending.text, "waits for: scope close"));
    if (has_exact_backtraces())
        assert_non_null(strstr(ending.text, "waits for: event, in wait_for_each_other at "));
    assert_non_null(strstr(ending.text, "RAVEL_SEED=5:"));
}

static int go_round_in_circles(void *arg)
{
    (void)arg;
    while (rv_cancelled() == 0)
        rv_yield();
    return rv_cancelled();
}

static void too_many_steps_are_reported(void **state)
{
    (void)state;
    struct rv_sim_opts opts = {.size = sizeof(opts), .steps = 5000, .quiet = 1};
    assert_int_equal(rv_sim_run(go_round_in_circles, NULL, &opts), -ELOOP);
}

static int run_for_ever(void *arg)
{
    while (!arg)
        rv_yield();
    return 0;
}

static void run_into_a_livelock(void *arg)
{
    struct rv_sim_opts opts = {.size = sizeof(opts), .steps = 5000};
    (void)arg;
    (void)!rv_sim_run(run_for_ever, NULL, &opts);
}

static int panic(void *arg)
{
    (void)arg;
    rvi_panic("of the test");
}

static int call_abort(void *arg)
{
    (void)arg;
    abort();
}

static int fault(void *arg)
{
    int *volatile nowhere = arg;
    return *nowhere;
}

static int leave(void *arg)
{
    (void)arg;
    exit(3);
}

static void die(void *entry)
{
    struct rv_sim_opts opts = {.size = sizeof(opts), .seed = 77};
    (void)!rv_sim_run(*(rv_fn **)entry, NULL, &opts);
}

static void whoever_dies_leaves_the_seed(void **state)
{
    (void)state;
    rv_fn *entries[] = {panic, call_abort, fault, leave};
    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        if (entries[i] == fault && is_under_a_tool())
            continue; /* which has its own opinion of faults */
        if (i > 0 && is_under_valgrind())
            return; /* each takes it ten seconds */
        struct ending ending = run_child(die, &entries[i]);
        assert_int_not_equal(ending.status, 0);
        assert_non_null(strstr(ending.text, "RAVEL_SEED=77:"));
    }
    struct ending ending = run_child(run_into_a_livelock, NULL);
    assert_true(WIFSIGNALED(ending.status) && WTERMSIG(ending.status) == SIGABRT);
    assert_non_null(strstr(ending.text, "5000 simulated steps were not enough"));
    assert_non_null(strstr(ending.text, "still running after all its steps"));
    assert_non_null(strstr(ending.text, "RAVEL_SEED=0:"));
}

static void afterwards_signals_are_as_before(void **state)
{
    (void)state;
    struct sigaction before, after;
    int zero = 0;
    sigaction(SIGABRT, NULL, &before);
    assert_int_equal(simulate(return_arg, &zero, 0), 0);
    sigaction(SIGABRT, NULL, &after);
    assert_ptr_equal(before.sa_handler, after.sa_handler);
}

static int may_lack_memory(void *arg)
{
    rv_chan *ch;
    int err, item = 0;
    (void)arg;
    int r = rv_chan_new(&ch, sizeof(int), 1);
    if (r < 0)
        return r;
    RV_SCOPE(s, err) {
        r = rv_go(s, send_two, ch);
        for (int i = 0; i < 2 && r == 0; i++)
            r = rv_chan_recv(ch, &item, rv_after(RV_SECOND));
        if (r < 0)
            rv_scope_cancel(s, r);
    }
    rv_chan_free(ch);
    return r < 0 ? r : err;
}

static void each_lack_of_memory_is_survived(void **state)
{
    (void)state;
    long before = rvi_alloc_live();
    bool all_tried = false;
    for (long n = 1; !all_tried; n++) {
        rvi_alloc_fail_after(n);
        int r = simulate(may_lack_memory, NULL, 3);
        all_tried = rvi_alloc_fail_pending();
        rvi_alloc_fail_after(-1);
        assert_true(r == 0 || (!all_tried && (r == -ENOMEM || r == -EAGAIN || r == -ETIME)));
        assert_int_equal(rvi_alloc_live(), before);
    }
}

/* --- seeds and options --- */

static int fail_by_seed(void *arg)
{
    uint64_t *left = arg;
    return (*left)-- == 0 ? -EDOM : 0;
}

static void the_first_failing_seed_is_found(void **state)
{
    (void)state;
    struct rv_sim_opts opts = {.size = sizeof(opts), .seed = 100, .seeds = 9, .quiet = 1};
    struct rv_sim_result result = {.size = sizeof(result)};
    uint64_t left = 6;
    assert_int_equal(rv_sim_explore(fail_by_seed, &left, &opts, &result), -EDOM);
    assert_int_equal(result.runs, 7);
    assert_int_equal(result.seed, 106);
    assert_true(strncmp(result.replay, "106:", 4) == 0);
    left = 9;
    assert_int_equal(rv_sim_explore(fail_by_seed, &left, &opts, &result), 0);
    assert_int_equal(result.runs, 9);
    assert_int_equal(result.seed, 108);
}

static void the_environment_names_one_run(void **state)
{
    (void)state;
    static const struct {
        const char *text, *plan;
    } cases[] = {
        {"12:walk:3", "12:walk:3"},
        {"9:pct-4-900:1", "9:pct-4-900:1"},
        {"0:pct-1-1:64", "0:pct-1-1:64"},
        {"18446744073709551615", "18446744073709551615:walk:2"},
    };
    struct rv_sim_opts opts = {.size = sizeof(opts), .strategy = RV_SIM_RANDOM_WALK, .workers = 2};
    struct rv_sim_result result = {.size = sizeof(result)};
    int zero = 0;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        setenv("RAVEL_SEED", cases[i].text, 1);
        assert_int_equal(rv_sim_explore(return_arg, &zero, &opts, &result), 0);
        assert_int_equal(result.runs, 1);
        assert_string_equal(result.replay, cases[i].plan);
    }
    unsetenv("RAVEL_SEED");
}

static void try_what_is_no_seed(void *text)
{
    int zero = 0;
    setenv("RAVEL_SEED", text, 1);
    if (rv_sim_run(return_arg, &zero, NULL) != -EINVAL ||
        rv_sim_explore(return_arg, &zero, NULL, NULL) != -EINVAL)
        _exit(1);
}

static void what_is_no_seed_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "x",
        "-1",
        "1:",
        "1:walk",
        "1:walk:",
        "1:walk:0",
        "1:walk:65",
        "1:walk:2x",
        "1:pct:2",
        "1:pct-0-5:2",
        "1:pct-17-5:2",
        "1:pct-2-0:2",
        "1:pct-2:2",
        "18446744073709551616",
        "1:dfs:2",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct ending ending = run_child(try_what_is_no_seed, (void *)(uintptr_t)texts[i]);
        assert_int_equal(ending.status, 0);
        assert_non_null(strstr(ending.text, "give a number"));
    }
}

static void try_bad_options(void *arg)
{
    int zero = 0;
    const struct rv_sim_opts bad[] = {
        {.size = sizeof(bad[0]), .strategy = (enum rv_sim_strategy)3},
        {.size = sizeof(bad[0]), .depth = 17},
        {.size = sizeof(bad[0]), .workers = 65},
        {.size = sizeof(bad[0]), .step_ns = -1},
    };
    (void)arg;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (rv_sim_run(return_arg, &zero, &bad[i]) != -EINVAL)
            _exit(1);
    }
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    struct {
        struct rv_sim_opts opts;
        int newer;
    } grown = {.opts = {.size = sizeof(grown)}, .newer = 1};
    struct rv_sim_result small = {.size = 8};
    int zero = 0;
    struct ending ending = run_child(try_bad_options, NULL);
    assert_int_equal(ending.status, 0);
    assert_non_null(strstr(ending.text, "rv_sim_opts.depth is out of range"));
    assert_int_equal(rv_sim_run(return_arg, &zero, &grown.opts), -E2BIG);
    assert_int_equal(rv_sim_explore(return_arg, &zero, NULL, &small), -EINVAL);
}

static int simulate_inside(void *arg)
{
    return rv_sim_run(do_nothing, arg, NULL);
}

static int simulate_inside_a_thread(void *arg)
{
    return rv_blocking(simulate_inside, arg, NULL);
}

static int need_stack(void *arg)
{
    volatile char room[200 << 10];
    (void)arg;
    memset((char *)(uintptr_t)room, 1, sizeof(room));
    return room[1000] - 1;
}

static void tasks_have_the_stacks_that_were_asked_for(void **state)
{
    (void)state;
    struct rv_sim_opts opts = {.size = sizeof(opts), .stack_bytes = 256 << 10};
    assert_int_equal(rv_sim_run(need_stack, NULL, &opts), 0);
    setenv("RAVEL_STACK", "262144", 1);
    assert_int_equal(rv_sim_run(need_stack, NULL, NULL), 0);
    unsetenv("RAVEL_STACK");
    opts.stack_bytes = 1;
    assert_int_equal(rv_sim_run(need_stack, NULL, &opts), -EINVAL);
}

static void simulations_do_not_nest(void **state)
{
    (void)state;
    assert_int_equal(simulate(simulate_inside, NULL, 0), -EBUSY);
    assert_int_equal(simulate(simulate_inside_a_thread, NULL, 0), -EBUSY);
    assert_int_equal(rv_run(simulate_inside, NULL, NULL), -EBUSY);
}

static int run_a_runtime(void *arg)
{
    return rv_run(some_of_everything, arg, &(struct rv_run_opts){.workers = 2});
}

static int run_a_runtime_in_a_thread(void *arg)
{
    return rv_blocking(run_a_runtime, arg, NULL);
}

static void a_runtime_inside_is_simulated_too(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 5; seed++)
        assert_int_equal(simulate(run_a_runtime_in_a_thread, NULL, seed), 0);
}

static void a_log_that_cannot_be_written_is_an_error(void **state)
{
    (void)state;
    int zero = 0;
    setenv("RAVEL_SIM_LOG", "/nowhere/at/all", 1);
    assert_int_equal(simulate(return_arg, &zero, 0), -ENOENT);
    setenv("RAVEL_SIM_LOG", "/dev/full", 1);
    assert_int_equal(simulate(return_arg, &zero, 0), -EIO);
    unsetenv("RAVEL_SIM_LOG");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_entry_returns_is_returned),
        cmocka_unit_test(an_hour_is_over_at_once),
        cmocka_unit_test(sleepers_share_the_same_time),
        cmocka_unit_test(equal_seeds_give_equal_events),
        cmocka_unit_test(equal_seeds_give_equal_logs_in_every_process),
        cmocka_unit_test(threads_simulate_side_by_side),
        cmocka_unit_test(threads_keep_their_errno),
        cmocka_unit_test(a_deadlock_is_reported_and_unwound),
        cmocka_unit_test(too_many_steps_are_reported),
        cmocka_unit_test(whoever_dies_leaves_the_seed),
        cmocka_unit_test(afterwards_signals_are_as_before),
        cmocka_unit_test(each_lack_of_memory_is_survived),
        cmocka_unit_test(the_first_failing_seed_is_found),
        cmocka_unit_test(the_environment_names_one_run),
        cmocka_unit_test(what_is_no_seed_is_refused),
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(tasks_have_the_stacks_that_were_asked_for),
        cmocka_unit_test(simulations_do_not_nest),
        cmocka_unit_test(a_runtime_inside_is_simulated_too),
        cmocka_unit_test(a_log_that_cannot_be_written_is_an_error),
    };

    program = argv[0];
    if (argc > 1)
        return rv_sim_run(some_of_everything, NULL, NULL) == 0 ? 0 : 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
