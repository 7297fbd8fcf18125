/* SPDX-License-Identifier: MIT */
/* pipe_hand_over.c - a plain value is written, and then a byte into a pipe on which the reader
 * waits.
 *
 * looks like: a race on the value, which the pipe puts in order */
#include <assert.h>
#include <pthread.h>
#include <unistd.h>

static int ends[2];
static int value;

static void *send(void *arg)
{
    value = 7;
    return write(ends[1], "x", 1) == 1 ? arg : NULL;
}

static void *receive(void *arg)
{
    char byte;

    if (read(ends[0], &byte, 1) == 1)
        assert(value == 7);
    return arg;
}

int main(void)
{
    pthread_t a, b;

    if (pipe(ends) < 0)
        return 1;
    pthread_create(&a, NULL, receive, NULL);
    pthread_create(&b, NULL, send, NULL);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
}
