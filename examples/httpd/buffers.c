/* SPDX-License-Identifier: MIT */
/* buffers.c - what a connection needs while a request is answered, and gives back afterwards.
 *
 * Each thread keeps a few that nobody has, so that no request allocates; they end with the thread.
 * A task may give back on its own thread only, which is where all of a task happens. */
#include "buffers.h"

#include <pthread.h>
#include <stdlib.h>

enum { KEPT = 16 };

struct shelf {
    struct buffers *first;
    unsigned count;
};

static _Thread_local struct shelf shelf;
static pthread_key_t at_thread_end;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void empty(void *arg)
{
    struct shelf *s = arg;
    for (struct buffers *b; (b = s->first);) {
        s->first = b->next;
        free(b);
    }
    s->count = 0;
}

static void make_key(void)
{
    if (pthread_key_create(&at_thread_end, empty) != 0)
        abort();
}

struct buffers *buffers_take(void)
{
    struct buffers *b = shelf.first;
    if (!b)
        return malloc(sizeof *b);
    shelf.first = b->next;
    shelf.count--;
    return b;
}

void buffers_give(struct buffers *b)
{
    if (!b)
        return;
    if (!shelf.first) {
        pthread_once(&once, make_key);
        if (pthread_setspecific(at_thread_end, &shelf) != 0) {
            free(b);
            return;
        }
    }
    if (shelf.count == KEPT) {
        free(b);
        return;
    }
    b->next = shelf.first;
    shelf.first = b;
    shelf.count++;
}
