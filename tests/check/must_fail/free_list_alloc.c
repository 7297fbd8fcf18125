/* SPDX-License-Identifier: MIT */
/* free_list_alloc.c - an allocator of blocks, locked in alloc() and forgotten in release().
 *
 * bug: release() pushes without the lock: a block is lost or given to two
 * kind: assertion exit
 * budget: 40
 * door: instrumented */
#include <assert.h>
#include <pthread.h>
#include <stddef.h>

enum { BLOCKS = 8, THREADS = 4, ROUNDS = 5 };

struct block {
    struct block *next;
    int owner;
};

static struct block blocks[BLOCKS];
static struct block *free_list;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct block *alloc_block(void)
{
    pthread_mutex_lock(&lock);
    struct block *block = free_list;
    if (block)
        free_list = block->next;
    pthread_mutex_unlock(&lock);
    return block;
}

static void release(struct block *block)
{
    block->next = free_list;
    free_list = block;
}

static void *user(void *arg)
{
    int me = *(int *)arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct block *block = alloc_block();
        if (!block)
            continue;
        block->owner = me;
        release(block);
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    int numbers[THREADS];
    for (int i = 0; i < BLOCKS; i++)
        release(&blocks[i]);
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        pthread_create(&threads[i], NULL, user, &numbers[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    int count = 0;
    for (struct block *at = free_list; at && count <= BLOCKS; at = at->next)
        count++;
    assert(count == BLOCKS);
    return 0;
}
