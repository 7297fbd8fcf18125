/* SPDX-License-Identifier: MIT */
/* model_chan.c - two producers and a consumer on a channel with room for one item: plain threads,
 * so the channel is shared, without a lock until somebody has to wait.
 *
 * What must hold: each item arrives once, each producer's in the order sent, with what was written
 * before it was sent; and nobody waits for ever.
 *
 * sources: src/task/chan.c src/task/chan_life.c src/sched/bias.c src/sched/wait.c src/sys/lock.c
 * sources: src/sys/futex.c src/sys/fence.c src/sys/clock.c src/base/alloc.c src/base/atomic.c
 * sources: src/base/seam.c
 * rest: the library */
#include <assert.h>
#include <pthread.h>
#include <ravel/chan.h>
#include <ravel/time.h>
#include <stddef.h>

enum { PRODUCERS = 2, EACH = 2 };

struct item {
    int from, number;
    const int *payload;
};

static rv_chan *ch;
static int payloads[PRODUCERS][EACH];

static void *produce(void *arg)
{
    int me = (int)(long)arg;

    for (int i = 0; i < EACH; i++) {
        struct item item = {me, i, &payloads[me][i]};
        payloads[me][i] = 10 * me + i;
        assert(rv_chan_send(ch, &item, RV_NEVER) == 0);
    }
    return NULL;
}

int main(void)
{
    pthread_t producers[PRODUCERS];
    int next[PRODUCERS] = {0};

    assert(rv_chan_new(&ch, sizeof(struct item), 1) == 0);
    for (long i = 0; i < PRODUCERS; i++)
        pthread_create(&producers[i], NULL, produce, (void *)i);
    for (int i = 0; i < PRODUCERS * EACH; i++) {
        struct item item;
        assert(rv_chan_recv(ch, &item, RV_NEVER) == 0);
        assert(item.number == next[item.from]++);
        assert(*item.payload == 10 * item.from + item.number);
    }
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(producers[i], NULL);
    rv_chan_free(ch);
}
