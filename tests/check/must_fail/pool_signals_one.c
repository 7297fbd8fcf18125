/* SPDX-License-Identifier: MIT */
/* pool_signals_one.c - a pool of three is shut down.
 *
 * bug: the end is signalled to one of those that wait, not to all
 * kind: deadlock lost-wakeup
 * budget: 40
 * door: either */
#include <pthread.h>
#include <stdbool.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool is_over;

static void *serve(void *arg)
{
    pthread_mutex_lock(&lock);
    while (!is_over)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    return arg;
}

int main(void)
{
    pthread_t workers[3];

    for (int i = 0; i < 3; i++)
        pthread_create(&workers[i], NULL, serve, NULL);
    pthread_mutex_lock(&lock);
    is_over = true;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < 3; i++)
        pthread_join(workers[i], NULL);
}
