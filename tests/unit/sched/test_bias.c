/* SPDX-License-Identifier: MIT */
/* test_bias.c - who owns the bias, how it is lost, and that it excludes all the time. Threads pose
 * as workers here: the lock knows a worker by its address alone. */
#include "sched/bias.h"

#include <pthread.h>

#include "sched_test.h"

static struct rvi_worker *const worker_a = (struct rvi_worker *)0x1000;
static struct rvi_worker *const worker_b = (struct rvi_worker *)0x2000;

static int teardown(void **state)
{
    (void)state;
    rvi_here.worker = NULL;
    return 0;
}

static bool enter_and_leave_as(struct rvi_bias *lock, struct rvi_worker *who)
{
    rvi_here.worker = who;
    bool biased = rvi_bias_lock(lock);
    rvi_bias_unlock(lock, biased);
    return biased;
}

static void the_first_worker_owns_the_bias(void **state)
{
    (void)state;
    struct rvi_bias lock = {.held = 0};
    assert_true(enter_and_leave_as(&lock, worker_a));
    if (rvi_fence_is_free())
        assert_ptr_equal(lock.owner, worker_a);
    for (int i = 0; i < 3; i++)
        assert_true(enter_and_leave_as(&lock, worker_a));
    assert_int_equal(lock.held, 0);
}

static void a_second_worker_ends_the_bias_for_ever(void **state)
{
    (void)state;
    struct rvi_bias lock = {.held = 0};
    assert_true(enter_and_leave_as(&lock, worker_a));
    assert_false(enter_and_leave_as(&lock, worker_b));
    assert_ptr_equal(lock.owner, RVI_BIAS_NONE);
    assert_false(enter_and_leave_as(&lock, worker_a));
    assert_false(enter_and_leave_as(&lock, worker_b));
    assert_false(enter_and_leave_as(&lock, NULL));
    assert_int_equal(lock.held, 0);
    assert_false(rvi_lock_is_held(&lock.lock));
}

static void a_plain_thread_ends_the_bias_too(void **state)
{
    (void)state;
    struct rvi_bias lock = {.held = 0};
    assert_true(enter_and_leave_as(&lock, worker_a));
    assert_false(enter_and_leave_as(&lock, NULL));
    assert_false(enter_and_leave_as(&lock, worker_a));
}

static void after_a_plain_thread_nobody_is_biased(void **state)
{
    (void)state;
    struct rvi_bias lock = {.held = 0};
    assert_false(enter_and_leave_as(&lock, NULL));
    assert_ptr_equal(lock.owner, RVI_BIAS_NONE);
    assert_false(enter_and_leave_as(&lock, worker_a));
}

static void where_fences_are_real_there_is_a_bias_too(void **state)
{
    (void)state;
    struct rvi_bias lock = {.held = 0};
    rvi_fence_asym_force_symmetric(true);
    for (int i = 0; i < 3; i++)
        assert_true(enter_and_leave_as(&lock, worker_a));
    assert_false(enter_and_leave_as(&lock, worker_b));
    assert_false(enter_and_leave_as(&lock, worker_a));
    rvi_fence_asym_force_symmetric(false);
}

/* --- two threads --- */

struct room {
    struct rvi_bias lock;
    flag second_is_coming;
    bool first_is_inside; /* the lock's */
};

static void *come_second(void *arg)
{
    struct room *room = arg;
    raise_flag(&room->second_is_coming);
    bool biased = rvi_bias_lock(&room->lock);
    RV_CHECK(!biased && !room->first_is_inside);
    rvi_bias_unlock(&room->lock, biased);
    return NULL;
}

/* Until somebody knocks, and then long enough for whoever does not wait to be seen. */
static void dawdle_inside(struct room *room)
{
    room->first_is_inside = true;
    hold_until(&room->second_is_coming);
    for (int i = 0; i < 300; i++)
        rvi_thread_yield();
    room->first_is_inside = false;
}

static void one_who_takes_the_bias_away_waits_for_its_owner(void **state)
{
    (void)state;
    for (size_t i = 0; i < repeats(200); i++) {
        struct room room = {.first_is_inside = false};
        pthread_t second;
        rvi_here.worker = worker_a;
        bool biased = rvi_bias_lock(&room.lock);
        assert_true(biased);
        assert_int_equal(pthread_create(&second, NULL, come_second, &room), 0);
        dawdle_inside(&room);
        rvi_bias_unlock(&room.lock, biased);
        pthread_join(second, NULL);
    }
}

static void an_owner_without_its_bias_waits_like_the_others(void **state)
{
    (void)state;
    struct room room = {.first_is_inside = false};
    pthread_t second;

    rvi_here.worker = worker_a;
    bool biased = rvi_bias_lock(&room.lock);
    rvi_bias_unlock(&room.lock, biased);
    rvi_here.worker = NULL;
    biased = rvi_bias_lock(&room.lock);
    assert_int_equal(pthread_create(&second, NULL, come_second, &room), 0);
    dawdle_inside(&room);
    rvi_bias_unlock(&room.lock, biased);
    pthread_join(second, NULL);
}

/* --- many threads, a lock at a time: the bias begins and ends again and again --- */

enum { MEMBERS = 3, LOCKS = 64, TURNS = 50 };

struct club {
    struct rvi_bias locks[LOCKS];
    long visits[LOCKS]; /* the lock's */
    size_t turns;
};

struct member {
    struct club *club;
    struct rvi_worker *self;
    pthread_t thread;
};

static void *visit_all(void *arg)
{
    struct member *member = arg;
    struct club *club = member->club;
    rvi_here.worker = member->self;
    for (size_t i = 0; i < LOCKS; i++) {
        for (size_t turn = 0; turn < club->turns; turn++) {
            bool biased = rvi_bias_lock(&club->locks[i]);
            club->visits[i]++;
            rvi_bias_unlock(&club->locks[i], biased);
        }
    }
    return NULL;
}

static void let_them_visit(size_t turns)
{
    struct club *club = test_calloc(1, sizeof(*club));
    struct member members[MEMBERS] = {{.self = worker_a}, {.self = worker_b}, {.self = NULL}};

    club->turns = turns;
    for (size_t i = 0; i < MEMBERS; i++) {
        members[i].club = club;
        assert_int_equal(pthread_create(&members[i].thread, NULL, visit_all, &members[i]), 0);
    }
    for (size_t i = 0; i < MEMBERS; i++)
        pthread_join(members[i].thread, NULL);
    for (size_t i = 0; i < LOCKS; i++)
        assert_int_equal(club->visits[i], MEMBERS * turns);
    test_free(club);
}

static void one_is_inside_at_a_time(void **state)
{
    (void)state;
    for (size_t i = 0; i < repeats(200); i++)
        let_them_visit(i % TURNS + 1);
}

static void one_is_inside_at_a_time_with_real_fences(void **state)
{
    (void)state;
    rvi_fence_asym_force_symmetric(true);
    for (size_t i = 0; i < repeats(200); i++)
        let_them_visit(i % TURNS + 1);
    rvi_fence_asym_force_symmetric(false);
}

static int group_setup(void **state)
{
    (void)state;
    rvi_fence_asym_init();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_first_worker_owns_the_bias, teardown),
        cmocka_unit_test_teardown(a_second_worker_ends_the_bias_for_ever, teardown),
        cmocka_unit_test_teardown(a_plain_thread_ends_the_bias_too, teardown),
        cmocka_unit_test_teardown(after_a_plain_thread_nobody_is_biased, teardown),
        cmocka_unit_test_teardown(where_fences_are_real_there_is_a_bias_too, teardown),
        cmocka_unit_test_teardown(one_who_takes_the_bias_away_waits_for_its_owner, teardown),
        cmocka_unit_test_teardown(an_owner_without_its_bias_waits_like_the_others, teardown),
        cmocka_unit_test_teardown(one_is_inside_at_a_time, teardown),
        cmocka_unit_test_teardown(one_is_inside_at_a_time_with_real_fences, teardown),
    };
    return cmocka_run_group_tests(tests, group_setup, NULL);
}
