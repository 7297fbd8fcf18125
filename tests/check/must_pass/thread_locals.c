/* SPDX-License-Identifier: MIT */
/* thread_locals.c - each thread counts in its own variable, which has one name.
 *
 * looks like: a race on it */
#include <assert.h>
#include <errno.h>
#include <pthread.h>

static __thread int count;
static int sums[3];

static void *add(void *arg)
{
    long me = (long)arg;

    errno = (int)me;
    for (int i = 0; i < 4; i++)
        count++;
    sums[me] = count;
    assert(errno == me);
    return NULL;
}

int main(void)
{
    pthread_t threads[3];

    for (long i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, add, (void *)i);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert(sums[i] == 4);
    }
    assert(count == 0);
}
