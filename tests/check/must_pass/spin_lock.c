/* SPDX-License-Identifier: MIT */
/* spin_lock.c - a lock of an atomic flag, and one of POSIX's, each around a plain counter.
 *
 * looks like: a race, and a livelock */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

static atomic_flag taken = ATOMIC_FLAG_INIT;
static pthread_spinlock_t spin;
static int ours, theirs;

static void *add(void *arg)
{
    for (int i = 0; i < 2; i++) {
        while (atomic_flag_test_and_set_explicit(&taken, memory_order_acquire)) {}
        ours++;
        atomic_flag_clear_explicit(&taken, memory_order_release);
        pthread_spin_lock(&spin);
        theirs++;
        pthread_spin_unlock(&spin);
    }
    return arg;
}

int main(void)
{
    pthread_t threads[3];

    pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE);
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, add, NULL);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert(ours == 6 && theirs == 6);
}
