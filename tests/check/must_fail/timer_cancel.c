/* SPDX-License-Identifier: MIT */
/* timer_cancel.c - a timer that is cancelled while it fires.
 *
 * bug: timer_cancel() takes the timer off the list and frees it; the wheel's thread has already
 *      taken it off and runs its callback without the lock
 * kind: heap crash
 * budget: 40
 * door: either */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SLOTS = 4 };

struct timer {
    struct timer *next;
    int slot;
    void (*fire)(struct timer *timer);
    int *counter;
};

static struct timer *wheel[SLOTS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int fired;

static void on_fire(struct timer *timer)
{
    __sync_fetch_and_add(timer->counter, 1);
}

static struct timer *timer_start(int slot)
{
    struct timer *timer = malloc(sizeof *timer);
    timer->slot = slot;
    timer->fire = on_fire;
    timer->counter = &fired;
    pthread_mutex_lock(&lock);
    timer->next = wheel[slot];
    wheel[slot] = timer;
    pthread_mutex_unlock(&lock);
    return timer;
}

static void timer_cancel(struct timer *timer)
{
    pthread_mutex_lock(&lock);
    for (struct timer **at = &wheel[timer->slot]; *at; at = &(*at)->next) {
        if (*at == timer) {
            *at = timer->next;
            break;
        }
    }
    pthread_mutex_unlock(&lock);
    free(timer);
}

static void *ticker(void *arg)
{
    for (int tick = 0; tick < SLOTS; tick++) {
        usleep(100);
        pthread_mutex_lock(&lock);
        struct timer *due = wheel[tick];
        wheel[tick] = NULL;
        pthread_mutex_unlock(&lock);
        while (due) {
            struct timer *next = due->next;
            pthread_mutex_lock(&lock);
            due->fire(due);
            pthread_mutex_unlock(&lock);
            due = next;
        }
    }
    return arg;
}

int main(void)
{
    pthread_t thread;
    struct timer *timers[SLOTS];
    for (int i = 0; i < SLOTS; i++)
        timers[i] = timer_start(i);
    pthread_create(&thread, NULL, ticker, NULL);
    usleep(150);
    for (int i = SLOTS; i-- > 0;)
        timer_cancel(timers[i]);
    pthread_join(thread, NULL);
    printf("fired %d\n", fired);
    return 0;
}
