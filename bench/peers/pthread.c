/* SPDX-License-Identifier: MIT */
/* pthread.c - the same things with POSIX threads, a mutex and conditions; "one worker" is one core
 * that all threads are bound to. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MOST_THREADS = 10000 };

static void bind_to_one_core(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(sched_getcpu(), &set);
    bench_must(-pthread_setaffinity_np(pthread_self(), sizeof set, &set), "pthread_setaffinity_np");
}

static pthread_t start(void *(*fn)(void *), void *arg)
{
    pthread_t thread;
    bench_must(-pthread_create(&thread, NULL, fn, arg), "pthread_create");
    return thread;
}

static pthread_t *start_many(long n, void *(*fn)(void *), void *arg)
{
    pthread_t *threads = calloc((size_t)n, sizeof *threads);
    bench_require(threads != NULL, "no memory");
    for (long i = 0; i < n; i++)
        threads[i] = start(fn, arg);
    return threads;
}

static void join_many(pthread_t *threads, long n)
{
    for (long i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    free(threads);
}

/* ---- yield ---------------------------------------------------------------------------------- */

static long tasks;

static void *yield_many(void *arg)
{
    for (long left = *(long *)arg; left > 0; left--)
        sched_yield();
    return NULL;
}

static void run_yield(void *arg, long ops)
{
    (void)arg;
    long each = ops / tasks;
    join_many(start_many(tasks, yield_many, &each), tasks);
}

static void bench_yield(void)
{
    bind_to_one_core();
    tasks = bench_param_upto("tasks", 2, MOST_THREADS);
    bench_batches(run_yield, NULL, 100000);
}

/* ---- spawn ---------------------------------------------------------------------------------- */

static void *nothing(void *arg)
{
    return arg;
}

static void run_spawn(void *arg, long ops)
{
    (void)arg;
    while (ops-- > 0)
        pthread_join(start(nothing, NULL), NULL);
}

static void bench_spawn(void)
{
    if (strcmp(bench_param_text("how", "close"), "close") != 0)
        bench_not_here();
    bind_to_one_core();
    bench_batches(run_spawn, NULL, 2000);
}

/* ---- channels ------------------------------------------------------------------------------- */

struct chan {
    pthread_mutex_t lock;
    pthread_cond_t not_full, not_empty;
    size_t capacity, first, count;
    long *items;
};

static void chan_init(struct chan *ch, size_t capacity)
{
    *ch = (struct chan){PTHREAD_MUTEX_INITIALIZER,
                        PTHREAD_COND_INITIALIZER,
                        PTHREAD_COND_INITIALIZER,
                        capacity,
                        0,
                        0,
                        calloc(capacity, sizeof(long))};
    bench_require(ch->items != NULL, "no memory");
}

static void chan_send(struct chan *ch, long item)
{
    pthread_mutex_lock(&ch->lock);
    while (ch->count == ch->capacity)
        pthread_cond_wait(&ch->not_full, &ch->lock);
    ch->items[(ch->first + ch->count++) % ch->capacity] = item;
    pthread_mutex_unlock(&ch->lock);
    pthread_cond_signal(&ch->not_empty);
}

static long chan_recv(struct chan *ch)
{
    pthread_mutex_lock(&ch->lock);
    while (ch->count == 0)
        pthread_cond_wait(&ch->not_empty, &ch->lock);
    long item = ch->items[ch->first];
    ch->first = (ch->first + 1) % ch->capacity;
    ch->count--;
    pthread_mutex_unlock(&ch->lock);
    pthread_cond_signal(&ch->not_full);
    return item;
}

struct table {
    struct chan ping, pong;
    long each;
};

static void *answer(void *arg)
{
    struct table *t = arg;
    for (long left = t->each; left > 0; left--)
        chan_send(&t->pong, chan_recv(&t->ping));
    return NULL;
}

static void run_pingpong(void *arg, long ops)
{
    struct table *t = arg;
    t->each = ops;
    pthread_t other = start(answer, t);
    for (long i = 0; i < ops; i++) {
        chan_send(&t->ping, i);
        bench_require(chan_recv(&t->pong) == i, "the wrong ball came back");
    }
    pthread_join(other, NULL);
}

static void pingpong(size_t capacity)
{
    struct table t;
    chan_init(&t.ping, capacity);
    chan_init(&t.pong, capacity);
    bench_batches(run_pingpong, &t, 5000);
    free(t.ping.items);
    free(t.pong.items);
}

static void bench_pingpong(void)
{
    size_t capacity = (size_t)bench_param("capacity", 1);
    if (capacity == 0)
        bench_not_here();
    bind_to_one_core();
    pingpong(capacity);
}

static void *produce(void *arg)
{
    struct table *t = arg;
    for (long i = 0; i < t->each; i++)
        chan_send(&t->ping, i);
    return NULL;
}

static void *consume(void *arg)
{
    struct table *t = arg;
    for (long i = 0; i < t->each; i++)
        chan_recv(&t->ping);
    return NULL;
}

static long pairs;

static void run_chan(void *arg, long ops)
{
    struct table *t = arg;
    t->each = ops / pairs;
    pthread_t *consumers = start_many(pairs, consume, t);
    join_many(start_many(pairs, produce, t), pairs);
    join_many(consumers, pairs);
}

static void bench_chan(void)
{
    if (bench_param_upto("workers", 1, 2) == 1)
        bind_to_one_core();
    pairs = bench_param("pairs", 1);
    struct table t;
    chan_init(&t.ping, (size_t)bench_param("capacity", 128));
    bench_batches(run_chan, &t, 200000);
    free(t.ping.items);
}

/* ---- lock ----------------------------------------------------------------------------------- */

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed[2]; /* to odd, to even */
    sem_t sem;
    pthread_rwlock_t rwlock;
    volatile long count;
    long each;
    _Atomic(long) next;
} locks = {.mutex = PTHREAD_MUTEX_INITIALIZER,
           .changed = {PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER},
           .rwlock = PTHREAD_RWLOCK_INITIALIZER};

static void lock_mutex(long number)
{
    (void)number;
    pthread_mutex_lock(&locks.mutex);
    locks.count = locks.count + 1;
    pthread_mutex_unlock(&locks.mutex);
}

static void lock_sem(long number)
{
    (void)number;
    while (sem_wait(&locks.sem) < 0)
        ;
    locks.count = locks.count + 1;
    sem_post(&locks.sem);
}

static void lock_to_write(long number)
{
    (void)number;
    pthread_rwlock_wrlock(&locks.rwlock);
    locks.count = locks.count + 1;
    pthread_rwlock_unlock(&locks.rwlock);
}

static void lock_to_read(long number)
{
    (void)number;
    pthread_rwlock_rdlock(&locks.rwlock);
    (void)locks.count;
    pthread_rwlock_unlock(&locks.rwlock);
}

static void lock_in_turn(long number)
{
    pthread_mutex_lock(&locks.mutex);
    while (locks.count % 2 != number % 2)
        pthread_cond_wait(&locks.changed[number % 2], &locks.mutex);
    locks.count = locks.count + 1;
    pthread_cond_signal(&locks.changed[1 - number % 2]);
    pthread_mutex_unlock(&locks.mutex);
}

static void (*take_lock)(long number);

static void *take_turns(void *arg)
{
    long number = locks.next++;

    for (long left = locks.each; left > 0; left--)
        take_lock(number);
    return arg;
}

static void run_lock(void *arg, long ops)
{
    (void)arg;
    locks.count = 0;
    locks.next = 0;
    locks.each = ops / tasks;
    join_many(start_many(tasks, take_turns, NULL), tasks);
}

static void bench_lock(void)
{
    static const struct {
        const char *name;
        void (*take)(long number);
    } kinds[] = {{"mutex", lock_mutex},
                 {"sem", lock_sem},
                 {"write", lock_to_write},
                 {"read", lock_to_read},
                 {"cond", lock_in_turn}};
    const char *name = bench_param_text("kind", "mutex");

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].name, name) == 0)
            take_lock = kinds[i].take;
    bench_require(take_lock != NULL, "no such kind");
    bench_require(sem_init(&locks.sem, 0, 1) == 0, "sem_init");
    if (bench_param("workers", 2) == 1)
        bind_to_one_core();
    tasks = bench_param_upto("tasks", 2, MOST_THREADS);
    bench_batches(run_lock, NULL, strcmp(name, "cond") == 0 ? 20000 : 400000);
}

/* ---- executor ------------------------------------------------------------------------------- */

/* A round trip to one thread of a pool is a ping and a pong; the two cores may be different. */
static void bench_executor(void)
{
    if (strcmp(bench_param_text("tier", "threads"), "threads") != 0 ||
        bench_param("in_flight", 1) != 1)
        bench_not_here();
    pingpong(1);
}

/* ---- parked --------------------------------------------------------------------------------- */

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t all_here, open;
    long waiting, wanted;
    int is_open;
};

static void *park(void *arg)
{
    struct gate *g = arg;
    pthread_mutex_lock(&g->lock);
    if (++g->waiting == g->wanted)
        pthread_cond_signal(&g->all_here);
    while (!g->is_open)
        pthread_cond_wait(&g->open, &g->lock);
    pthread_mutex_unlock(&g->lock);
    return NULL;
}

static void report_parked(struct bench_memory a, struct bench_memory b, int64_t ns, long n)
{
    double each = (double)n;
    bench_result("resident", (double)(b.resident_bytes - a.resident_bytes) / each, "bytes");
    bench_result("page tables", (double)(b.page_table_bytes - a.page_table_bytes) / each, "bytes");
    bench_result("mappings", (double)b.mappings, "");
    bench_result("first creation", (double)ns / each, "ns");
}

static void bench_parked(void)
{
    struct gate g = {.lock = PTHREAD_MUTEX_INITIALIZER,
                     .all_here = PTHREAD_COND_INITIALIZER,
                     .open = PTHREAD_COND_INITIALIZER};
    g.wanted = bench_param_upto("tasks", 1000000, MOST_THREADS);
    bind_to_one_core();
    struct bench_memory before = bench_memory_now();
    int64_t begin = bench_now();
    pthread_t *threads = start_many(g.wanted, park, &g);
    pthread_mutex_lock(&g.lock);
    while (g.waiting < g.wanted)
        pthread_cond_wait(&g.all_here, &g.lock);
    report_parked(before, bench_memory_now(), bench_now() - begin, g.wanted);
    g.is_open = 1;
    pthread_cond_broadcast(&g.open);
    pthread_mutex_unlock(&g.lock);
    join_many(threads, g.wanted);
}

/* ---- lateness ------------------------------------------------------------------------------- */

static void sleep_until(int64_t when)
{
    struct timespec t = {when / 1000000000, when % 1000000000};
    bench_must(-clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL), "clock_nanosleep");
}

static void bench_lateness(void)
{
    bench_late_sleeps(sleep_until);
}

/* ---- print: printf's family, locked for each line ---------------------------------------- */

struct printer {
    FILE *to;
    long threads, lines;
};

static void *print_many(void *arg)
{
    const struct printer *p = arg;
    for (long left = p->lines; left > 0; left--) {
        flockfile(p->to);
        fprintf(p->to, "line %10ld of a task that has something to tell, again\n", left);
        funlockfile(p->to);
    }
    return NULL;
}

static void print_lines(void *arg, long ops)
{
    struct printer *p = arg;
    p->lines = ops / p->threads;
    join_many(start_many(p->threads, print_many, p), p->threads);
    fflush(p->to);
}

static void bench_print(void)
{
    struct printer p = {fopen("/dev/null", "w"), bench_param_upto("tasks", 8, MOST_THREADS), 0};
    int fd =
        strcmp(bench_param_text("to", "null"), "file") ? -1 : open(".", O_TMPFILE | O_WRONLY, 0600);
    if (fd >= 0)
        bench_require(dup2(fd, fileno(p.to)) >= 0, "nothing to print to");
    if (bench_param("workers", 2) == 1)
        bind_to_one_core();
    bench_batches(print_lines, &p, 500000);
}

/* ---- files ---------------------------------------------------------------------------------- */

static const struct bench_tree *files;
static long next_file, readers;

static void *read_many(void *arg)
{
    char *room = malloc(BENCH_TREE_FILE_BYTES + 1);
    long at;
    bench_require(room != NULL, "no memory");
    while ((at = __atomic_fetch_add(&next_file, 1, __ATOMIC_RELAXED)) < files->count) {
        ssize_t n = 1;
        int fd = open(files->paths[at], O_RDONLY | O_CLOEXEC);
        for (off_t done = 0; fd >= 0 && n > 0; done += n)
            n = pread(fd, room + done, (size_t)(BENCH_TREE_FILE_BYTES + 1 - done), done);
        bench_require(fd >= 0 && n == 0, files->paths[at]);
        close(fd);
    }
    free(room);
    return arg;
}

static void read_all(const struct bench_tree *tree)
{
    files = tree;
    next_file = 0;
    if (readers == 1)
        read_many(NULL);
    else
        join_many(start_many(readers, read_many, NULL), readers);
}

/* A thread for each worker, as a plain program would. */
static void bench_files(void)
{
    readers = bench_param_upto("workers", 1, MOST_THREADS);
    bench_param("tasks", readers);
    bench_param_text("how", "loop");
    bench_tree(read_all);
}

/* --------------------------------------------------------------------------------------------- */

int main(int argc, char **argv)
{
    static const struct bench_choice benches[] = {
        {"yield", bench_yield},
        {"spawn", bench_spawn},
        {"pingpong", bench_pingpong},
        {"chan", bench_chan},
        {"parked", bench_parked},
        {"executor", bench_executor},
        {"lateness", bench_lateness},
        {"print", bench_print},
        {"files", bench_files},
        {"lock", bench_lock},
        {NULL, NULL},
    };
    bench_choose(benches, "pthread", argc, argv);
}
