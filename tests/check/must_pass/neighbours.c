/* SPDX-License-Identifier: MIT */
/* neighbours.c - threads write bytes that lie side by side, in one word, one granule, one
 * structure.
 *
 * looks like: a race, to who looks at words */
#include <assert.h>
#include <pthread.h>
#include <string.h>

static struct {
    char a, b;
    short c;
    int d;
    char name[8];
} cells;

static void *write_chars(void *arg)
{
    cells.a = 1;
    cells.d = 4;
    memcpy(cells.name, "abc", 3);
    return arg;
}

static void *write_others(void *arg)
{
    cells.b = 2;
    cells.c = 3;
    memcpy(cells.name + 3, "def", 4);
    return arg;
}

int main(void)
{
    pthread_t a, b;

    pthread_create(&a, NULL, write_chars, NULL);
    pthread_create(&b, NULL, write_others, NULL);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    assert(cells.a + cells.b + cells.c + cells.d == 10 && strcmp(cells.name, "abcdef") == 0);
}
