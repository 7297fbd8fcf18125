/* SPDX-License-Identifier: MIT */
/* model_mutex.c - three plain threads and a mutex, in memory that the last of them frees; one is in
 * a hurry at first.
 *
 * What must hold: one is inside at a time and sees what was done there before, nobody is left in
 * line, and who leaves does not touch the mutex any more when another may have freed it.
 *
 * sources: src/task/mutex.c src/task/waitlist.c src/sched/bias.c src/sched/wait.c src/sys/lock.c
 * sources: src/sys/futex.c src/sys/fence.c src/sys/clock.c src/base/alloc.c src/base/atomic.c
 * sources: src/base/seam.c
 * rest: the library
 * shrink: src/task/mutex.c SPIN_TURNS_MOST 1
 * shrink: src/sys/lock.c SPIN_TURNS 1 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <ravel/sync.h>
#include <ravel/time.h>
#include <stdlib.h>

enum { THREADS = 3 };

struct shared {
    struct rv_mutex mutex;
    int inside, users; /* by mutex */
};

static void enter(struct shared *shared)
{
    assert(shared->inside++ == 0);
    shared->inside--;
}

static void *use(void *arg)
{
    struct shared *shared = arg;
    int left;

    assert(rv_mutex_lock(&shared->mutex, RV_NEVER) == 0);
    enter(shared);
    rv_mutex_unlock(&shared->mutex);
    assert(rv_mutex_lock(&shared->mutex, RV_NEVER) == 0);
    enter(shared);
    left = --shared->users;
    rv_mutex_unlock(&shared->mutex);
    if (left == 0)
        free(shared);
    return NULL;
}

static void *use_in_a_hurry(void *arg)
{
    struct shared *shared = arg;
    int r = rv_mutex_lock(&shared->mutex, rv_after(RV_MICROSECOND));

    assert(r == 0 || r == -ETIME);
    if (r == 0) {
        enter(shared);
        rv_mutex_unlock(&shared->mutex);
    }
    return use(arg);
}

int main(void)
{
    pthread_t threads[THREADS];
    struct shared *shared = calloc(1, sizeof(*shared));

    shared->users = THREADS;
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, i == 0 ? use_in_a_hurry : use, shared);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}
