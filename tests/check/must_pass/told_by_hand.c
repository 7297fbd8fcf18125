/* SPDX-License-Identifier: MIT */
/* told_by_hand.c - a hand-over that instrumentation cannot see, and that the program tells of.
 *
 * looks like: a race on the item; the flag is read and written by code that is not instrumented
 * door: instrumented */
#include <assert.h>
#include <pthread.h>
#include <sched.h>

/* Nobody is there to be told in an unchanged binary. */
__attribute__((weak)) void __tsan_acquire(void *object);
__attribute__((weak)) void __tsan_release(void *object);

static int item;
static int is_there;

static __attribute__((noinline, no_sanitize("thread"))) int look(void)
{
    return __atomic_load_n(&is_there, __ATOMIC_ACQUIRE);
}

static __attribute__((noinline, no_sanitize("thread"))) void show(void)
{
    __atomic_store_n(&is_there, 1, __ATOMIC_RELEASE);
}

static void *take(void *arg)
{
    while (!look())
        sched_yield();
    if (__tsan_acquire)
        __tsan_acquire(&is_there);
    assert(item == 7);
    return arg;
}

int main(void)
{
    pthread_t taker;

    pthread_create(&taker, NULL, take, NULL);
    item = 7;
    if (__tsan_release)
        __tsan_release(&is_there);
    show();
    pthread_join(taker, NULL);
}
