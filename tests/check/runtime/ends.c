/* SPDX-License-Identifier: MIT */
/* ends.c - a program that ends in the way that its argument names. */
#include <assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *how;
static volatile int zero;
static void *volatile no_block = (char *)&how; /* volatile: no compiler knows it */
static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER, other = PTHREAD_MUTEX_INITIALIZER;

static int sink(int depth)
{
    volatile char frame[4096];

    frame[0] = (char)depth;
    return depth > 0 ? sink(depth + 1) + frame[0] : 0;
}

static void end_here(void)
{
    if (strcmp(how, "null") == 0)
        *(volatile int *)NULL = 1;
    if (strcmp(how, "overflow") == 0)
        sink(1);
    if (strcmp(how, "abort") == 0)
        abort();
    if (strcmp(how, "assert") == 0)
        assert(zero == 1);
    if (strcmp(how, "exit") == 0)
        exit(3);
    if (strcmp(how, "at_once") == 0)
        _exit(4);
    if (strcmp(how, "raise") == 0)
        raise(SIGFPE);
    if (strcmp(how, "free") == 0)
        free(no_block);
    if (strcmp(how, "spin") == 0) {
        for (;;)
            sched_yield();
    }
}

static void *work(void *arg)
{
    end_here();
    pthread_mutex_lock(&one);
    if (strcmp(how, "deadlock") == 0)
        pthread_mutex_lock(&other);
    return arg;
}

int main(int argc, char **argv)
{
    pthread_t thread;

    how = argc > 1 ? argv[1] : "";
    if (strcmp(how, "deadlock") == 0)
        pthread_mutex_lock(&other);
    pthread_create(&thread, NULL, work, NULL);
    if (strcmp(how, "leak") == 0)
        return 0;
    /* Some schedules taint the execution; the program's first descriptor is what it always was. */
    if (strcmp(how, "file") == 0 && pthread_tryjoin_np(thread, NULL) != 0)
        assert(open("/dev/null", O_RDONLY) == STDERR_FILENO + 1);
    pthread_join(thread, NULL);
}
