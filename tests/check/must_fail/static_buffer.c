/* SPDX-License-Identifier: MIT */
/* static_buffer.c - a helper that returns its own static buffer.
 *
 * bug: format() returns a static buffer; two threads write it at once (it should be per thread)
 * kind: exit
 * budget: 60
 * door: instrumented */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static __thread int errors;
static int all_errors;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static char *format(int number)
{
    static char text[16];
    char *at = text + sizeof text - 1;
    *at = '\0';
    do {
        *--at = '0' + number % 10;
        number /= 10;
    } while (number);
    return at;
}

static void *worker(void *arg)
{
    int base = *(int *)arg;
    for (int i = 0; i < 4; i++) {
        if (atoi(format(base + i)) != base + i)
            errors++;
    }
    pthread_mutex_lock(&lock);
    all_errors += errors;
    pthread_mutex_unlock(&lock);
    return NULL;
}

int main(void)
{
    pthread_t threads[2];
    int bases[2] = {1000, 2000};
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, worker, &bases[i]);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    return all_errors ? EXIT_FAILURE : EXIT_SUCCESS;
}
