/* SPDX-License-Identifier: MIT */
/* poll_the_clock.c - threads look at the clock until time has passed.
 *
 * looks like: a livelock */
#include <pthread.h>
#include <time.h>

static long long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void *wait_a_little(void *arg)
{
    long long end = now_ms() + 50;

    while (now_ms() < end) {}
    return arg;
}

int main(void)
{
    pthread_t threads[2];

    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, wait_a_little, NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
