/* SPDX-License-Identifier: MIT */
/* once.c - a plain table is filled by pthread_once().
 *
 * looks like: a race on the table, which nobody locks */
#include <assert.h>
#include <pthread.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int table[2];

static void fill(void)
{
    table[0]++;
    table[1] = 2;
}

static void *use(void *arg)
{
    pthread_once(&once, fill);
    assert(table[0] == 1 && table[1] == 2);
    return arg;
}

int main(void)
{
    pthread_t threads[3];

    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, use, NULL);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}
