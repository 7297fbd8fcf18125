/* SPDX-License-Identifier: MIT */
/* model_mutex_last.c - a mutex that guards a count of its users, the last of whom frees it.
 *
 * What must hold: who unlocks it does not touch it any more when another may have freed it.
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

struct shared {
    struct rv_mutex mutex;
    int users; /* by mutex */
};

static void leave(struct shared *shared)
{
    int left = --shared->users;

    rv_mutex_unlock(&shared->mutex);
    if (left == 0)
        free(shared);
}

static void *use(void *arg)
{
    struct shared *shared = arg;

    assert(rv_mutex_lock(&shared->mutex, RV_NEVER) == 0);
    leave(shared);
    return NULL;
}

static void *use_in_a_hurry(void *arg)
{
    struct shared *shared = arg;
    int r = rv_mutex_lock(&shared->mutex, 0);

    assert(r == 0 || r == -ETIME);
    if (r < 0)
        return use(arg);
    leave(shared);
    return NULL;
}

int main(void)
{
    static void *(*const users[])(void *) = {use, use_in_a_hurry, use};
    pthread_t threads[3];
    struct shared *shared = calloc(1, sizeof(*shared));

    shared->users = 3;
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, users[i], shared);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}
