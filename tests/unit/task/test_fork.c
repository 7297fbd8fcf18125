/* SPDX-License-Identifier: MIT */
/* test_fork.c - forks and joins, in the joining task and on other workers; how they nest in scopes;
 * depth; misuse. */
#include <ravel/fork.h>

#include <errno.h>

#include "../../support/crowd.h"
#include "../../support/every_point.h"
#include "../sys/sys_test.h"
#include "stage.h"

enum { FIB = 20, FIB_RESULT = 6765, MANY = 1200, FEW = 5 };

#define MOMENT (10 * RV_MICROSECOND)

/* --- computations --- */

RV_FORKABLE(long, fib, int, n)
{
    if (n < 2)
        return n;
    RV_FORKED(fib) left;
    RV_FORK(left, fib, n - 1);
    long right = RV_CALL(fib, n - 2);
    return RV_JOIN(left, fib) + right;
}

struct wide {
    long sum;
    double parts[5];
};

RV_FORKABLE(struct wide, gather, long, a, double, b, const char *, c, short, d)
{
    return (struct wide){a, {b, (double)c[0], d, 0, 1}};
}

RV_FORKABLE(char, pick, const char *, text, size_t, at)
{
    return text[at];
}

RV_FORKABLE(int, middle, int, a, int, b, int, c)
{
    return a + b + c - (a < b ? a : b) - c;
}

RV_FORKABLE(int, all_of_them, int, unused)
{
    RV_FORKED(gather) wide;
    RV_FORKED(pick) one;
    RV_FORKED(middle) three;
    (void)unused;
    RV_FORK(wide, gather, 7, 0.5, "x", -3);
    RV_FORK(one, pick, "abc", 1);
    RV_FORK(three, middle, 4, 9, 1);
    RV_CHECK(RV_JOIN(three, middle) == 9);
    RV_CHECK(RV_JOIN(one, pick) == 'b');
    struct wide w = RV_JOIN(wide, gather);
    RV_CHECK(w.sum == 7 && w.parts[0] == 0.5 && w.parts[1] == 'x' && w.parts[2] == -3);
    RV_CHECK(w.parts[4] == 1);
    return 0;
}

RV_FORKABLE(size_t, double_it, size_t, number)
{
    return 2 * number;
}

RV_FORKABLE(size_t, double_many, size_t, count)
{
    RV_FORKED(double_it) kids[MANY];
    size_t sum = 0;
    for (size_t i = 0; i < count; i++)
        RV_FORK(kids[i], double_it, i);
    for (size_t i = count; i--;)
        sum += RV_JOIN(kids[i], double_it);
    return sum;
}

static void a_recursion_comes_to_the_serial_result(void)
{
    RV_CHECK(fib(FIB) == FIB_RESULT);
    RV_CHECK(fib(0) == 0 && fib(1) == 1);
}

static void functions_of_one_to_four_parameters_can_be_forked(void)
{
    RV_CHECK(all_of_them(0) == 0);
}

static void forks_beyond_the_last_slot_run_at_once(void)
{
    RV_CHECK(double_many(MANY) == MANY * (MANY - 1));
    RV_CHECK(double_many(2) == 2);
}

struct sum {
    int n, result;
};

static int add_up(void *arg)
{
    struct sum *sum = arg, below = {sum->n - 1, 0};
    struct rv_fork f;
    if (sum->n == 0)
        return 0;
    int r = rv_fork(&f, add_up, &below);
    if (r < 0)
        return r;
    r = rv_join(&f);
    sum->result = below.result + sum->n;
    return r;
}

static void the_function_form_joins_what_it_forked(void)
{
    struct sum sum = {50, 0};
    RV_CHECK(add_up(&sum) == 0 && sum.result == 50 * 51 / 2);
}

static int return_it(void *arg)
{
    return *(int *)arg;
}

static void a_join_returns_what_the_function_returned(void)
{
    int results[] = {-EIO, 7};
    struct rv_fork first, second;
    RV_CHECK(rv_fork(&first, return_it, &results[0]) == 0);
    RV_CHECK(rv_fork(&second, return_it, &results[1]) == 0);
    RV_CHECK(rv_join(&second) == 7);
    RV_CHECK(rv_join(&first) == -EIO);
}

static int count_one(void *count)
{
    rvi_fetch_add_relaxed((_Atomic(int) *)count, 1);
    return 0;
}

static void many_forks_in_a_row_are_joined_backwards(void)
{
    _Atomic(int) count = 0;
    struct rv_fork *forks = calloc(MANY, sizeof(*forks));
    RV_CHECK(forks != NULL);
    for (int i = 0; i < MANY; i++)
        RV_CHECK(rv_fork(&forks[i], count_one, &count) == 0);
    for (int i = MANY; i--;)
        RV_CHECK(rv_join(&forks[i]) == 0);
    RV_CHECK(rvi_load_relaxed(&count) == MANY);
    free(forks);
}

RV_FORKABLE(int, mixed, int, depth)
{
    int one = 1;
    struct rv_fork f;
    if (depth == 0)
        return fib(3); /* by its plain name */
    RV_FORKED(mixed) left;
    RV_FORK(left, mixed, depth - 1);
    RV_CHECK(rv_fork(&f, return_it, &one) == 0 && all_of_them(0) == 0);
    int right = RV_CALL(mixed, depth - 1);
    RV_CHECK(rv_join(&f) == 1);
    return RV_JOIN(left, mixed) + right;
}

static void both_forms_nest_in_each_other(void)
{
    RV_CHECK(mixed(6) == 2 * 64);
}

/* --- who runs a fork --- */

struct where {
    uint64_t task;
    int worker;
};

static int note_where(void *arg)
{
    *(struct where *)arg = (struct where){rv_task_id(), rv_task_worker()};
    return 0;
}

static void a_fork_that_nobody_takes_runs_in_the_joining_task(void)
{
    struct where where;
    struct rv_fork f;
    RV_CHECK(rv_fork(&f, note_where, &where) == 0);
    RV_CHECK(rv_join(&f) == 0);
    RV_CHECK(where.task == rv_task_id() && where.worker == rv_task_worker());
}

/* A child that another worker is sure to have. */
struct taken {
    struct rv_fork fork;
    rv_fn *fn;
    void *arg;
    _Atomic(bool) has_begun;
};

static int begin_taken(void *arg)
{
    struct taken *taken = arg;
    rvi_store_release(&taken->has_begun, true); /* pairs: has-begun */
    return taken->fn(taken->arg);
}

static void fork_elsewhere(struct taken *taken, rv_fn *fn, void *arg)
{
    *taken = (struct taken){.fn = fn, .arg = arg};
    RV_CHECK(rv_fork(&taken->fork, begin_taken, taken) == 0);
    while (!rvi_load_acquire(&taken->has_begun)) /* pairs: has-begun */
        rvi_thread_yield();
}

static void a_fork_that_another_worker_takes_is_a_task_of_its_own(void)
{
    struct where where;
    struct taken taken;
    struct rv_run_stats before = {.size = sizeof(before)}, after = before;
    RV_CHECK(rv_run_stats_read(&before) == 0);
    fork_elsewhere(&taken, note_where, &where);
    RV_CHECK(rv_join(&taken.fork) == 0);
    RV_CHECK(where.task != rv_task_id() && where.worker != rv_task_worker());
    RV_CHECK(rv_run_stats_read(&after) == 0);
    RV_CHECK(after.stolen == before.stolen + 1 && after.finished == before.finished + 1);
}

RV_FORKABLE(long, fib_elsewhere, int, n, _Atomic(bool) *, has_begun)
{
    rvi_store_release(has_begun, true); /* pairs: has-begun */
    return fib(n);
}

RV_FORKABLE(long, two_fibs, int, n)
{
    _Atomic(bool) has_begun = false;
    RV_FORKED(fib_elsewhere) other;
    RV_FORK(other, fib_elsewhere, n, &has_begun);
    long mine = RV_CALL(fib, n);
    while (!rvi_load_acquire(&has_begun)) /* pairs: has-begun */
        rvi_thread_yield();
    return mine + RV_JOIN(other, fib_elsewhere);
}

static void a_taken_child_forks_on(void)
{
    RV_CHECK(two_fibs(FIB) == 2 * FIB_RESULT);
}

/* --- children that block --- */

struct talk {
    rv_chan *there, *back;
};

static int answer(void *arg)
{
    struct talk *talk = arg;
    int item, r;
    while ((r = rv_chan_recv(talk->there, &item, RV_NEVER)) == 0) {
        item *= 2;
        r = rv_chan_send(talk->back, &item, RV_NEVER);
        if (r < 0)
            break;
    }
    return r == -EPIPE ? 0 : r;
}

static void a_taken_child_talks_to_its_parent(void)
{
    struct talk talk;
    struct taken taken;
    int item;
    RV_CHECK(rv_chan_new(&talk.there, sizeof(int), 0) == 0);
    RV_CHECK(rv_chan_new(&talk.back, sizeof(int), 0) == 0);
    fork_elsewhere(&taken, answer, &talk);
    for (int i = 0; i < FEW; i++) {
        RV_CHECK(rv_chan_send(talk.there, &i, RV_NEVER) == 0);
        RV_CHECK(rv_chan_recv(talk.back, &item, RV_NEVER) == 0 && item == 2 * i);
    }
    rv_chan_close(talk.there);
    RV_CHECK(rv_join(&taken.fork) == 0);
    rv_chan_free(talk.there);
    rv_chan_free(talk.back);
}

static int wait_for_event(void *event)
{
    return rv_event_wait(event, RV_NEVER);
}

static int set_event(void *event)
{
    rv_event_set(event);
    return 0;
}

static void a_joiner_that_waits_lets_others_run(void)
{
    struct rv_event event = RV_EVENT_INIT;
    struct taken taken;
    int err;
    RV_SCOPE(scope, err) {
        fork_elsewhere(&taken, wait_for_event, &event);
        go(scope, set_event, &event); /* newest, on this worker, once it is free */
        RV_CHECK(rv_join(&taken.fork) == 0);
    }
    RV_CHECK(err == 0);
}

static int open_scopes(void *arg)
{
    int err;
    (void)arg;
    RV_SCOPE(scope, err) {
        for (int i = 0; i < FEW; i++)
            go(scope, do_nothing, NULL);
        RV_CHECK(rv_sleep(MOMENT) == 0);
    }
    return err;
}

static void a_taken_child_has_scopes_of_its_own(void)
{
    struct taken taken;
    fork_elsewhere(&taken, open_scopes, NULL);
    RV_CHECK(rv_join(&taken.fork) == 0);
}

/* --- cancellation --- */

static void a_cancelled_scope_reaches_a_taken_child(void)
{
    struct taken taken;
    int err;
    RV_SCOPE(scope, err) {
        fork_elsewhere(&taken, sleep_for_ever, NULL);
        until_elsewhere_waits();
        rv_scope_cancel(scope, -ESTALE);
        RV_CHECK(rv_join(&taken.fork) == -ECANCELED);
    }
    RV_CHECK(err == -ESTALE);
}

static int cancel_from_within(void *scope)
{
    rv_scope_cancel(scope, -ESTALE);
    return rv_sleep_until(RV_NEVER);
}

static void a_taken_child_cancels_its_scope(void)
{
    struct taken taken;
    int err;
    RV_SCOPE(scope, err) {
        fork_elsewhere(&taken, cancel_from_within, scope);
        RV_CHECK(rv_join(&taken.fork) == -ECANCELED);
        RV_CHECK(rv_cancelled() == -ESTALE);
    }
    RV_CHECK(err == -ESTALE);
}

static int fork_a_sleeper_elsewhere(void *arg)
{
    struct taken taken;
    (void)arg;
    fork_elsewhere(&taken, sleep_for_ever, NULL);
    return rv_join(&taken.fork);
}

static void the_scope_of_a_parent_without_one_reaches_a_taken_child(void)
{
    int err;
    RV_SCOPE(scope, err) {
        go(scope, fork_a_sleeper_elsewhere, NULL);
        RV_CHECK(rv_sleep(RV_MILLISECOND) == 0);
        rv_scope_cancel(scope, -ESTALE);
    }
    RV_CHECK(err == -ESTALE);
}

static void a_scope_opened_after_the_fork_is_none_of_its_childs(void)
{
    struct rv_event event = RV_EVENT_INIT;
    struct taken taken;
    int err;
    RV_SCOPE(outer, err) {
        int inner_err;
        fork_elsewhere(&taken, wait_for_event, &event);
        RV_SCOPE(inner, inner_err)
            rv_scope_cancel(inner, -EIO);
        RV_CHECK(inner_err == -EIO);
        rv_event_set(&event);
        RV_CHECK(rv_join(&taken.fork) == 0);
    }
    RV_CHECK(err == 0);
}

static void the_innermost_scope_is_its_childs(void)
{
    struct rv_event event = RV_EVENT_INIT;
    struct taken outside, inside;
    int err;
    fork_elsewhere(&outside, wait_for_event, &event);
    RV_SCOPE(scope, err) {
        fork_elsewhere(&inside, sleep_for_ever, NULL);
        rv_scope_cancel(scope, -EIO);
        RV_CHECK(rv_join(&inside.fork) == -ECANCELED);
    }
    RV_CHECK(err == -EIO);
    rv_event_set(&event);
    RV_CHECK(rv_join(&outside.fork) == 0);
}

static void a_join_waits_whatever_is_cancelled(void)
{
    struct rv_event event = RV_EVENT_INIT;
    struct taken taken;
    int err;
    fork_elsewhere(&taken, wait_for_event, &event);
    RV_SCOPE(scope, err) {
        int value = 5;
        struct rv_fork f;
        rv_scope_cancel(scope, -EIO);
        RV_CHECK(rv_fork(&f, return_it, &value) == 0);
        RV_CHECK(rv_join(&f) == 5);
        rv_event_set(&event);
    }
    RV_CHECK(err == -EIO && rv_join(&taken.fork) == 0);
}

static void a_result_below_0_is_the_joiners_alone(void)
{
    struct taken taken;
    int result = -EIO, err;
    RV_SCOPE(scope, err) {
        fork_elsewhere(&taken, return_it, &result);
        RV_CHECK(rv_join(&taken.fork) == -EIO);
        RV_CHECK(rv_cancelled() == 0);
        struct rv_scope_stats stats = {.size = sizeof stats};
        RV_CHECK(rv_scope_stats_read(scope, &stats) == 0);
        RV_CHECK(stats.started == 0 && stats.failed == 0);
    }
    RV_CHECK(err == 0);
}

/* --- what a child inherits --- */

static const struct rv_local_key key = {"key"};

static int check_local(void *value)
{
    RV_CHECK(rv_local_get(&key) == value);
    RV_CHECK(rv_local_set(&key, NULL) == 0);
    return 0;
}

static void a_taken_child_inherits_task_local_values(void)
{
    struct taken taken;
    int value;
    RV_CHECK(rv_local_set(&key, &value) == 0);
    fork_elsewhere(&taken, check_local, &value);
    RV_CHECK(rv_local_get(&key) == &value);
    RV_CHECK(rv_join(&taken.fork) == 0);
    RV_CHECK(rv_local_set(&key, NULL) == 0);
}

static int sleep_a_moment(void *arg)
{
    (void)arg;
    return rv_sleep(MOMENT);
}

static void a_shield_covers_what_is_forked_under_it(void)
{
    struct taken taken;
    int err;
    RV_SCOPE(scope, err) {
        rv_scope_cancel(scope, -EIO);
        RV_CHECK(rv_shield_begin(rv_after(RV_MINUTE)) == 0);
        fork_elsewhere(&taken, sleep_a_moment, NULL);
        RV_CHECK(rv_join(&taken.fork) == 0);
        rv_shield_end();
        fork_elsewhere(&taken, sleep_a_moment, NULL);
        RV_CHECK(rv_join(&taken.fork) == -ECANCELED);
    }
    RV_CHECK(err == -EIO);
}

/* It may be taken before or after the scope is opened, which hides nothing from it. */
static void a_shield_covers_what_is_forked_under_it_before_a_scope_is_opened(void)
{
    int err;
    RV_SCOPE(scope, err) {
        rv_scope_cancel(scope, -EIO);
        RV_CHECK(rv_shield_begin(rv_after(RV_MINUTE)) == 0);
        for (int i = 0; i < FEW; i++) {
            struct taken taken = {.fn = sleep_a_moment};
            int inner_err;
            RV_CHECK(rv_fork(&taken.fork, begin_taken, &taken) == 0);
            RV_SCOPE(inner, inner_err) {
                while (!rvi_load_acquire(&taken.has_begun)) /* pairs: has-begun */
                    rvi_thread_yield();
            }
            RV_CHECK(inner_err == 0 && rv_join(&taken.fork) == 0);
        }
        rv_shield_end();
    }
    RV_CHECK(err == -EIO);
}

static int try_to_migrate(void *arg)
{
    (void)arg;
    return rv_migrate(0);
}

RV_FORKABLE(int, migrate_inside, int, unused)
{
    (void)unused;
    return rv_migrate(0);
}

static int migrate_with_forks(void *arg)
{
    struct rv_fork f;
    (void)arg;
    RV_CHECK(rv_fork(&f, do_nothing, NULL) == 0);
    RV_CHECK(rv_migrate(0) == -EBUSY);
    RV_CHECK(rv_join(&f) == 0);
    RV_CHECK(migrate_inside(0) == -EBUSY);
    return rv_migrate(0);
}

static void a_task_stays_while_it_may_have_forks(void)
{
    int err;
    RV_SCOPE(scope, err)
        go(scope, migrate_with_forks, NULL);
    RV_CHECK(err == 0);
}

static void a_taken_child_without_forks_may_move(void)
{
    struct taken taken;
    fork_elsewhere(&taken, try_to_migrate, NULL);
    RV_CHECK(rv_join(&taken.fork) == 0);
}

/* --- depth --- */

static int descend(void *arg)
{
    size_t depth = *(size_t *)arg + 1;
    struct rv_fork f;
    int r = rv_fork(&f, descend, &depth);
    if (r < 0) {
        RV_CHECK(r == -EOVERFLOW && depth > 10);
        return 77;
    }
    return rv_join(&f);
}

static void the_function_form_sees_the_end_of_the_stack(void)
{
    size_t depth = 0;
    int err;
    RV_CHECK(descend(&depth) == 77);
    RV_SCOPE(scope, err, .policy = RV_COLLECT_ALL)
        go(scope, descend, &depth);
    RV_CHECK(err == 0);
}

RV_FORKABLE(long, bottomless, volatile long *, above)
{
    volatile long here = *above + 1;
    if (here < 0)
        return 0;
    RV_FORKED(bottomless) f;
    RV_FORK(f, bottomless, &here);
    return RV_JOIN(f, bottomless) + here;
}

static int fall(void *arg)
{
    volatile long here = 0;
    (void)arg;
    return (int)bottomless(&here);
}

static void fall_in_the_first_task(void)
{
    fall(NULL);
}

static void fall_in_a_task(void)
{
    rv_scope *scope = open_scope(NULL);
    RV_CHECK(rv_go(scope, fall, NULL) == 0);
    (void)!rv_scope_close(scope);
}

static void fall_in_a_taken_child(void)
{
    struct taken taken;
    fork_elsewhere(&taken, fall, NULL);
    for (;;)
        rvi_thread_yield(); /* a joiner's worker would take the next fork of the fall */
}

/* --- misuse --- */

static void join_the_older_first(void)
{
    struct rv_fork a, b;
    RV_CHECK(rv_fork(&a, do_nothing, NULL) == 0 && rv_fork(&b, do_nothing, NULL) == 0);
    (void)!rv_join(&a);
}

static void join_twice(void)
{
    struct rv_fork f;
    RV_CHECK(rv_fork(&f, do_nothing, NULL) == 0 && rv_join(&f) == 0);
    (void)!rv_join(&f);
}

RV_FORKABLE(long, crossed, int, n)
{
    RV_FORKED(fib) a;
    RV_FORKED(fib) b;
    RV_FORK(a, fib, n);
    RV_FORK(b, fib, n);
    long sum = RV_JOIN(a, fib);
    return sum + RV_JOIN(b, fib);
}

static void join_the_older_first_typed(void)
{
    (void)crossed(3);
}

static int leave_open(void *fork)
{
    return rv_fork((struct rv_fork *)fork, do_nothing, NULL);
}

static void return_with_a_fork_open(void)
{
    struct rv_fork f;
    rv_scope *scope = open_scope(NULL);
    go(scope, leave_open, &f);
    (void)!rv_scope_close(scope);
}

RV_FORKABLE(int, forgetful, int, n)
{
    RV_FORKED(fib) f;
    RV_FORK(f, fib, n);
    return n;
}

static void return_with_a_fork_open_typed(void)
{
    (void)forgetful(1);
}

static void close_a_scope_around_a_fork(void)
{
    struct rv_fork f;
    rv_scope *scope = open_scope(NULL);
    RV_CHECK(rv_fork(&f, do_nothing, NULL) == 0);
    (void)!rv_scope_close(scope);
}

static void close_an_inner_scope_around_a_fork(void)
{
    struct rv_fork outside, inside;
    RV_CHECK(rv_fork(&outside, do_nothing, NULL) == 0);
    rv_scope *scope = open_scope(NULL);
    RV_CHECK(rv_fork(&inside, do_nothing, NULL) == 0);
    (void)!rv_scope_close(scope);
}

static void misuse_ends_with_a_sentence(void **state)
{
    (void)state;
    assert_panics(ONE_WORKER, join_the_older_first, "is not for the last fork that is open");
    assert_panics(ONE_WORKER, join_twice, "rv_join() of 'do_nothing'");
    assert_panics(ONE_WORKER, join_the_older_first_typed, "RV_JOIN() of 'fib', forkable at");
    assert_panics(ONE_WORKER, return_with_a_fork_open, "returned with a fork open");
    assert_panics(ONE_WORKER, return_with_a_fork_open_typed,
                  "a forkable function returned with a fork open");
    assert_panics(ONE_WORKER, close_a_scope_around_a_fork,
                  "a scope is closed while a fork made inside it is open");
    assert_panics(ONE_WORKER, close_an_inner_scope_around_a_fork,
                  "a scope is closed while a fork made inside it is open");
}

/* --- scenes for every_point.h --- */

static int wait_a_little(void *arg)
{
    rv_chan *chan = arg;
    int item;
    int r = rv_sleep(MOMENT);
    return r < 0 ? r : rv_chan_recv(chan, &item, RV_NEVER);
}

/* Forks that block, inside and outside of a scope, and get what they wait for. */
static int forks_that_wait(void *unused)
{
    struct rv_fork outside, inside;
    rv_chan *chan;
    int err, r = rv_chan_new(&chan, sizeof(int), 2), first = 0, second = 0;
    (void)unused;
    if (r < 0)
        return r;
    r = rv_chan_send(chan, &r, RV_NEVER);
    RV_CHECK(rv_fork(&outside, wait_a_little, chan) == 0);
    RV_SCOPE(scope, err) {
        RV_CHECK(rv_fork(&inside, wait_a_little, chan) == 0);
        (void)!rv_chan_send(chan, &r, RV_NEVER);
        if (r == 0)
            r = rv_sleep(MOMENT);
        second = rv_join(&inside);
    }
    rv_chan_close(chan);
    first = rv_join(&outside);
    rv_chan_free(chan);
    return r < 0 ? r : err < 0 ? err : first < 0 ? first : second;
}

RV_FORKABLE(int, sleepy_tree, int, depth)
{
    if (depth == 0)
        return rv_sleep(MOMENT);
    RV_FORKED(sleepy_tree) left;
    RV_FORK(left, sleepy_tree, depth - 1);
    int right = RV_CALL(sleepy_tree, depth - 1);
    int first = RV_JOIN(left, sleepy_tree);
    return first < 0 ? first : right;
}

static int tree(void *unused)
{
    (void)unused;
    return sleepy_tree(3);
}

static void cancelled(void **state)
{
    for (unsigned workers = 1; workers <= 3; workers++)
        cancel_at_every_point((rv_fn *)*state, workers);
}

static void starved(void **state)
{
    for (unsigned workers = 1; workers <= 2; workers++)
        fail_every_allocation((rv_fn *)*state, workers);
}

static void perform_on_one_worker(void *fn)
{
    perform(ONE_WORKER, (play *)fn);
}

static void perform_on_two_workers(void *fn)
{
    perform(TWO_WORKERS, (play *)fn);
}

/* The last words of a fall: who, how large, and what to do. */
static void check_fall(void (*stage)(void *fn), play *fn, const char *who)
{
    struct ending ending = run_child(stage, (void *)fn);
    assert_non_null(strstr(ending.text, "ravel: stack overflow in task '"));
    assert_non_null(strstr(ending.text, who));
    assert_non_null(strstr(ending.text, "its stack of 64 KiB is used up; raise stack_bytes in "
                                        "struct rv_run_opts (or RAVEL_STACK)"));
    assert_false(WIFEXITED(ending.status) && WEXITSTATUS(ending.status) == 0);
}

/* ThreadSanitizer's own locks are held where its hooks overflow, and the fault handler's atomics
 * wait for them. */
static void a_recursion_without_end_names_the_task(void **state)
{
    (void)state;
    if (RVI_TSAN)
        skip();
    check_fall(perform_on_one_worker, fall_in_the_first_task, "'entry'");
    check_fall(perform_on_one_worker, fall_in_a_task, "'fall'");
    check_fall(perform_on_two_workers, fall_in_a_taken_child, "'begin_taken'");
}

#define ON_TWO(test) performance(#test, on_two_workers, test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_STAGE(a_recursion_comes_to_the_serial_result),
        ON_EVERY_STAGE(functions_of_one_to_four_parameters_can_be_forked),
        ON_EVERY_STAGE(forks_beyond_the_last_slot_run_at_once),
        ON_EVERY_STAGE(the_function_form_joins_what_it_forked),
        ON_EVERY_STAGE(a_join_returns_what_the_function_returned),
        ON_EVERY_STAGE(many_forks_in_a_row_are_joined_backwards),
        ON_EVERY_STAGE(both_forms_nest_in_each_other),
        performance("a_fork_that_nobody_takes_runs_in_the_joining_task", on_one_worker,
                    a_fork_that_nobody_takes_runs_in_the_joining_task),
        ON_TWO(a_fork_that_another_worker_takes_is_a_task_of_its_own),
        ON_TWO(a_taken_child_forks_on),
        ON_TWO(a_taken_child_talks_to_its_parent),
        ON_TWO(a_joiner_that_waits_lets_others_run),
        ON_TWO(a_taken_child_has_scopes_of_its_own),
        ON_TWO(a_cancelled_scope_reaches_a_taken_child),
        ON_TWO(a_taken_child_cancels_its_scope),
        ON_TWO(the_scope_of_a_parent_without_one_reaches_a_taken_child),
        ON_TWO(a_scope_opened_after_the_fork_is_none_of_its_childs),
        ON_TWO(the_innermost_scope_is_its_childs),
        ON_TWO(a_join_waits_whatever_is_cancelled),
        ON_TWO(a_result_below_0_is_the_joiners_alone),
        ON_TWO(a_taken_child_inherits_task_local_values),
        ON_TWO(a_shield_covers_what_is_forked_under_it),
        ON_TWO(a_shield_covers_what_is_forked_under_it_before_a_scope_is_opened),
        ON_TASKS(a_task_stays_while_it_may_have_forks),
        ON_TWO(a_taken_child_without_forks_may_move),
        ON_TASKS(the_function_form_sees_the_end_of_the_stack),
        cmocka_unit_test(a_recursion_without_end_names_the_task),
        cmocka_unit_test(misuse_ends_with_a_sentence),
        {"forks_that_wait_cancelled", cancelled, NULL, NULL, (void *)forks_that_wait},
        {"forks_that_wait_starved", starved, NULL, NULL, (void *)forks_that_wait},
        {"tree_cancelled", cancelled, NULL, NULL, (void *)tree},
        {"tree_starved", starved, NULL, NULL, (void *)tree},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
