/* SPDX-License-Identifier: MIT */
/* bounded_mesa.c - a ring with two conditions, signalled after the lock was let go.
 *
 * looks like: lost wake-ups, as nobody holds the lock when it signals */
#include <assert.h>
#include <pthread.h>

enum { SIZE = 2, EACH = 4, PAIRS = 2 };

static int ring[SIZE], count, in, out, sum;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t not_full = PTHREAD_COND_INITIALIZER;
static pthread_cond_t not_empty = PTHREAD_COND_INITIALIZER;

static void *producer(void *arg)
{
    for (int i = 1; i <= EACH; i++) {
        pthread_mutex_lock(&lock);
        while (count == SIZE)
            pthread_cond_wait(&not_full, &lock);
        ring[in] = i;
        in = (in + 1) % SIZE;
        count++;
        pthread_mutex_unlock(&lock);
        pthread_cond_signal(&not_empty);
    }
    return arg;
}

static void *consumer(void *arg)
{
    for (int i = 1; i <= EACH; i++) {
        pthread_mutex_lock(&lock);
        while (count == 0)
            pthread_cond_wait(&not_empty, &lock);
        sum += ring[out];
        out = (out + 1) % SIZE;
        count--;
        pthread_mutex_unlock(&lock);
        pthread_cond_signal(&not_full);
    }
    return arg;
}

int main(void)
{
    pthread_t threads[2 * PAIRS];
    for (int i = 0; i < 2 * PAIRS; i++)
        pthread_create(&threads[i], NULL, i % 2 ? producer : consumer, NULL);
    for (int i = 0; i < 2 * PAIRS; i++)
        pthread_join(threads[i], NULL);
    assert(sum == PAIRS * EACH * (EACH + 1) / 2);
    return 0;
}
