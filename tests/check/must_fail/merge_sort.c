/* SPDX-License-Identifier: MIT */
/* merge_sort.c - a parallel sort that merges while a half is still sorted.
 *
 * bug: a thread of the second level is detached, not joined: its parent merges what it still sorts,
 *      and returns while the thread uses its stack
 * kind: assertion
 * budget: 40
 * door: either */
#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

enum { SIZE = 12 };

struct range {
    int low, high, depth;
};

static int values[SIZE] = {9, 4, 11, 2, 7, 1, 12, 3, 10, 6, 8, 5};

static void merge(int low, int middle, int high)
{
    int out[SIZE], n = 0, i = low, j = middle;
    while (i < middle || j < high)
        out[n++] = j >= high || (i < middle && values[i] <= values[j]) ? values[i++] : values[j++];
    memcpy(values + low, out, n * sizeof *out);
}

static void *sort(void *arg)
{
    struct range *range = arg;
    if (range->high - range->low < 2)
        return NULL;
    int middle = (range->low + range->high) / 2;
    struct range left = {range->low, middle, range->depth + 1};
    struct range right = {middle, range->high, range->depth + 1};
    pthread_t thread;
    bool started = range->depth < 2 && pthread_create(&thread, NULL, sort, &left) == 0;
    if (!started)
        sort(&left);
    sort(&right);
    if (started && range->depth < 1)
        pthread_join(thread, NULL);
    else if (started)
        pthread_detach(thread);
    merge(range->low, middle, range->high);
    return NULL;
}

int main(void)
{
    struct range all = {0, SIZE, 0};
    sort(&all);
    for (int i = 0; i < SIZE; i++)
        assert(values[i] == i + 1);
    return 0;
}
