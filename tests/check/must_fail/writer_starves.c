/* SPDX-License-Identifier: MIT */
/* writer_starves.c - two readers that never leave the lock free.
 *
 * bug: each takes its next read lock before it gives up the last, and waits for the writer
 *      meanwhile
 * kind: livelock deadlock
 * budget: 20
 * door: instrumented */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static atomic_bool is_written;

static void *read_until_written(void *arg)
{
    pthread_rwlock_rdlock(&lock);
    while (!is_written)
        sched_yield();
    pthread_rwlock_unlock(&lock);
    return arg;
}

static void *write_once(void *arg)
{
    pthread_rwlock_wrlock(&lock);
    is_written = true;
    pthread_rwlock_unlock(&lock);
    return arg;
}

int main(void)
{
    pthread_t readers[2], writer;

    pthread_create(&readers[0], NULL, read_until_written, NULL);
    pthread_create(&readers[1], NULL, read_until_written, NULL);
    pthread_create(&writer, NULL, write_once, NULL);
    pthread_join(readers[0], NULL);
    pthread_join(readers[1], NULL);
    pthread_join(writer, NULL);
}
