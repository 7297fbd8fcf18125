/* SPDX-License-Identifier: MIT */
/* lock.c - a lock wanted by `tasks` at once, spread over the workers: taken, a counter raised,
 * given back.
 *
 * One operation is one turn of one task, and the time is that of the whole: until the last has
 * ended, over what all have done. kind: mutex; sem, a semaphore of one unit; write and read, an
 * rwlock; cond, strict turns of two that wait for each other by a condition. */
#include "bench.h"

#include <string.h>

#include <ravel.h>

static unsigned workers;
static long tasks;

static struct {
    struct rv_mutex mutex;
    struct rv_cond changed;
    struct rv_sem sem;
    struct rv_rwlock rwlock;
    volatile long count; /* by the lock that is measured */
    long each;
    _Atomic(unsigned) next;
} all;

static void by_mutex(long number)
{
    (void)number;
    bench_must(rv_mutex_lock(&all.mutex, RV_NEVER), "rv_mutex_lock");
    all.count = all.count + 1;
    rv_mutex_unlock(&all.mutex);
}

static void by_sem(long number)
{
    (void)number;
    bench_must(rv_sem_wait(&all.sem, RV_NEVER), "rv_sem_wait");
    all.count = all.count + 1;
    rv_sem_post(&all.sem, 1);
}

static void by_writing(long number)
{
    (void)number;
    bench_must(rv_rwlock_write_lock(&all.rwlock, RV_NEVER), "rv_rwlock_write_lock");
    all.count = all.count + 1;
    rv_rwlock_write_unlock(&all.rwlock);
}

static void by_reading(long number)
{
    (void)number;
    bench_must(rv_rwlock_read_lock(&all.rwlock, RV_NEVER), "rv_rwlock_read_lock");
    (void)all.count;
    rv_rwlock_read_unlock(&all.rwlock);
}

static void by_turns(long number)
{
    bench_must(rv_mutex_lock(&all.mutex, RV_NEVER), "rv_mutex_lock");
    while (all.count % 2 != number % 2)
        bench_must(rv_cond_wait(&all.changed, &all.mutex, RV_NEVER), "rv_cond_wait");
    all.count = all.count + 1;
    rv_cond_signal(&all.changed);
    rv_mutex_unlock(&all.mutex);
}

static const struct kind {
    const char *name;
    void (*take)(long number);
} kinds[] = {
    {"mutex", by_mutex},  {"sem", by_sem},    {"write", by_writing},
    {"read", by_reading}, {"cond", by_turns},
};
static const struct kind *kind;

static int take_turns(void *arg)
{
    long number = (long)all.next++;

    (void)arg;
    bench_must(rv_migrate((unsigned)number % workers), "rv_migrate");
    for (long left = all.each; left > 0; left--)
        kind->take(number);
    return 0;
}

static void run(void *arg, long ops)
{
    rv_scope *s;

    (void)arg;
    all.count = 0;
    all.next = 0;
    all.each = ops / tasks;
    bench_must(rv_scope_open(&s, NULL), "rv_scope_open");
    for (long i = 0; i < tasks; i++)
        bench_must(rv_go(s, take_turns, NULL), "rv_go");
    bench_must(rv_scope_close(s), "a task");
    bench_require(strcmp(kind->name, "read") == 0 || all.count == all.each * tasks,
                  "a count was lost");
}

static int measure(void *arg)
{
    (void)arg;
    bench_batches(run, NULL, 400000);
    return 0;
}

int main(int argc, char **argv)
{
    bench_begin("lock", "ravel", argc, argv);
    const char *name = bench_param_text("kind", "mutex");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].name, name) == 0)
            kind = &kinds[i];
    bench_require(kind != NULL, "kind is mutex, sem, write, read or cond");
    workers = (unsigned)bench_param("workers", 2);
    tasks = bench_param("tasks", 2);
    bench_require(strcmp(name, "cond") != 0 || tasks == 2, "two take turns");
    rv_sem_init(&all.sem, 1);
    struct rv_run_opts opts = {.size = sizeof opts, .workers = workers};
    bench_must(rv_run(measure, NULL, &opts), "rv_run");
}
