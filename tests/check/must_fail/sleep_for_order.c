/* SPDX-License-Identifier: MIT */
/* sleep_for_order.c - a program that sleeps until "it must be ready by now".
 *
 * bug: nothing makes the other thread ready within that time
 * kind: assertion
 * budget: 30
 * door: either */
#include <assert.h>
#include <pthread.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int is_ready;

static void *prepare(void *arg)
{
    pthread_mutex_lock(&lock);
    is_ready = 1;
    pthread_mutex_unlock(&lock);
    return arg;
}

int main(void)
{
    pthread_t worker;

    pthread_create(&worker, NULL, prepare, NULL);
    usleep(100000);
    pthread_mutex_lock(&lock);
    int seen = is_ready;
    pthread_mutex_unlock(&lock);
    pthread_join(worker, NULL);
    assert(seen);
}
