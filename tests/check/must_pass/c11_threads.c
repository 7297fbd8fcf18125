/* SPDX-License-Identifier: MIT */
/* c11_threads.c - turns taken in C11's own words.
 *
 * looks like: a race */
#include <threads.h>

static mtx_t lock;
static cnd_t changed;
static int turns;

static int play(void *arg)
{
    int me = *(int *)arg;

    mtx_lock(&lock);
    while (turns % 2 != me)
        cnd_wait(&changed, &lock);
    turns++;
    cnd_broadcast(&changed);
    mtx_unlock(&lock);
    return me + 10;
}

int main(void)
{
    thrd_t threads[2];
    int who[2] = {0, 1}, results[2];

    mtx_init(&lock, mtx_plain);
    cnd_init(&changed);
    for (int i = 0; i < 2; i++)
        thrd_create(&threads[i], play, &who[i]);
    for (int i = 0; i < 2; i++)
        thrd_join(threads[i], &results[i]);
    cnd_destroy(&changed);
    mtx_destroy(&lock);
    return turns != 2 || results[0] != 10 || results[1] != 11;
}
