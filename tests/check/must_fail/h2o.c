/* SPDX-License-Identifier: MIT */
/* h2o.c - water made of two hydrogens and an oxygen.
 *
 * bug: hydrogen counts itself with an atomic increment and compares with a later load: at two in
 *      a row both see 2, and oxygen is let go twice
 * kind: assertion deadlock
 * budget: 40
 * door: instrumented */
#include <assert.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

enum { MOLECULES = 2 };

static atomic_int hydrogens;
static atomic_int bonded_h, bonded_o;
static sem_t pair_ready, h_may_go;

static void *hydrogen(void *arg)
{
    atomic_fetch_add(&hydrogens, 1);
    if (atomic_load(&hydrogens) % 2 == 0)
        sem_post(&pair_ready);
    sem_wait(&h_may_go);
    atomic_fetch_add(&bonded_h, 1);
    return arg;
}

static void *oxygen(void *arg)
{
    sem_wait(&pair_ready);
    assert(atomic_load(&hydrogens) >= 2 * (atomic_load(&bonded_o) + 1));
    atomic_fetch_add(&bonded_o, 1);
    sem_post(&h_may_go);
    sem_post(&h_may_go);
    return arg;
}

int main(void)
{
    pthread_t h[2 * MOLECULES], o[MOLECULES];
    sem_init(&pair_ready, 0, 0);
    sem_init(&h_may_go, 0, 0);
    for (int i = 0; i < MOLECULES; i++)
        pthread_create(&o[i], NULL, oxygen, NULL);
    for (int i = 0; i < 2 * MOLECULES; i++)
        pthread_create(&h[i], NULL, hydrogen, NULL);
    for (int i = 0; i < 2 * MOLECULES; i++)
        pthread_join(h[i], NULL);
    for (int i = 0; i < MOLECULES; i++)
        pthread_join(o[i], NULL);
    return 0;
}
