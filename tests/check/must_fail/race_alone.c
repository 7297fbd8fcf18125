/* SPDX-License-Identifier: MIT */
/* race_alone.c - a progress counter that is shown while it is counted.
 *
 * bug: it is written and read without any order; no outcome of this program shows it
 * kind: data-race
 * budget: 20
 * door: instrumented */
#include <pthread.h>

static int done;

static void *work(void *arg)
{
    for (int i = 0; i < 3; i++)
        done = i;
    return arg;
}

int main(void)
{
    pthread_t worker;

    pthread_create(&worker, NULL, work, NULL);
    int shown = done;
    pthread_join(worker, NULL);
    return shown > 100;
}
