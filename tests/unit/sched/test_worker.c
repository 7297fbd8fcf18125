/* SPDX-License-Identifier: MIT */
/* test_worker.c - who runs, where and when: pinning, order, migration. */
#include "sched/worker.h"

#include <errno.h>
#include <pthread.h>

#include "sched_test.h"
#include "sys/cpu.h"

/* --- pinning --- */

static _Thread_local int local_to_thread;

struct place {
    pid_t tid;
    int worker;
    int *errno_at, *local_at;
};

/* Not inlined: a compiler may keep these addresses over a call that migrates. */
__attribute__((noinline)) static struct place place_now(void)
{
    return (struct place){gettid(), rv_task_worker(), &errno, &local_to_thread};
}

static void check_place(const struct place *place)
{
    struct place now = place_now();
    RV_CHECK(now.tid == place->tid && now.worker == place->worker);
    RV_CHECK(now.errno_at == place->errno_at && now.local_at == place->local_at);
}

struct hall {
    struct rv_sem sem;
    rv_chan *chan;
    size_t steps;
};

static int switch_often(void *arg)
{
    struct hall *hall = arg;
    struct place place = place_now();
    for (size_t i = 0; i < hall->steps; i++) {
        int item = (int)i;
        switch (i % 5) {
        case 0:
            rv_yield();
            break;
        case 1:
            RV_CHECK(rv_sleep((rv_time)(i % 50) * RV_MICROSECOND) == 0);
            break;
        case 2:
            rv_sem_post(&hall->sem, 1);
            RV_CHECK(rv_sem_wait(&hall->sem, RV_NEVER) == 0);
            break;
        case 3:
            RV_CHECK(rv_chan_send(hall->chan, &item, RV_NEVER) == 0);
            break;
        default:
            RV_CHECK(rv_chan_recv(hall->chan, &item, RV_NEVER) == 0);
        }
        check_place(&place);
    }
    return 0;
}

static int switch_often_everywhere(void *arg)
{
    struct hall hall = {.steps = repeats(500) / 5 * 5};
    int err;
    (void)arg;
    rv_sem_init(&hall.sem, 0);
    RV_CHECK(rv_chan_new(&hall.chan, sizeof(int), 200) == 0);
    RV_SCOPE(s, err) {
        for (int i = 0; i < 100; i++)
            RV_CHECK(rv_go(s, switch_often, &hall) == 0);
    }
    rv_chan_free(hall.chan);
    return err;
}

static void a_task_that_has_begun_never_changes_its_thread(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 4; workers++)
        assert_int_equal(run_on(workers, switch_often_everywhere, NULL), 0);
}

/* --- order --- */

enum { QUEUE = 200 };

static struct {
    size_t count;
    size_t who[QUEUE];
} order;

static int note_order(void *arg)
{
    order.who[order.count++] = (size_t)(uintptr_t)arg;
    return 0;
}

static int queue_up(void *arg)
{
    int err;
    (void)arg;
    order.count = 0;
    RV_SCOPE(s, err) {
        for (size_t i = 0; i < QUEUE; i++)
            RV_CHECK(rv_go(s, note_order, (void *)(uintptr_t)i) == 0);
    }
    return err;
}

static void the_newest_fresh_task_begins_first_and_at_times_the_oldest(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, queue_up, NULL), 0);
    assert_int_equal(order.count, QUEUE);
    assert_int_equal(order.who[0], QUEUE - 1);
    size_t oldest = 0;
    while (order.who[oldest] != 0)
        oldest++;
    assert_in_range(oldest, 1, 64);
}

static int note_and_yield(void *arg)
{
    for (int i = 0; i < 10; i++) {
        note_order(arg);
        rv_yield();
    }
    return 0;
}

static int take_turns(void *arg)
{
    int err;
    (void)arg;
    order.count = 0;
    RV_SCOPE(s, err) {
        for (size_t i = 0; i < 5; i++)
            RV_CHECK(rv_go(s, note_and_yield, (void *)(uintptr_t)i) == 0);
    }
    return err;
}

static void those_that_yield_take_turns(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, take_turns, NULL), 0);
    assert_int_equal(order.count, 50);
    size_t first = 0; /* from here on all five have begun */
    for (bool seen[5] = {false}; !(seen[0] && seen[1] && seen[2] && seen[3] && seen[4]); first++)
        seen[order.who[first]] = true;
    for (size_t i = first; i + 5 < 50 - 20; i++)
        assert_int_equal(order.who[i], order.who[i + 5]);
}

static int yield_alone(void *arg)
{
    uint64_t switches = stats_now().switches;
    (void)arg;
    for (int i = 0; i < 1000; i++)
        rv_yield();
    RV_CHECK(stats_now().switches == switches);
    return 0;
}

static void one_that_yields_alone_goes_on(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, yield_alone, NULL), 0);
    assert_int_equal(run_on(2, yield_alone, NULL), 0);
}

/* --- extreme programs --- */

static int compute(void *arg)
{
    uint64_t *sum = arg, x = 1;
    for (int i = 0; i < 1000; i++)
        x = x * 6364136223846793005u + 1;
    *sum = x;
    return 0;
}

static int never_block(void *arg)
{
    uint64_t sums[QUEUE] = {0};
    int err;
    (void)arg;
    for (size_t round = 0; round < repeats(20); round++) {
        RV_SCOPE(s, err) {
            for (size_t i = 0; i < QUEUE; i++)
                RV_CHECK(rv_go(s, compute, &sums[i]) == 0);
        }
        RV_CHECK(err == 0);
        for (size_t i = 0; i < QUEUE; i++)
            RV_CHECK(sums[i] == sums[0]);
    }
    return 0;
}

static void a_program_whose_tasks_never_block_finishes(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 4; workers *= 2)
        assert_int_equal(run_on(workers, never_block, NULL), 0);
}

struct relay {
    struct rv_sem *mine, *next;
    size_t rounds;
};

static int only_block(void *arg)
{
    struct relay *relay = arg;
    for (size_t i = 0; i < relay->rounds; i++) {
        RV_CHECK(rv_sem_wait(relay->mine, RV_NEVER) == 0);
        rv_sem_post(relay->next, 1);
    }
    return 0;
}

static int run_relay(void *arg)
{
    enum { RUNNERS = 30 };
    struct rv_sem sems[RUNNERS];
    struct relay relays[RUNNERS];
    int err;
    (void)arg;
    for (size_t i = 0; i < RUNNERS; i++) {
        rv_sem_init(&sems[i], i == 0);
        relays[i] = (struct relay){&sems[i], &sems[(i + 1) % RUNNERS], repeats(200)};
    }
    RV_SCOPE(s, err) {
        for (size_t i = 0; i < RUNNERS; i++)
            RV_CHECK(rv_go(s, only_block, &relays[i]) == 0);
    }
    RV_CHECK(err == 0 && rv_sem_try_wait(&sems[0]) == 0);
    return 0;
}

static void a_program_whose_tasks_only_block_finishes(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 4; workers *= 2)
        assert_int_equal(run_on(workers, run_relay, NULL), 0);
}

/* --- migration --- */

static int visit_each_worker(void *arg)
{
    unsigned workers = rv_run_workers();
    pid_t tids[8];
    (void)arg;
    RV_CHECK(rv_migrate(workers) == -EINVAL && rv_migrate(UINT32_MAX) == -EINVAL);
    for (unsigned i = 0; i < 3 * workers; i++) {
        RV_CHECK(rv_migrate(i % workers) == 0);
        RV_CHECK(rv_task_worker() == (int)(i % workers));
        if (i < workers)
            tids[i] = gettid();
        RV_CHECK(gettid() == tids[i % workers]);
    }
    for (unsigned i = 1; i < workers; i++)
        RV_CHECK(tids[i] != tids[0]);
    return 0;
}

static void a_task_may_move_to_each_worker(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 8; workers *= 2)
        assert_int_equal(run_on(workers, visit_each_worker, NULL), 0);
    assert_int_equal(rv_migrate(0), -EPERM);
}

static int move_with_a_scope_open(void *arg)
{
    int err;
    (void)arg;
    RV_SCOPE(s, err) {
        RV_CHECK(rv_migrate(1) == -EBUSY);
        RV_CHECK(rv_migrate(0) == -EBUSY);
    }
    RV_CHECK(err == 0 && rv_migrate(1) == 0);
    return 0;
}

static void a_task_with_a_scope_open_must_stay(void **state)
{
    (void)state;
    assert_int_equal(run_on(2, move_with_a_scope_open, NULL), 0);
}

/* On each worker it leaves something of each kind behind, which has to go on without it. */
static int move_and_spawn(void *arg)
{
    size_t steps = repeats(40);
    int err;
    (void)arg;
    for (size_t i = 0; i < steps; i++) {
        struct place place;
        uint64_t sums[10];
        RV_CHECK(rv_migrate((unsigned)i % rv_run_workers()) == 0);
        place = place_now();
        RV_SCOPE(s, err) {
            for (size_t k = 0; k < 10; k++)
                RV_CHECK(rv_go(s, compute, &sums[k]) == 0);
            RV_CHECK(rv_sleep(RV_MICROSECOND) == 0);
        }
        RV_CHECK(err == 0);
        check_place(&place);
    }
    return 0;
}

static int many_move_and_spawn(void *arg)
{
    int err;
    RV_SCOPE(s, err) {
        for (int i = 0; i < 20; i++)
            RV_CHECK(rv_go(s, move_and_spawn, arg) == 0);
    }
    return err;
}

static void tasks_on_the_move_do_all_that_others_do(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 4; workers++)
        assert_int_equal(run_on(workers, many_move_and_spawn, NULL), 0);
}

/* --- one that holds its worker but asks now and then --- */

static int poll_cancelled(void *arg)
{
    raise_flag(arg);
    while (!rv_cancelled())
        rvi_cpu_relax();
    return -EINTR;
}

static int wait_for_poller_by_deadline(void *arg)
{
    flag f = false;
    int err;
    (void)arg;
    RV_SCOPE(s, err, .deadline = rv_after(2 * RV_MILLISECOND)) {
        RV_CHECK(rv_go(s, poll_cancelled, &f) == 0);
    }
    RV_CHECK(err == -ETIME);
    return 0;
}

static void one_that_polls_hears_of_a_deadline(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 3; workers++)
        assert_int_equal(run_on(workers, wait_for_poller_by_deadline, NULL), 0);
}

static int poll_abroad(void *arg)
{
    RV_CHECK(rv_migrate(1) == 0);
    return poll_cancelled(arg);
}

static int cancel_poller_abroad(void *arg)
{
    flag f = false;
    int err;
    (void)arg;
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, poll_abroad, &f) == 0);
        yield_until(&f);
        rv_scope_cancel(s, -EIO);
    }
    RV_CHECK(err == -EIO);
    return 0;
}

static void one_that_polls_hears_of_other_workers(void **state)
{
    (void)state;
    for (size_t i = 0; i < repeats(20); i++)
        assert_int_equal(run_on(2, cancel_poller_abroad, NULL), 0);
}

struct outside {
    rv_scope *scope;
    flag f, is_done;
};

static void *cancel_from_outside(void *arg)
{
    struct outside *outside = arg;
    hold_until(&outside->f);
    rv_scope_cancel(outside->scope, -EIO);
    raise_flag(&outside->is_done);
    return NULL;
}

/* The scope stays open until the thread has let go of it. */
static int poll_cancelled_by_thread(void *arg)
{
    struct outside *outside = arg;
    int r = poll_cancelled(&outside->f);

    hold_until(&outside->is_done);
    return r;
}

static int let_a_thread_cancel_poller(void *arg)
{
    struct outside outside = {.f = false};
    pthread_t thread;
    int err;
    (void)arg;
    RV_SCOPE(s, err) {
        outside.scope = s;
        RV_CHECK(pthread_create(&thread, NULL, cancel_from_outside, &outside) == 0);
        RV_CHECK(rv_go(s, poll_cancelled_by_thread, &outside) == 0);
    }
    pthread_join(thread, NULL);
    RV_CHECK(err == -EIO);
    return 0;
}

static void one_that_polls_hears_of_plain_threads(void **state)
{
    (void)state;
    for (size_t i = 0; i < repeats(20); i++)
        assert_int_equal(run_on(1 + (unsigned)i % 2, let_a_thread_cancel_poller, NULL), 0);
}

/* --- misuse --- */

static int leave_a_scope_open(void *arg)
{
    rv_scope *scope;
    (void)arg;
    return rv_scope_open(&scope, NULL);
}

static int stay_in_a_shield(void *arg)
{
    (void)arg;
    return rv_shield_begin(rv_after(RV_SECOND));
}

static void run_alone(void *fn)
{
    (void)run_on(1, *(rv_fn **)fn, NULL);
}

static void assert_misuse_stops(rv_fn *fn, const char *words)
{
    struct ending ending = run_child(run_alone, &fn);
    assert_true(WIFSIGNALED(ending.status));
    assert_int_equal(WTERMSIG(ending.status), SIGABRT);
    assert_non_null(strstr(ending.text, "ravel: task 'entry'"));
    assert_non_null(strstr(ending.text, words));
}

static void a_task_that_returns_with_a_scope_open_stops_the_program(void **state)
{
    (void)state;
    assert_misuse_stops(leave_a_scope_open, "returned with a scope open");
}

static void a_task_that_returns_inside_a_shield_stops_the_program(void **state)
{
    (void)state;
    assert_misuse_stops(stay_in_a_shield, "returned inside a shield");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_that_has_begun_never_changes_its_thread),
        cmocka_unit_test(the_newest_fresh_task_begins_first_and_at_times_the_oldest),
        cmocka_unit_test(those_that_yield_take_turns),
        cmocka_unit_test(one_that_yields_alone_goes_on),
        cmocka_unit_test(a_program_whose_tasks_never_block_finishes),
        cmocka_unit_test(a_program_whose_tasks_only_block_finishes),
        cmocka_unit_test(a_task_may_move_to_each_worker),
        cmocka_unit_test(a_task_with_a_scope_open_must_stay),
        cmocka_unit_test(tasks_on_the_move_do_all_that_others_do),
        cmocka_unit_test(one_that_polls_hears_of_a_deadline),
        cmocka_unit_test(one_that_polls_hears_of_other_workers),
        cmocka_unit_test(one_that_polls_hears_of_plain_threads),
        cmocka_unit_test(a_task_that_returns_with_a_scope_open_stops_the_program),
        cmocka_unit_test(a_task_that_returns_inside_a_shield_stops_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
