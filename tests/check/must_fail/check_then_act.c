/* SPDX-License-Identifier: MIT */
/* check_then_act.c - a table that is filled by whoever comes first.
 *
 * bug: the look and the mark are each under the lock, but not together: two find it unmarked
 * kind: assertion
 * budget: 30
 * door: either */
#include <assert.h>
#include <pthread.h>
#include <stdbool.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool is_filled;
static int fills;

static bool must_fill(void)
{
    pthread_mutex_lock(&lock);
    bool must = !is_filled;
    pthread_mutex_unlock(&lock);
    return must;
}

static void *use(void *arg)
{
    if (must_fill()) {
        pthread_mutex_lock(&lock);
        is_filled = true;
        fills++;
        pthread_mutex_unlock(&lock);
    }
    return arg;
}

int main(void)
{
    pthread_t users[3];

    for (int i = 0; i < 3; i++)
        pthread_create(&users[i], NULL, use, NULL);
    for (int i = 0; i < 3; i++)
        pthread_join(users[i], NULL);
    assert(fills == 1);
}
