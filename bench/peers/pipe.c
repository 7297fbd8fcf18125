/* SPDX-License-Identifier: MIT */
/* pipe.c - what two processes can do with pipes alone: each item is a write of this process and a
 * read of its child; a batch ends when the child has said that it has got all. */
#include "pipe.h"

#include "bench.h"

#include <errno.h>
#include <unistd.h>

static int items[2], answers[2];

static void serve(void)
{
    long item, left = 0;
    char byte = 0;

    while (read(items[0], &item, sizeof item) == sizeof item) {
        left = left == 0 ? item : left - 1;
        if (left == 0 && write(answers[1], &byte, 1) != 1)
            break;
    }
    _exit(0);
}

/* The first says how many follow. */
static void run(void *arg, long ops)
{
    char byte;

    (void)arg;
    for (long i = 0; i <= ops; i++)
        bench_must(write(items[1], &ops, sizeof ops) == sizeof ops ? 0 : -errno, "write");
    bench_must(read(answers[0], &byte, 1) == 1 ? 0 : -errno, "read");
}

void run_pipe_queue(void)
{
    bench_param("capacity", 128); /* a pipe's own */
    bench_must(pipe(items) < 0 || pipe(answers) < 0 ? -errno : 0, "pipe");
    pid_t child = fork();
    bench_must(child < 0 ? -errno : 0, "fork");
    if (child == 0) {
        close(items[1]);
        close(answers[0]);
        serve();
    }
    close(items[0]);
    close(answers[1]);
    bench_batches(run, NULL, 100000);
}
