/* SPDX-License-Identifier: MIT */
/* model_inbox.c - two producers and the consumer of an inbox, which sleeps when it finds nothing.
 *
 * What must hold: each message arrives once, each producer's in the order sent, with what was
 * written into it before; and nobody sleeps through one.
 *
 * sources: src/queue/inbox.c */
#include "queue/inbox.h"

#include <assert.h>
#include <pthread.h>
#include <semaphore.h>

enum { PRODUCERS = 2, EACH = 2, ALL = PRODUCERS * EACH };

struct letter {
    struct rvi_msg msg; /* first */
    int from, number;
};

static struct rvi_inbox inbox;
static _Atomic(int) is_asleep;
static sem_t called;
static struct letter letters[PRODUCERS][EACH];

static void *produce(void *arg)
{
    int me = (int)(long)arg;

    for (int i = 0; i < EACH; i++) {
        struct letter *letter = &letters[me][i];
        letter->from = me;
        letter->number = i;
        if (rvi_inbox_push(&inbox, &letter->msg) && rvi_exchange_seq_cst(&is_asleep, 0))
            sem_post(&called);
    }
    return NULL;
}

static void sleep_unless_called(void)
{
    rvi_store_seq_cst(&is_asleep, 1);
    if (!rvi_inbox_looks_empty_seq_cst(&inbox)) {
        if (rvi_exchange_seq_cst(&is_asleep, 0))
            return;
    }
    sem_wait(&called);
}

int main(void)
{
    pthread_t producers[PRODUCERS];
    int next[PRODUCERS] = {0}, got = 0;

    rvi_inbox_init(&inbox);
    sem_init(&called, 0, 0);
    for (long i = 0; i < PRODUCERS; i++)
        pthread_create(&producers[i], NULL, produce, (void *)i);
    while (got < ALL) {
        struct rvi_msg *msg = rvi_inbox_take_all(&inbox);
        if (!msg)
            sleep_unless_called();
        for (; msg; msg = msg->next, got++) {
            const struct letter *letter = (struct letter *)msg;
            assert(letter->number == next[letter->from]++);
        }
    }
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(producers[i], NULL);
    assert(rvi_inbox_take_all(&inbox) == NULL);
}
