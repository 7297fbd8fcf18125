/* SPDX-License-Identifier: MIT */
/* big_write_to_a_pipe.c - more is written to a pipe than fits, while another thread reads.
 *
 * looks like: a hang */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { BYTES = 100000 };

static int ends[2];
static char out[BYTES];

static void *send_all(void *arg)
{
    (void)!write(ends[1], out, BYTES);
    close(ends[1]);
    return arg;
}

int main(void)
{
    static char in[BYTES];
    pthread_t thread;
    size_t got = 0;
    ssize_t r;

    if (pipe(ends) != 0)
        return 0;
    memset(out, 'x', sizeof out);
    pthread_create(&thread, NULL, send_all, NULL);
    while ((r = read(ends[0], in, sizeof in)) > 0)
        got += (size_t)r;
    pthread_join(thread, NULL);
    return got != BYTES;
}
