/* SPDX-License-Identifier: MIT */
/* test_search.c - who has nobody to run finds work, or sleeps until there is some. */
#include "sched/search.h"

#include <pthread.h>

#include "sched_test.h"

/* --- stealing --- */

struct crowd {
    size_t count;
    _Atomic(size_t) arrived;
};

static int arrive_elsewhere(void *arg)
{
    struct crowd *crowd = arg;
    RV_CHECK(rv_task_worker() != 0);
    rvi_fetch_add_relaxed(&crowd->arrived, 1);
    return 0;
}

/* From here on the first worker does not yield: others have to run all of them. */
static int spawn_and_hold(void *arg)
{
    struct crowd *crowd = arg;
    int err;
    RV_SCOPE(s, err) {
        for (size_t i = 0; i < crowd->count; i++)
            RV_CHECK(rv_go(s, arrive_elsewhere, crowd) == 0);
        while (rvi_load_relaxed(&crowd->arrived) < crowd->count)
            rvi_thread_yield();
    }
    RV_CHECK(err == 0 && stats_now().stolen == crowd->count);
    return 0;
}

static void idle_workers_steal_what_a_busy_one_has_not_begun(void **state)
{
    (void)state;
    const size_t counts[] = {1, 2, 3, 50, 1000};
    for (unsigned workers = 2; workers <= 4; workers++) {
        for (size_t i = 0; i < 5; i++) {
            struct crowd crowd = {.count = counts[i]};
            assert_int_equal(run_on(workers, spawn_and_hold, &crowd), 0);
        }
    }
}

/* --- stealing that must not be left to the monitor, or must be told to it --- */

static void wait_for_sleep(const struct rvi_worker *w)
{
    while (!rvi_sleeper_looks_asleep(&w->sleeper))
        rvi_thread_yield();
}

static int hold_task(void *done)
{
    hold_until(done);
    return 0;
}

struct bystander {
    flag is_there, stolen;
    struct rv_event call;
};

static int wait_on_the_second_worker(void *arg)
{
    struct bystander *b = arg;
    RV_CHECK(rv_migrate(1) == 0);
    raise_flag(&b->is_there);
    RV_CHECK(rv_event_wait(&b->call, RV_NEVER) == 0);
    hold_until(&b->stolen);
    return 0;
}

/* Worker 1 seems to search while tasks are spawned here, so that nobody is woken for them; then it
 * finds a task of its own instead. Only worker 2 is left to run them, and no monitor to wake it. */
static int spawn_under_a_searcher(void *arg)
{
    struct bystander *b = arg;
    struct rvi_sched *sched = rvi_sched_self();
    int err;
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, wait_on_the_second_worker, b) == 0);
        yield_until(&b->is_there);
        rvi_store_relaxed(&sched->monitor.look_ns, 3600 * RV_SECOND);
        RV_CHECK(rv_sleep(3 * RV_MILLISECOND) == 0); /* it looks once more, and then no more */
        wait_for_sleep(&sched->workers[1]);
        wait_for_sleep(&sched->workers[2]);
        rvi_fetch_add_relaxed(&sched->searching, 1);
        for (int i = 0; i < 10; i++)
            RV_CHECK(rv_go(s, raise_it, &b->stolen) == 0);
        rvi_fetch_sub_relaxed(&sched->searching, 1);
        rv_event_set(&b->call);
        hold_until(&b->stolen);
    }
    return err;
}

static void regress_a_searcher_that_finds_its_own_task_sends_another_for_the_rest(void **state)
{
    (void)state;
    for (size_t i = 0; i < repeats(20); i++) {
        struct bystander b = {.call = RV_EVENT_INIT};
        assert_int_equal(run_on(3, spawn_under_a_searcher, &b), 0);
    }
}

/* Worker 1 steals two of eight, which came into the deque without anybody being told, and is held
 * by the first one. */
static int let_a_thief_take_two(void *arg)
{
    enum { TASKS = 8 };
    struct rvi_worker *w = rvi_worker_self();
    void *tasks[TASKS];
    flag *done = arg;
    int err;
    RV_SCOPE(s, err) {
        for (int i = 0; i < TASKS; i++) {
            RV_CHECK(rv_go(s, hold_task, done) == 0);
            tasks[i] = rvi_deque_pop(&w->fresh);
            if (!tasks[i])
                i--; /* stolen at once */
        }
        wait_for_sleep(&w->sched->workers[1]);
        while (rvi_load_relaxed(&w->sched->monitor.asleep) != 1)
            rvi_thread_yield();
        for (int i = 0; i < TASKS; i++)
            RV_CHECK(rvi_deque_push(&w->fresh, tasks[i]) == 0);
        rvi_sched_wake_one(w->sched);
        while (rvi_load_relaxed(&w->sched->monitor.asleep) == 1)
            rvi_thread_yield();
        raise_flag(done);
    }
    return err;
}

static void regress_the_monitor_is_told_of_what_a_thief_leaves(void **state)
{
    (void)state;
    for (size_t i = 0; i < repeats(10); i++) {
        flag done = false;
        assert_int_equal(run_on(2, let_a_thief_take_two, &done), 0);
    }
}

static int meet_all(void *arg)
{
    int r = pthread_barrier_wait(arg);
    RV_CHECK(r == 0 || r == PTHREAD_BARRIER_SERIAL_THREAD);
    return 0;
}

/* Each holds its thread until all have come: they have to run on as many workers. */
static int spawn_to_meet(void *arg)
{
    pthread_barrier_t barrier;
    unsigned workers = rv_run_workers();
    int err;
    (void)arg;
    RV_CHECK(pthread_barrier_init(&barrier, NULL, workers) == 0);
    for (size_t round = 0; round < repeats(20); round++) {
        RV_SCOPE(s, err) {
            for (unsigned i = 1; i < workers; i++)
                RV_CHECK(rv_go(s, meet_all, &barrier) == 0);
            meet_all(&barrier);
        }
        RV_CHECK(err == 0);
    }
    pthread_barrier_destroy(&barrier);
    return 0;
}

static void all_workers_take_part(void **state)
{
    (void)state;
    for (unsigned workers = 2; workers <= 8; workers *= 2)
        assert_int_equal(run_on(workers, spawn_to_meet, NULL), 0);
}

struct tree {
    int depth;
    _Atomic(uint64_t) *leaves;
};

static int grow_tree(void *arg)
{
    struct tree *tree = arg, child = {tree->depth - 1, tree->leaves};
    int err;
    if (tree->depth == 0) {
        rvi_fetch_add_relaxed(tree->leaves, 1);
        return 0;
    }
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, grow_tree, &child) == 0 && rv_go(s, grow_tree, &child) == 0);
    }
    return err;
}

static void trees_of_tasks_are_complete(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 4; workers++) {
        _Atomic(uint64_t) leaves = 0;
        struct tree tree = {is_under_a_tool() ? 7 : 12, &leaves};
        assert_int_equal(run_on(workers, grow_tree, &tree), 0);
        assert_int_equal(leaves, 1 << tree.depth);
    }
}

static int look_for_surplus(void *arg)
{
    struct rvi_worker *w = rvi_worker_self();
    uint32_t seen = (uint32_t)rvi_load_relaxed(&w->tick) - 1;
    flag f = false;
    int err;
    (void)arg;
    RV_CHECK(!rvi_worker_has_surplus(w, &seen));
    RV_CHECK(!rvi_worker_has_surplus(w, &seen));
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, raise_it, &f) == 0);
        RV_CHECK(!rvi_worker_has_surplus(w, &seen)); /* it may come to it in a moment */
        RV_CHECK(rvi_worker_has_surplus(w, &seen));  /* it did not */
        RV_CHECK(rv_go(s, raise_it, &f) == 0);
        seen--;
        RV_CHECK(rvi_worker_has_surplus(w, &seen)); /* two are too many at the first look */
        yield_until(&f);
    }
    RV_CHECK(err == 0 && !rvi_worker_has_surplus(w, &seen));
    return 0;
}

static void a_lone_task_is_surplus_once_it_has_waited(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, look_for_surplus, NULL), 0);
}

/* --- sleep --- */

static int let_others_sleep(void *arg)
{
    struct rvi_sched *sched = rvi_sched_self();
    (void)arg;
    for (size_t i = 0; i < repeats(20); i++) {
        flag f = false;
        int err;
        while (rvi_load_relaxed(&sched->attention) < sched->worker_count - 1)
            rvi_thread_yield();
        RV_SCOPE(s, err) {
            /* Two: a lone one wakes nobody but the monitor. */
            RV_CHECK(rv_go(s, raise_it, &f) == 0 && rv_go(s, raise_it, &f) == 0);
            hold_until(&f);
        }
        RV_CHECK(err == 0);
    }
    while (stats_now().sleeps < rv_run_workers() - 1) /* where cores are scarce a search is long */
        RV_CHECK(rv_sleep(RV_MILLISECOND) == 0);
    return 0;
}

static void those_who_find_nothing_sleep_and_are_woken_for_work(void **state)
{
    (void)state;
    for (unsigned workers = 2; workers <= 4; workers++)
        assert_int_equal(run_on(workers, let_others_sleep, NULL), 0);
}

static int sleep_soundly(void *arg)
{
    (void)arg;
    uint64_t before = stats_now().sleeps;
    do { /* where cores are scarce the search before the sleep may outlast it */
        rv_time until = rv_after(30 * RV_MILLISECOND);
        RV_CHECK(rv_sleep_until(until) == 0);
        RV_CHECK(rv_now() >= until);
    } while (stats_now().sleeps == before);
    return 0;
}

static void a_worker_whose_tasks_all_sleep_sleeps_until_the_first_deadline(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, sleep_soundly, NULL), 0);
    assert_int_equal(run_on(3, sleep_soundly, NULL), 0);
}

/* --- a core that others compute on --- */

/* The clock, and a kernel whose every yield takes so long. */
struct kernel {
    struct rvi_seam seam;
    int64_t now, turn;
};

static int64_t its_clock(struct rvi_seam *seam)
{
    return rvi_container_of(seam, struct kernel, seam)->now;
}

static void its_point(struct rvi_seam *seam, enum rvi_point what)
{
    struct kernel *kernel = rvi_container_of(seam, struct kernel, seam);

    if (what == RVI_POINT_SPIN)
        kernel->now += kernel->turn;
}

static bool is_crowded_after(struct kernel *kernel, int64_t turn, int64_t later)
{
    struct rvi_worker *w = rvi_worker_self();

    kernel->turn = turn;
    rvi_seam = &kernel->seam;
    rvi_worker_offer_core(w);
    kernel->now += later;
    bool crowded = rvi_worker_is_crowded(w);
    RV_CHECK(!crowded || !rvi_worker_may_spin(w, RV_NEVER));
    rvi_seam = NULL;
    return crowded;
}

static int have_turns(void *arg)
{
    struct kernel kernel = {.seam = {.clock_now = its_clock, .point = its_point}, .now = rv_now()};

    (void)arg;
    RV_CHECK(!is_crowded_after(&kernel, 0, 0));
    RV_CHECK(!is_crowded_after(&kernel, 300 * RV_MICROSECOND, 0));
    RV_CHECK(is_crowded_after(&kernel, 4 * RV_MILLISECOND, 0));
    RV_CHECK(is_crowded_after(&kernel, 0, 50 * RV_MILLISECOND));
    RV_CHECK(!is_crowded_after(&kernel, 0, RV_SECOND));
    return 0;
}

static void regress_a_worker_on_a_crowded_core_sleeps_rather_than_stand_in_line(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 2; workers++)
        assert_int_equal(run_on(workers, have_turns, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_workers_steal_what_a_busy_one_has_not_begun),
        cmocka_unit_test(regress_a_searcher_that_finds_its_own_task_sends_another_for_the_rest),
        cmocka_unit_test(regress_the_monitor_is_told_of_what_a_thief_leaves),
        cmocka_unit_test(all_workers_take_part),
        cmocka_unit_test(trees_of_tasks_are_complete),
        cmocka_unit_test(a_lone_task_is_surplus_once_it_has_waited),
        cmocka_unit_test(those_who_find_nothing_sleep_and_are_woken_for_work),
        cmocka_unit_test(a_worker_whose_tasks_all_sleep_sleeps_until_the_first_deadline),
        cmocka_unit_test(regress_a_worker_on_a_crowded_core_sleeps_rather_than_stand_in_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
