/* SPDX-License-Identifier: MIT */
/* conn_pool.c - a pool of connections that checks and takes in two steps.
 *
 * bug: whether a connection is free is looked up under the lock, but it is marked as taken only
 *      under the next lock: two clients get the same
 * kind: assertion
 * budget: 40
 * door: either */
#include <assert.h>
#include <pthread.h>
#include <stdio.h>

enum { CONNS = 3, CLIENTS = 4, ROUNDS = 4 };

struct conn {
    int busy;
    int users;
    int queries;
};

static struct conn conns[CONNS];
static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t stat_lock = PTHREAD_MUTEX_INITIALIZER;
static int served;

static int find_free(void)
{
    int found = -1;
    pthread_mutex_lock(&pool_lock);
    for (int i = 0; i < CONNS && found < 0; i++) {
        if (!conns[i].busy)
            found = i;
    }
    pthread_mutex_unlock(&pool_lock);
    return found;
}

static void claim(int i)
{
    pthread_mutex_lock(&pool_lock);
    conns[i].busy = 1;
    int users = ++conns[i].users;
    pthread_mutex_unlock(&pool_lock);
    assert(users == 1);
}

static void give_back(int i)
{
    pthread_mutex_lock(&pool_lock);
    conns[i].busy = 0;
    conns[i].users--;
    pthread_mutex_unlock(&pool_lock);
}

static void *client(void *arg)
{
    for (int round = 0; round < ROUNDS; round++) {
        int i = find_free();
        if (i < 0)
            continue;
        claim(i);
        pthread_mutex_lock(&stat_lock);
        served++;
        conns[i].queries++;
        pthread_mutex_unlock(&stat_lock);
        give_back(i);
    }
    return arg;
}

int main(void)
{
    pthread_t threads[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        pthread_create(&threads[i], NULL, client, NULL);
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], NULL);
    printf("served %d\n", served);
    return 0;
}
