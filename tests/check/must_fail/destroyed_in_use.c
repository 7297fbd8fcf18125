/* SPDX-License-Identifier: MIT */
/* destroyed_in_use.c - a session and its lock end together.
 *
 * bug: the last user's mark is set before its unlock, so the owner destroys a lock that is held
 * kind: misuse
 * budget: 60
 * door: instrumented */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

static pthread_mutex_t lock;
static atomic_bool is_over;

static void *use(void *arg)
{
    pthread_mutex_lock(&lock);
    is_over = true;
    pthread_mutex_unlock(&lock);
    return arg;
}

int main(void)
{
    pthread_t user;

    pthread_mutex_init(&lock, NULL);
    pthread_create(&user, NULL, use, NULL);
    while (!is_over)
        sched_yield();
    pthread_mutex_destroy(&lock);
    pthread_join(user, NULL);
}
