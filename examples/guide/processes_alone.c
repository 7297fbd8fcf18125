/* SPDX-License-Identifier: MIT */
/* processes_alone.c - a thread changes what its program has; a process changes what
 * is its own. */
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static int counter;

static void *in_a_thread(void *arg)
{
    counter++;
    return arg;
}

int main(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, in_a_thread, NULL) != 0)
        return 1;
    pthread_join(thread, NULL);
    printf("after a thread added one: %d\n", counter);

    fflush(stdout); /* the child would have what is not yet written, too */
    pid_t child = fork();
    if (child == 0) {
        counter++;
        _exit(0);
    }
    if (child < 0 || waitpid(child, NULL, 0) < 0)
        return 1;
    printf("after a process added one: %d\n", counter);
    return 0;
}
