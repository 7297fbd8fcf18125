/* SPDX-License-Identifier: MIT */
/* sleeping_barber.c - the barber's chair is asked for without the lock.
 *
 * bug: customers count the free seats with a plain read and a plain write; more sit than there are
 *      seats, or fewer
 * kind: assertion exit
 * budget: 40
 * door: instrumented */
#include <assert.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>

enum { SEATS = 2, CUSTOMERS = 5 };

static int seats = SEATS;
static int turned_away, cut;
static sem_t customers, barber;
static pthread_mutex_t count_lock = PTHREAD_MUTEX_INITIALIZER;
static volatile int closed;

static void *barber_main(void *arg)
{
    for (;;) {
        sem_wait(&customers);
        if (closed)
            return arg;
        seats++;
        sem_post(&barber);
        cut++;
    }
}

static void *customer(void *arg)
{
    if (seats > 0) {
        seats--;
        sem_post(&customers);
        sem_wait(&barber);
    } else {
        pthread_mutex_lock(&count_lock);
        turned_away++;
        pthread_mutex_unlock(&count_lock);
    }
    return arg;
}

int main(void)
{
    pthread_t b, c[CUSTOMERS];
    sem_init(&customers, 0, 0);
    sem_init(&barber, 0, 0);
    pthread_create(&b, NULL, barber_main, NULL);
    for (int i = 0; i < CUSTOMERS; i++)
        pthread_create(&c[i], NULL, customer, NULL);
    for (int i = 0; i < CUSTOMERS; i++)
        pthread_join(c[i], NULL);
    closed = 1;
    sem_post(&customers);
    pthread_join(b, NULL);
    printf("%d cut, %d turned away\n", cut, turned_away);
    assert(seats == SEATS);
    return 0;
}
