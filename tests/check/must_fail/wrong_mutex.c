/* SPDX-License-Identifier: MIT */
/* wrong_mutex.c - a flag set under one lock and waited for under another.
 *
 * bug: the setter holds `state_lock`, the waiter `wait_lock`: the signal may come between the
 *      waiter's look and its wait
 * kind: deadlock lost-wakeup
 * budget: 200
 * door: either */
#include <pthread.h>
#include <stdbool.h>

static bool is_ready;
static int result;
static pthread_mutex_t state_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t wait_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ready = PTHREAD_COND_INITIALIZER;

static void *setter(void *arg)
{
    pthread_mutex_lock(&state_lock);
    result = 42;
    is_ready = true;
    pthread_cond_signal(&ready);
    pthread_mutex_unlock(&state_lock);
    return arg;
}

static void *waiter(void *arg)
{
    pthread_mutex_lock(&wait_lock);
    while (!is_ready)
        pthread_cond_wait(&ready, &wait_lock);
    pthread_mutex_unlock(&wait_lock);
    return arg;
}

int main(void)
{
    pthread_t s, w;
    pthread_create(&w, NULL, waiter, NULL);
    pthread_create(&s, NULL, setter, NULL);
    pthread_join(s, NULL);
    pthread_join(w, NULL);
    return result == 42 ? 0 : 1;
}
