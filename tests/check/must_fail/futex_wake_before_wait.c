/* SPDX-License-Identifier: MIT */
/* futex_wake_before_wait.c - a lock of a futex and a flag.
 *
 * bug: a hand-written lock forgets that somebody may wait: no wake-up comes
 * kind: deadlock
 * budget: 300
 * door: instrumented */
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_int word; /* 0 free, 1 taken */
static atomic_int waiting;

static void lock(void)
{
    int expected = 0;

    while (!atomic_compare_exchange_strong(&word, &expected, 1)) {
        syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 1, NULL);
        expected = 0;
        atomic_store(&waiting, 1);
    }
}

static void unlock(void)
{
    atomic_store(&word, 0);
    if (atomic_exchange(&waiting, 0))
        syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1);
}

static void *work(void *arg)
{
    lock();
    unlock();
    return arg;
}

int main(void)
{
    pthread_t threads[2];

    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, work, NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
