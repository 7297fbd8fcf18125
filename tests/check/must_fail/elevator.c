/* SPDX-License-Identifier: MIT */
/* elevator.c - a passenger who presses the button while the doors close.
 *
 * bug: the elevator clears the call of its floor after it let the passengers in, without looking
 *      whether another one has called since: that one waits for ever
 * kind: deadlock lost-wakeup
 * budget: 200
 * door: either */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

enum { FLOORS = 3, PASSENGERS = 4 };

static bool called[FLOORS];
static int waiting[FLOORS], boarded;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t call = PTHREAD_COND_INITIALIZER;
static pthread_cond_t open_doors[FLOORS];
static int opened[FLOORS];

static void *passenger(void *arg)
{
    int floor = *(int *)arg;
    pthread_mutex_lock(&lock);
    waiting[floor]++;
    called[floor] = true;
    pthread_cond_signal(&call);
    int seen = opened[floor];
    while (opened[floor] == seen)
        pthread_cond_wait(&open_doors[floor], &lock);
    boarded++;
    pthread_mutex_unlock(&lock);
    return NULL;
}

static int next_call(void)
{
    for (int floor = 0; floor < FLOORS; floor++) {
        if (called[floor])
            return floor;
    }
    return -1;
}

static void visit(int floor, int *carried)
{
    *carried += waiting[floor];
    waiting[floor] = 0;
    opened[floor]++;
    pthread_cond_broadcast(&open_doors[floor]);
    pthread_mutex_unlock(&lock);
    printf("floor %d, %d so far\n", floor, *carried);
    pthread_mutex_lock(&lock);
    called[floor] = false;
}

static void *elevator(void *arg)
{
    int carried = 0;
    pthread_mutex_lock(&lock);
    while (carried < PASSENGERS) {
        int floor;
        while ((floor = next_call()) < 0)
            pthread_cond_wait(&call, &lock);
        visit(floor, &carried);
    }
    pthread_mutex_unlock(&lock);
    return arg;
}

int main(void)
{
    pthread_t car, people[PASSENGERS];
    int floors[PASSENGERS] = {0, 2, 0, 1};
    for (int i = 0; i < FLOORS; i++)
        pthread_cond_init(&open_doors[i], NULL);
    pthread_create(&car, NULL, elevator, NULL);
    for (int i = 0; i < PASSENGERS; i++)
        pthread_create(&people[i], NULL, passenger, &floors[i]);
    for (int i = 0; i < PASSENGERS; i++)
        pthread_join(people[i], NULL);
    pthread_join(car, NULL);
    return 0;
}
