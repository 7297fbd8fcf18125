/* SPDX-License-Identifier: MIT */
/* semaphores_crossed.c - two semaphores of one are taken in opposite orders.
 *
 * bug: two threads wait for two semaphores of one in opposite orders
 * kind: deadlock
 * budget: 50
 * door: either */
#include <pthread.h>
#include <semaphore.h>

static sem_t left, right;

static void *other(void *arg)
{
    sem_wait(&right);
    sem_wait(&left);
    sem_post(&left);
    sem_post(&right);
    return arg;
}

int main(void)
{
    pthread_t thread;

    sem_init(&left, 0, 1);
    sem_init(&right, 0, 1);
    pthread_create(&thread, NULL, other, NULL);
    sem_wait(&left);
    sem_wait(&right);
    sem_post(&right);
    sem_post(&left);
    pthread_join(thread, NULL);
    return 0;
}
