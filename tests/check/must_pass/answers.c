/* SPDX-License-Identifier: MIT */
/* answers.c - what libc answers to odd questions about its primitives: the models answer the same.
 *
 * looks like: misuse */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <time.h>

static const struct timespec past = {1, 0}, never = {0, -1};

static void errorcheck_mutex(void)
{
    pthread_mutexattr_t attr;
    pthread_mutex_t m;

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&m, &attr);
    assert(pthread_mutex_unlock(&m) == EPERM);
    assert(pthread_mutex_lock(&m) == 0);
    assert(pthread_mutex_lock(&m) == EDEADLK);
    assert(pthread_mutex_trylock(&m) == EBUSY);
    assert(pthread_mutex_timedlock(&m, &past) == EDEADLK);
    assert(pthread_mutex_unlock(&m) == 0);
    assert(pthread_mutex_destroy(&m) == 0);
}

static void recursive_mutex(void)
{
    pthread_mutexattr_t attr;
    pthread_mutex_t m;

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&m, &attr);
    assert(pthread_mutex_unlock(&m) == EPERM);
    assert(pthread_mutex_lock(&m) == 0);
    assert(pthread_mutex_trylock(&m) == 0);
    assert(pthread_mutex_timedlock(&m, &past) == 0);
    assert(pthread_mutex_unlock(&m) == 0);
    assert(pthread_mutex_unlock(&m) == 0);
    assert(pthread_mutex_unlock(&m) == 0);
    assert(pthread_mutex_unlock(&m) == EPERM);
    assert(pthread_mutex_consistent(&m) == EINVAL);
    assert(pthread_mutex_destroy(&m) == 0);
}

static pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;

static void *ask_while_held(void *arg)
{
    assert(pthread_mutex_trylock(&plain) == EBUSY);
    assert(pthread_mutex_timedlock(&plain, &past) == ETIMEDOUT);
    assert(pthread_mutex_timedlock(&plain, &never) == EINVAL);
    assert(pthread_mutex_clocklock(&plain, CLOCK_MONOTONIC, &past) == ETIMEDOUT);
    assert(pthread_rwlock_tryrdlock(&rwlock) == EBUSY);
    assert(pthread_rwlock_trywrlock(&rwlock) == EBUSY);
    assert(pthread_rwlock_timedrdlock(&rwlock, &past) == ETIMEDOUT);
    assert(pthread_rwlock_timedwrlock(&rwlock, &past) == ETIMEDOUT);
    return arg;
}

static void held_by_another(void)
{
    pthread_t thread;

    assert(pthread_mutex_timedlock(&plain, &never) == 0);
    assert(pthread_rwlock_wrlock(&rwlock) == 0);
    assert(pthread_rwlock_wrlock(&rwlock) == EDEADLK);
    assert(pthread_rwlock_rdlock(&rwlock) == EDEADLK);
    assert(pthread_rwlock_trywrlock(&rwlock) == EBUSY);
    pthread_create(&thread, NULL, ask_while_held, NULL);
    pthread_join(thread, NULL);
    assert(pthread_rwlock_unlock(&rwlock) == 0);
    assert(pthread_mutex_unlock(&plain) == 0);
}

static void readers_of_one_thread(void)
{
    assert(pthread_rwlock_rdlock(&rwlock) == 0);
    assert(pthread_rwlock_rdlock(&rwlock) == 0);
    assert(pthread_rwlock_tryrdlock(&rwlock) == 0);
    assert(pthread_rwlock_trywrlock(&rwlock) == EBUSY);
    for (int i = 0; i < 3; i++)
        assert(pthread_rwlock_unlock(&rwlock) == 0);
    assert(pthread_rwlock_trywrlock(&rwlock) == 0);
    assert(pthread_rwlock_unlock(&rwlock) == 0);
}

static void semaphore(void)
{
    sem_t s;
    int value;

    assert(sem_init(&s, 0, 1) == 0);
    assert(sem_getvalue(&s, &value) == 0 && value == 1);
    assert(sem_timedwait(&s, &never) == -1 && errno == EINVAL);
    assert(sem_timedwait(&s, &past) == 0);
    assert(sem_trywait(&s) == -1 && errno == EAGAIN);
    assert(sem_timedwait(&s, &past) == -1 && errno == ETIMEDOUT);
    assert(sem_timedwait(&s, &never) == -1 && errno == EINVAL);
    assert(sem_post(&s) == 0);
    assert(sem_getvalue(&s, &value) == 0 && value == 1);
    assert(sem_destroy(&s) == 0);
    assert(sem_init(&s, 0, SEM_VALUE_MAX) == 0);
    assert(sem_post(&s) == -1 && errno == EOVERFLOW);
    assert(sem_init(&s, 0, (unsigned)INT_MAX + 1) == -1 && errno == EINVAL);
}

static void condition(void)
{
    pthread_condattr_t attr;
    pthread_cond_t c;
    struct timespec soon;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c, &attr);
    pthread_mutex_lock(&plain);
    assert(pthread_cond_timedwait(&c, &plain, &past) == ETIMEDOUT);
    assert(pthread_cond_timedwait(&c, &plain, &never) == EINVAL);
    clock_gettime(CLOCK_MONOTONIC, &soon);
    soon.tv_nsec = soon.tv_nsec < 900000000 ? soon.tv_nsec + 1000000 : soon.tv_nsec;
    assert(pthread_cond_timedwait(&c, &plain, &soon) == ETIMEDOUT);
    clock_gettime(CLOCK_REALTIME, &soon);
    assert(pthread_cond_clockwait(&c, &plain, CLOCK_REALTIME, &soon) == ETIMEDOUT);
    assert(pthread_cond_clockwait(&c, &plain, CLOCK_PROCESS_CPUTIME_ID, &soon) == EINVAL);
    pthread_mutex_unlock(&plain);
    assert(pthread_cond_destroy(&c) == 0);
}

static void spin_and_barrier(void)
{
    pthread_spinlock_t spin;
    pthread_barrier_t barrier;

    pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE);
    assert(pthread_spin_trylock(&spin) == 0);
    assert(pthread_spin_trylock(&spin) == EBUSY);
    assert(pthread_spin_unlock(&spin) == 0);
    assert(pthread_barrier_init(&barrier, NULL, 0) == EINVAL);
    assert(pthread_barrier_init(&barrier, NULL, 1) == 0);
    assert(pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD);
    assert(pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD);
    assert(pthread_barrier_destroy(&barrier) == 0);
}

static void *hold_and_end(void *robust)
{
    pthread_mutex_lock(robust);
    return NULL;
}

static void robust_mutex(void)
{
    pthread_mutexattr_t attr;
    pthread_mutex_t m;
    pthread_t thread;

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&m, &attr);
    for (int i = 0; i < 2; i++) {
        pthread_create(&thread, NULL, hold_and_end, &m);
        pthread_join(thread, NULL);
        assert(pthread_mutex_trylock(&m) == EOWNERDEAD);
        if (i == 0)
            assert(pthread_mutex_consistent(&m) == 0);
        assert(pthread_mutex_unlock(&m) == 0);
    }
    assert(pthread_mutex_lock(&m) == ENOTRECOVERABLE);
    assert(pthread_mutex_destroy(&m) == 0);
}

int main(void)
{
    errorcheck_mutex();
    recursive_mutex();
    held_by_another();
    readers_of_one_thread();
    semaphore();
    condition();
    spin_and_barrier();
    robust_mutex();
    return 0;
}
