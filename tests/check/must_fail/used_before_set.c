/* SPDX-License-Identifier: MIT */
/* used_before_set.c - a worker is started before what it needs is there.
 *
 * bug: the settings are stored after pthread_create(); a worker that is quick finds NULL
 * kind: crash
 * budget: 10
 * door: instrumented */
#include <pthread.h>
#include <stddef.h>

struct settings {
    int size;
};

static struct settings *settings;
static int size;

static void *work(void *arg)
{
    size = settings->size;
    return arg;
}

int main(void)
{
    static struct settings ours = {.size = 64};
    pthread_t worker;

    pthread_create(&worker, NULL, work, NULL);
    settings = &ours;
    pthread_join(worker, NULL);
    return size != 64;
}
