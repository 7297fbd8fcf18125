/* SPDX-License-Identifier: MIT */
/* stress_wake.c - single wake-ups, tens of thousands of them, to workers that are awake, asleep, or
 * just between the two: each of them arrives. Nothing else is going on meanwhile that could cover
 * up for one that is lost. */
#include "sched/sched.h"
#include "stress.h"
#include "sys/thread.h"

enum { MOST = 4 };

/* About as long as a worker looks around before it sleeps, so that messages meet it at the edge. */
#define EDGE_NS 60000

/* --- between workers --- */

struct ring {
    struct rv_sem sems[MOST];
    size_t members, laps;
    bool waits_for_sleep;
};

struct member {
    struct ring *ring;
    unsigned index;
};

static void wait_until_asleep(unsigned worker)
{
    const struct rvi_sleeper *sleeper = &rvi_sched_self()->workers[worker].sleeper;
    while (!rvi_sleeper_looks_asleep(sleeper))
        rvi_thread_yield();
}

static int pass_token(void *arg)
{
    struct member *member = arg;
    struct ring *ring = member->ring;
    unsigned next = (member->index + 1) % (unsigned)ring->members;
    struct rvi_rng rng;

    rvi_rng_seed(&rng, member->index + 1);
    RV_CHECK(rv_migrate(member->index) == 0);
    for (size_t i = 0; i < ring->laps; i++) {
        RV_CHECK(rv_sem_wait(&ring->sems[member->index], RV_NEVER) == 0);
        if (ring->waits_for_sleep)
            wait_until_asleep(next);
        else if (i % 2)
            dawdle(&rng, EDGE_NS / ring->members * 2);
        rv_sem_post(&ring->sems[next], 1);
    }
    return 0;
}

static int run_ring(void *arg)
{
    struct ring *ring = arg;
    struct member members[MOST];
    int err;
    ring->members = rv_run_workers();
    for (unsigned i = 0; i < ring->members; i++)
        rv_sem_init(&ring->sems[i], i == 0);
    RV_SCOPE(s, err) {
        for (unsigned i = 0; i < ring->members; i++) {
            members[i] = (struct member){ring, i};
            RV_CHECK(rv_go(s, pass_token, &members[i]) == 0);
        }
    }
    RV_CHECK(err == 0 && rv_sem_try_wait(&ring->sems[0]) == 0);
    return 0;
}

static void one_token_goes_round_between_workers(void **state)
{
    (void)state;
    for (unsigned workers = 2; workers <= MOST; workers++) {
        struct ring ring = {.laps = scaled(1000, 50)};
        run_on(workers, run_ring, &ring);
    }
}

static void one_token_wakes_each_worker_from_sleep(void **state)
{
    (void)state;
    for (unsigned workers = 2; workers <= MOST; workers++) {
        struct ring ring = {.laps = scaled(500, 50), .waits_for_sleep = true};
        run_on(workers, run_ring, &ring);
    }
}

/* --- between threads and tasks --- */

struct pair {
    struct rv_sem to_task, to_thread;
    size_t turns;
    unsigned worker;
    pthread_t thread;
};

static void *thread_side(void *arg)
{
    struct pair *pair = arg;
    struct rvi_rng rng;
    rvi_rng_seed(&rng, pair->worker + 1);
    for (size_t i = 0; i < pair->turns; i++) {
        if (i % 2)
            dawdle(&rng, 2 * EDGE_NS);
        rv_sem_post(&pair->to_task, 1);
        RV_CHECK(rv_sem_wait(&pair->to_thread, RV_NEVER) == 0);
    }
    return NULL;
}

static int task_side(void *arg)
{
    struct pair *pair = arg;
    RV_CHECK(rv_migrate(pair->worker) == 0);
    for (size_t i = 0; i < pair->turns; i++) {
        RV_CHECK(rv_sem_wait(&pair->to_task, RV_NEVER) == 0);
        rv_sem_post(&pair->to_thread, 1);
    }
    return 0;
}

static int run_pairs(void *arg)
{
    struct pair pairs[MOST];
    unsigned count = rv_run_workers();
    int err;
    (void)arg;
    RV_SCOPE(s, err) {
        for (unsigned i = 0; i < count; i++) {
            pairs[i] = (struct pair){.turns = scaled(1000, 50), .worker = i};
            rv_sem_init(&pairs[i].to_task, 0);
            rv_sem_init(&pairs[i].to_thread, 0);
            RV_CHECK(rv_go(s, task_side, &pairs[i]) == 0);
            RV_CHECK(pthread_create(&pairs[i].thread, NULL, thread_side, &pairs[i]) == 0);
        }
    }
    for (unsigned i = 0; i < count; i++)
        pthread_join(pairs[i].thread, NULL);
    return err;
}

static void threads_wake_tasks_and_tasks_wake_threads(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= MOST; workers *= 2)
        run_on(workers, run_pairs, NULL);
}

/* --- tasks started by threads --- */

struct door {
    rv_scope *scope;
    struct rv_sem answered;
    struct rv_event may_close;
    size_t count;
};

static int answer(void *arg)
{
    struct door *door = arg;
    rv_sem_post(&door->answered, 1);
    return 0;
}

static void *knock(void *arg)
{
    struct door *door = arg;
    struct rvi_rng rng;
    rvi_rng_seed(&rng, 1);
    for (size_t i = 0; i < door->count; i++) {
        if (i % 2)
            dawdle(&rng, 2 * EDGE_NS);
        RV_CHECK(rv_go(door->scope, answer, door) == 0);
        RV_CHECK(rv_sem_wait(&door->answered, RV_NEVER) == 0);
    }
    rv_event_set(&door->may_close);
    return NULL;
}

static int stand_open(void *arg)
{
    struct door door = {.count = scaled(1500, 50)};
    pthread_t thread;
    int err;
    (void)arg;
    rv_sem_init(&door.answered, 0);
    rv_event_init(&door.may_close);
    RV_SCOPE(s, err) {
        door.scope = s;
        RV_CHECK(pthread_create(&thread, NULL, knock, &door) == 0);
        RV_CHECK(rv_event_wait(&door.may_close, RV_NEVER) == 0);
    }
    pthread_join(thread, NULL);
    return err;
}

static void tasks_started_by_a_thread_all_begin(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= MOST; workers *= 2)
        run_on(workers, stand_open, NULL);
}

/* --- for fresh tasks --- */

static int count_down(void *arg)
{
    rvi_fetch_sub_relaxed((_Atomic(size_t) *)arg, 1);
    return 0;
}

/* Who sleeps and who searches is counted by those who wake and those who are woken; one more or one
 * less, and from then on nobody is woken, or everybody all the time. */
static void wait_for_rest(void)
{
    struct rvi_sched *sched = rvi_sched_self();
    /* The monitor and all workers but this one. */
    while (rvi_load_relaxed(&sched->attention) != sched->worker_count ||
           rvi_load_relaxed(&sched->searching) != 0)
        rvi_thread_yield();
}

/* The first worker spawns a few at some moment and holds on until others have run them. */
static int spawn_for_others(void *arg)
{
    struct rvi_rng rng;
    int err;
    (void)arg;
    rvi_rng_seed(&rng, rv_run_workers());
    for (size_t i = 0; i < scaled(700, 50); i++) {
        _Atomic(size_t) left = 2 + rvi_rng_below(&rng, 3);
        dawdle(&rng, i % 2 ? 2 * EDGE_NS : EDGE_NS / 10);
        RV_SCOPE(s, err) {
            for (size_t k = left; k > 0; k--)
                RV_CHECK(rv_go(s, count_down, &left) == 0);
            while (rvi_load_relaxed(&left) > 0)
                rvi_thread_yield();
        }
        RV_CHECK(err == 0);
    }
    wait_for_rest();
    return 0;
}

static void fresh_tasks_wake_others_and_the_accounts_add_up(void **state)
{
    (void)state;
    for (unsigned workers = 2; workers <= MOST; workers++)
        run_on(workers, spawn_for_others, NULL);
}

/* --- the last wake-up of a runtime --- */

struct farewell {
    struct rv_sem sem;
    size_t count;
};

static void *say_farewell(void *arg)
{
    struct farewell *farewell = arg;
    for (size_t i = 0; i < farewell->count; i++)
        rv_sem_post(&farewell->sem, 1);
    return NULL;
}

static int wait_for_farewell(void *arg)
{
    struct farewell *farewell = arg;
    for (size_t i = 0; i < farewell->count; i++)
        RV_CHECK(rv_sem_wait(&farewell->sem, RV_NEVER) == 0);
    return 0;
}

/* Whoever posts is still at it when the worker that it wakes has ended and is freed. */
static void a_wake_may_be_the_last_thing_a_runtime_waits_for(void **state)
{
    (void)state;
    for (size_t i = 0; i < scaled(700, 50); i++) {
        struct farewell farewell = {.count = 1 + i % 3};
        pthread_t thread;
        rv_sem_init(&farewell.sem, 0);
        assert_int_equal(pthread_create(&thread, NULL, say_farewell, &farewell), 0);
        run_on(1, wait_for_farewell, &farewell);
        pthread_join(thread, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_token_goes_round_between_workers),
        cmocka_unit_test(one_token_wakes_each_worker_from_sleep),
        cmocka_unit_test(threads_wake_tasks_and_tasks_wake_threads),
        cmocka_unit_test(tasks_started_by_a_thread_all_begin),
        cmocka_unit_test(fresh_tasks_wake_others_and_the_accounts_add_up),
        cmocka_unit_test(a_wake_may_be_the_last_thing_a_runtime_waits_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
