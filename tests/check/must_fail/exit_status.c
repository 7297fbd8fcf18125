/* SPDX-License-Identifier: MIT */
/* exit_status.c - a self-test that tells by its exit status whether lines came in order.
 *
 * bug: the threads that write them are not put in order by anything
 * kind: exit
 * budget: 20
 * door: either */
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int lines[2], used;

static void *write_line(void *arg)
{
    pthread_mutex_lock(&lock);
    lines[used++] = (int)(long)arg;
    pthread_mutex_unlock(&lock);
    return NULL;
}

int main(void)
{
    pthread_t threads[2];

    for (long i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, write_line, (void *)i);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    return lines[0] < lines[1] ? 0 : 3;
}
