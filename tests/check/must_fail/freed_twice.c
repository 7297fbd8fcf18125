/* SPDX-License-Identifier: MIT */
/* freed_twice.c - a connection that either side may close.
 *
 * bug: both look whether it is open before either has marked it closed
 * kind: heap
 * budget: 40
 * door: instrumented */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct connection {
    char *buffer;
};

static void *close_it(void *arg)
{
    struct connection *c = arg;

    if (c->buffer) {
        free(c->buffer);
        c->buffer = NULL;
    }
    return NULL;
}

int main(void)
{
    static struct connection c;
    pthread_t reader, writer;

    c.buffer = malloc(32);
    pthread_create(&reader, NULL, close_it, &c);
    pthread_create(&writer, NULL, close_it, &c);
    pthread_join(reader, NULL);
    pthread_join(writer, NULL);
}
