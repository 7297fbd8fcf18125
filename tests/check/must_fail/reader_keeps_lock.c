/* SPDX-License-Identifier: MIT */
/* reader_keeps_lock.c - a map that is read by many; a reader that misses something hands it to a
 * writer.
 *
 * bug: the reader keeps its read lock while it waits for the writer, who waits for readers to leave
 * kind: deadlock
 * budget: 20
 * door: either */
#include <pthread.h>

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_mutex_t state = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int is_there;

static void *fill(void *arg)
{
    pthread_rwlock_wrlock(&lock);
    pthread_mutex_lock(&state);
    is_there = 1;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&state);
    pthread_rwlock_unlock(&lock);
    return arg;
}

static void *look_up(void *arg)
{
    pthread_rwlock_rdlock(&lock);
    pthread_mutex_lock(&state);
    while (!is_there)
        pthread_cond_wait(&changed, &state);
    pthread_mutex_unlock(&state);
    pthread_rwlock_unlock(&lock);
    return arg;
}

int main(void)
{
    pthread_t writer, reader;

    pthread_create(&writer, NULL, fill, NULL);
    pthread_create(&reader, NULL, look_up, NULL);
    pthread_join(writer, NULL);
    pthread_join(reader, NULL);
}
