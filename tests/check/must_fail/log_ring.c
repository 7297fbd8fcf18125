/* SPDX-License-Identifier: MIT */
/* log_ring.c - a logger thread that sleeps through the last line.
 *
 * bug: the logger looks whether there are lines without the lock, then locks and waits; the only
 *      signal for the last line can come between
 * kind: deadlock lost-wakeup
 * budget: 200
 * door: either */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINES = 6 };

static char ring[LINES][32];
static volatile int head, tail;
static int stop;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;

static void log_line(const char *text)
{
    pthread_mutex_lock(&lock);
    strncpy(ring[head], text, sizeof ring[0] - 1);
    head++;
    pthread_mutex_unlock(&lock);
    pthread_cond_signal(&more);
}

static void *logger(void *arg)
{
    (void)arg;
    while (tail < LINES) {
        if (head == tail) {
            pthread_mutex_lock(&lock);
            pthread_cond_wait(&more, &lock);
            pthread_mutex_unlock(&lock);
        }
        while (tail < head) {
            printf("log: %s\n", ring[tail]);
            tail++;
        }
    }
    return NULL;
}

int main(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, logger, NULL);
    for (int i = 0; i < LINES; i++) {
        char text[32];
        snprintf(text, sizeof text, "request %d", i);
        log_line(text);
        usleep(1000);
    }
    pthread_join(thread, NULL);
    return stop;
}
