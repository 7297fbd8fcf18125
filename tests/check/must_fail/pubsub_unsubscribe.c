/* SPDX-License-Identifier: MIT */
/* pubsub_unsubscribe.c - publish takes a copy of the subscribers, and calls one who left.
 *
 * bug: the copy of the list is called without the lock, after unsubscribe() has closed the inbox
 * kind: assertion
 * budget: 40
 * door: either */
#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

enum { MOST = 4, MESSAGES = 3 };

struct subscriber {
    pthread_mutex_t lock;
    bool is_open;
    int got;
};

static struct subscriber subscribers[MOST];
static struct subscriber *list[MOST];
static int count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void deliver(struct subscriber *to)
{
    pthread_mutex_lock(&to->lock);
    assert(to->is_open);
    to->got++;
    pthread_mutex_unlock(&to->lock);
}

static void publish(void)
{
    struct subscriber *copy[MOST];
    pthread_mutex_lock(&lock);
    int n = count;
    memcpy(copy, list, sizeof copy);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < n; i++)
        deliver(copy[i]);
}

static void unsubscribe(struct subscriber *who)
{
    pthread_mutex_lock(&lock);
    for (int i = 0; i < count; i++) {
        if (list[i] == who)
            list[i] = list[--count];
    }
    pthread_mutex_unlock(&lock);
    pthread_mutex_lock(&who->lock);
    who->is_open = false;
    pthread_mutex_unlock(&who->lock);
}

static void *publisher(void *arg)
{
    for (int i = 0; i < MESSAGES; i++)
        publish();
    return arg;
}

static void *leaver(void *arg)
{
    unsubscribe(arg);
    return NULL;
}

int main(void)
{
    pthread_t threads[3];
    for (int i = 0; i < MOST; i++) {
        pthread_mutex_init(&subscribers[i].lock, NULL);
        subscribers[i].is_open = true;
        list[count++] = &subscribers[i];
    }
    pthread_create(&threads[0], NULL, publisher, NULL);
    pthread_create(&threads[1], NULL, leaver, &subscribers[1]);
    pthread_create(&threads[2], NULL, leaver, &subscribers[3]);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
