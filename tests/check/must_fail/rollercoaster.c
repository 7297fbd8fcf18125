/* SPDX-License-Identifier: MIT */
/* rollercoaster.c - a car that leaves when the seats are full.
 *
 * bug: passengers wait for a seat by `if`: one who comes late takes the seat of one who is woken,
 *      and the car leaves with three
 * kind: assertion deadlock lost-wakeup
 * budget: 40
 * door: either */
#include <assert.h>
#include <pthread.h>

enum { SEATS = 2, PEOPLE = 6, RIDES = 3 };

static int aboard, ridden;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t may_board = PTHREAD_COND_INITIALIZER;
static pthread_cond_t is_full = PTHREAD_COND_INITIALIZER;
static pthread_cond_t is_over = PTHREAD_COND_INITIALIZER;

static void *passenger(void *arg)
{
    pthread_mutex_lock(&lock);
    if (aboard == SEATS)
        pthread_cond_wait(&may_board, &lock);
    aboard++;
    assert(aboard <= SEATS);
    if (aboard == SEATS)
        pthread_cond_signal(&is_full);
    pthread_cond_wait(&is_over, &lock);
    ridden++;
    pthread_mutex_unlock(&lock);
    return arg;
}

static void *car(void *arg)
{
    for (int ride = 0; ride < RIDES; ride++) {
        pthread_mutex_lock(&lock);
        while (aboard < SEATS)
            pthread_cond_wait(&is_full, &lock);
        pthread_cond_broadcast(&is_over);
        aboard = 0;
        pthread_cond_broadcast(&may_board);
        pthread_mutex_unlock(&lock);
    }
    return arg;
}

int main(void)
{
    pthread_t people[PEOPLE], c;
    pthread_create(&c, NULL, car, NULL);
    for (int i = 0; i < PEOPLE; i++)
        pthread_create(&people[i], NULL, passenger, NULL);
    for (int i = 0; i < PEOPLE; i++)
        pthread_join(people[i], NULL);
    pthread_join(c, NULL);
    assert(ridden == PEOPLE);
    return 0;
}
