/* SPDX-License-Identifier: MIT */
/* test_worker.c - who runs, where and when: stealing, pinning, order, fairness, migration, sleep. A
 * task that is starved makes its test hang, which the runner's time limit reports. */
#include "sched/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "sched_test.h"
#include "sys/cpu.h"

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

/* --- fairness: somebody keeps the worker busy for ever, and each of the others has to get its turn
 * --- */

struct bustle {
    rv_scope *scope;
    struct rv_sem ping, pong; /* posted by each other's waiter */
    struct rv_sem knock;      /* posted by a plain thread */
    _Atomic(size_t) served;
    flag is_over;
};

static struct bustle bustle;

static int player(void *arg)
{
    struct rv_sem *mine = arg, *other = mine == &bustle.ping ? &bustle.pong : &bustle.ping;
    while (!is_raised(&bustle.is_over)) {
        rv_sem_post(other, 1);
        if (rv_sem_wait(mine, RV_NEVER) < 0)
            break;
    }
    rv_sem_post(other, 1);
    return 0;
}

static int yielder(void *arg)
{
    (void)arg;
    yield_until(&bustle.is_over);
    return 0;
}

/* Never blocks, never yields: it ends, and has started its successor. */
static int link_of_chain(void *arg)
{
    if (is_raised(&bustle.is_over))
        return 0;
    int r = rv_go(bustle.scope, link_of_chain, arg);
    RV_CHECK(r == 0 || r == -ECANCELED);
    return 0;
}

/* Starts two each time, of which one ends at once: a pile that only grows. */
static int link_of_pile(void *arg)
{
    if (is_raised(&bustle.is_over) || arg)
        return 0;
    RV_CHECK(rv_go(bustle.scope, link_of_pile, &bustle) == 0);
    RV_CHECK(rv_go(bustle.scope, link_of_pile, NULL) == 0);
    return 0;
}

static int migrant(void *arg)
{
    (void)arg;
    while (!is_raised(&bustle.is_over)) {
        RV_CHECK(rv_migrate((unsigned)(rv_task_worker() + 1) % rv_run_workers()) == 0);
        rv_yield();
    }
    return 0;
}

static int serve(void)
{
    rvi_fetch_add_seq_cst(&bustle.served, 1); /* pairs: test-served */
    return 0;
}

static int fresh_one(void *arg)
{
    (void)arg;
    return serve();
}

static int ready_one(void *arg)
{
    (void)arg;
    for (int i = 0; i < 200; i++)
        rv_yield();
    return serve();
}

static int sleeping_one(void *arg)
{
    (void)arg;
    for (int i = 0; i < 5; i++)
        RV_CHECK(rv_sleep(100 * RV_MICROSECOND) == 0);
    return serve();
}

static int knocked_at(void *arg)
{
    (void)arg;
    for (int i = 0; i < 5; i++)
        RV_CHECK(rv_sem_wait(&bustle.knock, RV_NEVER) == 0);
    return serve();
}

static void *knock(void *arg)
{
    (void)arg;
    for (int i = 0; i < 5; i++) {
        for (int k = 0; k < 10; k++)
            rvi_thread_yield();
        rv_sem_post(&bustle.knock, 1);
    }
    return NULL;
}

/* The one who watches is served by the bustle as well; it sleeps, so that it adds nothing to it. */
static int crowd_in(void *arg)
{
    rv_fn *const guests[] = {fresh_one, ready_one, sleeping_one, knocked_at};
    rv_fn *const *busy = arg;
    pthread_t thread;
    int err;

    bustle = (struct bustle){.is_over = false};
    rv_sem_init(&bustle.ping, 0);
    rv_sem_init(&bustle.pong, 0);
    rv_sem_init(&bustle.knock, 0);
    RV_SCOPE(s, err) {
        bustle.scope = s;
        RV_CHECK(rv_go(s, guests[0], NULL) == 0); /* it was there first: the oldest */
        for (size_t i = 0; busy[i]; i++)
            RV_CHECK(rv_go(s, busy[i],
                           busy[i] != player ? NULL
                           : i % 2           ? &bustle.ping
                                             : &bustle.pong) == 0);
        for (size_t i = 0; i < 4; i++)
            RV_CHECK(rv_go(s, guests[i], NULL) == 0);
        RV_CHECK(pthread_create(&thread, NULL, knock, NULL) == 0);
        while (rvi_load_seq_cst(&bustle.served) < 5) /* pairs: test-served */
            RV_CHECK(rv_sleep(50 * RV_MICROSECOND) == 0);
        raise_flag(&bustle.is_over);
        pthread_join(thread, NULL);
    }
    return err;
}

static void crowd_in_with(rv_fn *const *busy)
{
    for (unsigned workers = 1; workers <= 2; workers++) {
        for (size_t i = 0; i < repeats(5); i++)
            assert_int_equal(run_on(workers, crowd_in, (void *)(uintptr_t)busy), 0);
    }
}

static void two_that_play_for_ever_starve_nobody(void **state)
{
    (void)state;
    rv_fn *const busy[] = {player, player, NULL};
    crowd_in_with(busy);
}

static void those_that_yield_for_ever_starve_nobody(void **state)
{
    (void)state;
    rv_fn *const busy[] = {yielder, yielder, yielder, NULL};
    crowd_in_with(busy);
}

static void an_endless_chain_of_fresh_tasks_starves_nobody(void **state)
{
    (void)state;
    rv_fn *const busy[] = {link_of_chain, NULL};
    crowd_in_with(busy);
}

static void a_pile_of_fresh_tasks_that_only_grows_starves_nobody(void **state)
{
    (void)state;
    rv_fn *const busy[] = {link_of_pile, NULL};
    crowd_in_with(busy);
}

static void those_that_migrate_for_ever_starve_nobody(void **state)
{
    (void)state;
    rv_fn *const busy[] = {migrant, migrant, NULL};
    crowd_in_with(busy);
}

static void all_kinds_of_bustle_together_starve_nobody(void **state)
{
    (void)state;
    rv_fn *const busy[] = {player, player, yielder, link_of_chain, migrant, NULL};
    crowd_in_with(busy);
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
    flag f;
};

static void *cancel_from_outside(void *arg)
{
    struct outside *outside = arg;
    hold_until(&outside->f);
    rv_scope_cancel(outside->scope, -EIO);
    return NULL;
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
        RV_CHECK(rv_go(s, poll_cancelled, &outside.f) == 0);
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
        cmocka_unit_test(idle_workers_steal_what_a_busy_one_has_not_begun),
        cmocka_unit_test(regress_a_searcher_that_finds_its_own_task_sends_another_for_the_rest),
        cmocka_unit_test(regress_the_monitor_is_told_of_what_a_thief_leaves),
        cmocka_unit_test(all_workers_take_part),
        cmocka_unit_test(trees_of_tasks_are_complete),
        cmocka_unit_test(a_lone_task_is_surplus_once_it_has_waited),
        cmocka_unit_test(a_task_that_has_begun_never_changes_its_thread),
        cmocka_unit_test(the_newest_fresh_task_begins_first_and_at_times_the_oldest),
        cmocka_unit_test(those_that_yield_take_turns),
        cmocka_unit_test(one_that_yields_alone_goes_on),
        cmocka_unit_test(two_that_play_for_ever_starve_nobody),
        cmocka_unit_test(those_that_yield_for_ever_starve_nobody),
        cmocka_unit_test(an_endless_chain_of_fresh_tasks_starves_nobody),
        cmocka_unit_test(a_pile_of_fresh_tasks_that_only_grows_starves_nobody),
        cmocka_unit_test(those_that_migrate_for_ever_starve_nobody),
        cmocka_unit_test(all_kinds_of_bustle_together_starve_nobody),
        cmocka_unit_test(a_program_whose_tasks_never_block_finishes),
        cmocka_unit_test(a_program_whose_tasks_only_block_finishes),
        cmocka_unit_test(a_task_may_move_to_each_worker),
        cmocka_unit_test(a_task_with_a_scope_open_must_stay),
        cmocka_unit_test(tasks_on_the_move_do_all_that_others_do),
        cmocka_unit_test(those_who_find_nothing_sleep_and_are_woken_for_work),
        cmocka_unit_test(a_worker_whose_tasks_all_sleep_sleeps_until_the_first_deadline),
        cmocka_unit_test(one_that_polls_hears_of_a_deadline),
        cmocka_unit_test(one_that_polls_hears_of_other_workers),
        cmocka_unit_test(one_that_polls_hears_of_plain_threads),
        cmocka_unit_test(a_task_that_returns_with_a_scope_open_stops_the_program),
        cmocka_unit_test(a_task_that_returns_inside_a_shield_stops_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
