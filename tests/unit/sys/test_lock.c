/* SPDX-License-Identifier: MIT */
/* test_lock.c - the futex lock. */
#include "sys/lock.h"

#include <pthread.h>
#include <time.h>

#include "sys_test.h"

enum { THREADS = 4 };

struct shared {
    struct rvi_lock lock;
    long counter;
    int rounds;
    bool dawdle; /* hold the lock long enough for others to sleep */
};

static void try_acquire_fails_while_held(void **state)
{
    (void)state;
    struct rvi_lock lock = RVI_LOCK_INIT;
    assert_false(rvi_lock_is_held(&lock));
    assert_true(rvi_lock_try_acquire(&lock));
    assert_false(rvi_lock_try_acquire(&lock));
    assert_true(rvi_lock_is_held(&lock));
    rvi_lock_release(&lock);
    assert_true(rvi_lock_try_acquire(&lock));
    rvi_lock_release(&lock);
}

static void init_makes_a_free_lock_of_any_bytes(void **state)
{
    (void)state;
    struct rvi_lock lock;
    memset(&lock, 0xff, sizeof(lock));
    rvi_lock_init(&lock);
    assert_true(rvi_lock_try_acquire(&lock));
}

static void *count_up(void *arg)
{
    struct shared *shared = arg;
    for (int i = 0; i < shared->rounds; i++) {
        rvi_lock_acquire(&shared->lock);
        shared->counter++;
        if (shared->dawdle)
            nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
        rvi_lock_release(&shared->lock);
    }
    return NULL;
}

static void count_in_threads(struct shared *shared)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, shared), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(shared->counter, (long)THREADS * shared->rounds);
    assert_false(rvi_lock_is_held(&shared->lock));
}

static void one_thread_at_a_time(void **state)
{
    (void)state;
    count_in_threads(&(struct shared){.rounds = is_under_a_tool() ? 1000 : 50000});
}

static void sleepers_are_woken(void **state)
{
    (void)state;
    count_in_threads(&(struct shared){.rounds = 50, .dawdle = true});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(try_acquire_fails_while_held),
        cmocka_unit_test(init_makes_a_free_lock_of_any_bytes),
        cmocka_unit_test(one_thread_at_a_time),
        cmocka_unit_test(sleepers_are_woken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
