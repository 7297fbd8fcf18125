/* SPDX-License-Identifier: MIT */
/* child_posts.c - two processes take turns by semaphores in shared memory.
 *
 * looks like: a hang */
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    sem_t *turns =
        mmap(NULL, 2 * sizeof *turns, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = 1;

    sem_init(&turns[0], 1, 0);
    sem_init(&turns[1], 1, 0);
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 3; i++) {
            sem_wait(&turns[0]);
            sem_post(&turns[1]);
        }
        _exit(0);
    }
    for (int i = 0; i < 3; i++) {
        sem_post(&turns[0]);
        sem_wait(&turns[1]);
    }
    waitpid(child, &status, 0);
    return status != 0;
}
