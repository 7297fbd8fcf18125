/* SPDX-License-Identifier: MIT */
/* pool_idle_count.c - a thread pool that believes itself idle.
 *
 * bug: a worker takes a job off the queue, and counts itself as busy only under the next lock; in
 *      between the queue is empty and nobody is busy, and wait_idle() returns early
 * kind: exit
 * budget: 60
 * door: either */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORKERS = 3, JOBS = 8 };

struct job {
    struct job *next;
    int number;
};

static struct job *jobs;
static int busy, quit;
static int results[JOBS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t posted = PTHREAD_COND_INITIALIZER;
static pthread_cond_t idle = PTHREAD_COND_INITIALIZER;

static struct job *take(void)
{
    pthread_mutex_lock(&lock);
    while (!jobs && !quit)
        pthread_cond_wait(&posted, &lock);
    struct job *job = jobs;
    if (job)
        jobs = job->next;
    pthread_mutex_unlock(&lock);
    return job;
}

static void *worker(void *arg)
{
    struct job *job;
    while ((job = take())) {
        pthread_mutex_lock(&lock);
        busy++;
        pthread_mutex_unlock(&lock);

        pthread_mutex_lock(&lock);
        results[job->number] = job->number + 1;
        busy--;
        pthread_cond_signal(&idle);
        pthread_mutex_unlock(&lock);
        free(job);
    }
    return arg;
}

static void submit(int number)
{
    struct job *job = malloc(sizeof *job);
    job->number = number;
    pthread_mutex_lock(&lock);
    job->next = jobs;
    jobs = job;
    pthread_cond_signal(&posted);
    pthread_mutex_unlock(&lock);
}

static int wait_idle(void)
{
    int sum = 0;
    pthread_mutex_lock(&lock);
    while (jobs || busy)
        pthread_cond_wait(&idle, &lock);
    for (int i = 0; i < JOBS; i++)
        sum += results[i];
    pthread_mutex_unlock(&lock);
    return sum;
}

int main(void)
{
    pthread_t threads[WORKERS];
    for (int i = 0; i < WORKERS; i++)
        pthread_create(&threads[i], NULL, worker, NULL);
    for (int i = 0; i < JOBS; i++)
        submit(i);
    int sum = wait_idle();
    pthread_mutex_lock(&lock);
    quit = 1;
    pthread_cond_broadcast(&posted);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    if (sum != JOBS * (JOBS + 1) / 2) {
        fprintf(stderr, "sum is %d\n", sum);
        return 1;
    }
    return 0;
}
