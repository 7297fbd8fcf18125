/* SPDX-License-Identifier: MIT */
/* freed_in_use.c - a program ends while its logger still writes.
 *
 * bug: main frees the logger's buffer after telling it to stop, without waiting until it has
 * kind: heap crash
 * budget: 30
 * door: instrumented */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

struct log {
    atomic_bool stops;
    char *text;
    int used;
};

static void *write_log(void *arg)
{
    struct log *log = arg;

    while (!log->stops && log->used < 4)
        log->text[log->used++] = 'x';
    return NULL;
}

int main(void)
{
    static struct log log;
    pthread_t writer;

    log.text = malloc(16);
    pthread_create(&writer, NULL, write_log, &log);
    log.stops = true;
    free(log.text);
    pthread_join(writer, NULL);
}
