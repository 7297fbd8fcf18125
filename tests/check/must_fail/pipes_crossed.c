/* SPDX-License-Identifier: MIT */
/* pipes_crossed.c - two threads talk over two pipes.
 *
 * bug: when the switch is late, each reads first what the other is to write next
 * kind: deadlock
 * budget: 30
 * door: either */
#include <pthread.h>
#include <unistd.h>

static int there[2], back[2];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int is_asker_first;

static void *ask(void *arg)
{
    char byte = 'q';

    pthread_mutex_lock(&lock);
    is_asker_first = 1;
    pthread_mutex_unlock(&lock);
    if (read(back[0], &byte, 1) == 1 && write(there[1], &byte, 1) == 1)
        return arg;
    return NULL;
}

static void *answer(void *arg)
{
    char byte = 'a';

    pthread_mutex_lock(&lock);
    int is_late = is_asker_first;
    pthread_mutex_unlock(&lock);
    if (is_late && read(there[0], &byte, 1) != 1)
        return NULL;
    return write(back[1], &byte, 1) == 1 ? arg : NULL;
}

int main(void)
{
    pthread_t a, b;

    if (pipe(there) < 0 || pipe(back) < 0)
        return 1;
    pthread_create(&a, NULL, ask, NULL);
    pthread_create(&b, NULL, answer, NULL);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
}
