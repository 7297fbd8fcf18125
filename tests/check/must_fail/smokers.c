/* SPDX-License-Identifier: MIT */
/* smokers.c - cigarette smokers who take one ingredient after the other.
 *
 * bug: each smoker waits for its two ingredients by two semaphores: one takes the paper that
 *      another needs, and nobody smokes
 * kind: deadlock
 * budget: 40
 * door: either */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>

enum { ROUNDS = 3 };

static sem_t tobacco, paper, matches, agent;

struct need {
    sem_t *first, *second;
    const char *name;
};

static void *smoker(void *arg)
{
    struct need *need = arg;
    sem_wait(need->first);
    sem_wait(need->second);
    printf("%s smokes\n", need->name);
    sem_post(&agent);
    return NULL;
}

static void *agent_main(void *arg)
{
    sem_t *pairs[ROUNDS][2] = {{&tobacco, &paper}, {&paper, &matches}, {&matches, &tobacco}};
    for (int i = 0; i < ROUNDS; i++) {
        sem_wait(&agent);
        sem_post(pairs[i][0]);
        sem_post(pairs[i][1]);
    }
    return arg;
}

int main(void)
{
    pthread_t threads[4];
    struct need needs[3] = {{&tobacco, &paper, "matches"},
                            {&paper, &matches, "tobacco"},
                            {&matches, &tobacco, "paper"}};
    sem_init(&tobacco, 0, 0);
    sem_init(&paper, 0, 0);
    sem_init(&matches, 0, 0);
    sem_init(&agent, 0, 1);
    pthread_create(&threads[3], NULL, agent_main, NULL);
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, smoker, &needs[i]);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
