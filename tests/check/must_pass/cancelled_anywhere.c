/* SPDX-License-Identifier: MIT */
/* cancelled_anywhere.c - threads are cancelled in each call that waits, and leave what they hold.
 *
 * looks like: a deadlock */
#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

enum { WAYS = 6 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static sem_t nothing;
static int ends[2];
static int left;

static void leave(void *arg)
{
    (void)arg;
    left++;
    pthread_mutex_unlock(&lock);
}

static void wait_in(int way)
{
    struct pollfd one = {.fd = ends[0], .events = POLLIN};
    const struct timespec long_time = {1000000, 0};
    char byte;

    switch (way) {
    case 0:
        sem_wait(&nothing);
        break;
    case 1:
        (void)!read(ends[0], &byte, 1);
        break;
    case 2:
        nanosleep(&long_time, NULL);
        break;
    case 3:
        poll(&one, 1, -1);
        break;
    case 4:
        pause();
        break;
    default:
        break;
    }
}

static void *wait_for_ever(void *arg)
{
    int way = *(int *)arg;

    for (;;) {
        wait_in(way);
        pthread_mutex_lock(&lock);
        pthread_cleanup_push(leave, NULL);
        for (;;)
            pthread_cond_wait(&never, &lock);
        pthread_cleanup_pop(0);
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[WAYS];
    int ways[WAYS];
    void *result;

    if (pipe(ends) != 0)
        return 0;
    sem_init(&nothing, 0, 0);
    for (int i = 0; i < WAYS; i++) {
        ways[i] = i;
        pthread_create(&threads[i], NULL, wait_for_ever, &ways[i]);
    }
    for (int i = 0; i < WAYS; i++)
        pthread_cancel(threads[i]);
    for (int i = 0; i < WAYS; i++) {
        pthread_join(threads[i], &result);
        assert(result == PTHREAD_CANCELED);
    }
    assert(left <= 2); /* the last way; and a sleep may be over */
    assert(pthread_mutex_trylock(&lock) == 0);
    return 0;
}
