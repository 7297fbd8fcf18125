/* SPDX-License-Identifier: MIT */
/* memory_again.c - memory is freed by one thread, and allocated again and written by another.
 *
 * looks like: a race between the writers, which no order of the program's connects */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void *fill(void *arg)
{
    for (int i = 0; i < 4; i++) {
        char *text = malloc(24);
        memset(text, 'x', 24);
        assert(text[23] == 'x');
        free(text);
    }
    return arg;
}

int main(void)
{
    pthread_t threads[3];

    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, fill, NULL);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}
