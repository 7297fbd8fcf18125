/* SPDX-License-Identifier: MIT */
/* mapped_again.c - memory that two threads map, use and give back, again and again.
 *
 * looks like: races on addresses that the kernel gives out twice
 * door: instrumented */
#include <assert.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>

enum { BYTES = 1 << 14, TIMES = 3 };

static void *use(void *arg)
{
    for (int i = 0; i < TIMES; i++) {
        char *memory =
            mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert(memory != MAP_FAILED);
        for (int at = 0; at < BYTES; at += 4096) {
            assert(memory[at] == 0);
            memory[at] = (char)i;
        }
        munmap(memory, BYTES);
    }
    return arg;
}

int main(void)
{
    pthread_t one, other;

    pthread_create(&one, NULL, use, NULL);
    pthread_create(&other, NULL, use, NULL);
    pthread_join(one, NULL);
    pthread_join(other, NULL);
}
