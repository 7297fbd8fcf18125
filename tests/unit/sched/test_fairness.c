/* SPDX-License-Identifier: MIT */
/* test_fairness.c - somebody keeps the worker busy for ever, and each of the others gets its turn
 * all the same. One that is starved makes its test hang, which the runner's time limit reports. */
#include <errno.h>
#include <pthread.h>

#include "sched_test.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_that_play_for_ever_starve_nobody),
        cmocka_unit_test(those_that_yield_for_ever_starve_nobody),
        cmocka_unit_test(an_endless_chain_of_fresh_tasks_starves_nobody),
        cmocka_unit_test(a_pile_of_fresh_tasks_that_only_grows_starves_nobody),
        cmocka_unit_test(those_that_migrate_for_ever_starve_nobody),
        cmocka_unit_test(all_kinds_of_bustle_together_starve_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
