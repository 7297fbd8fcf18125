/* SPDX-License-Identifier: MIT */
/* chain_of_five.c - a state machine that several threads push on out of turn.
 *
 * bug: each stage only looks whether the stage before has come, and does not take it: if they
 *      come in just the wrong order the machine ends in the state that must not be
 * kind: assertion
 * budget: 1000
 * door: either */
#include <assert.h>
#include <pthread.h>

enum { STAGES = 5 };

static int state;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *stage(void *arg)
{
    int me = *(int *)arg;
    pthread_mutex_lock(&lock);
    if (state == STAGES - 1 - me)
        state++;
    pthread_mutex_unlock(&lock);
    return NULL;
}

int main(void)
{
    pthread_t threads[STAGES];
    int numbers[STAGES];
    for (int i = 0; i < STAGES; i++) {
        numbers[i] = i;
        pthread_create(&threads[i], NULL, stage, &numbers[i]);
    }
    for (int i = 0; i < STAGES; i++)
        pthread_join(threads[i], NULL);
    assert(state != STAGES);
    return 0;
}
