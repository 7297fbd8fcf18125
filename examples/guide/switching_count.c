/* SPDX-License-Identifier: MIT */
/* switching_count.c - two threads, then two tasks, hand something to and fro: how
 * often does the kernel switch? They share one processor: each has to make way. */
#define _GNU_SOURCE 1
#include <pthread.h>
#include <ravel.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/resource.h>

enum { ROUNDS = 5000 };

static sem_t ping, pong;

static void *answer_by_thread(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        sem_wait(&ping);
        sem_post(&pong);
    }
    return NULL;
}

static int threads(void *arg)
{
    pthread_t other;
    sem_init(&ping, 0, 0);
    sem_init(&pong, 0, 0);
    if (pthread_create(&other, NULL, answer_by_thread, NULL) != 0)
        return -1;
    for (int i = 0; i < ROUNDS; i++) {
        sem_post(&ping);
        sem_wait(&pong);
    }
    return pthread_join(other, NULL);
}

static struct rv_sem task_ping = RV_SEM_INIT, task_pong = RV_SEM_INIT;

static int answer_by_task(void *arg)
{
    int r = 0;
    for (int i = 0; i < ROUNDS && r == 0; i++) {
        r = rv_sem_wait(&task_ping, RV_NEVER);
        rv_sem_post(&task_pong, 1);
    }
    return r;
}

static int tasks(void *arg)
{
    int err;
    RV_SCOPE(s, err) {
        int r = rv_go(s, answer_by_task, NULL);
        for (int i = 0; i < ROUNDS && r == 0; i++) {
            rv_sem_post(&task_ping, 1);
            r = rv_sem_wait(&task_pong, RV_NEVER);
        }
        if (r < 0)
            rv_scope_cancel(s, r);
    }
    return err;
}

static int run_tasks(void *arg)
{
    struct rv_run_opts one_thread = {.size = sizeof(one_thread), .workers = 1};
    return rv_run(tasks, NULL, &one_thread);
}

static long kernel_switches(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_nvcsw + usage.ru_nivcsw;
}

static int count(const char *who, rv_fn *fn)
{
    long before = kernel_switches();
    int r = fn(NULL);
    long each = (kernel_switches() - before + ROUNDS / 2) / ROUNDS;
    printf("%s: the kernel switches %ld times a round\n", who, each);
    return r;
}

int main(void)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    sched_setaffinity(0, sizeof(one), &one);
    return count("threads", threads) < 0 || count("tasks", run_tasks) < 0;
}
