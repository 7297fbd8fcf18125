/* SPDX-License-Identifier: MIT */
/* probe_lock.c - locks and atomic additions, alone and against others.
 *
 * Parties start together: each says that it is there and looks at a word until that opens. Time is
 * taken from the opening until the last has ended, so it is that of the whole.
 *
 * Checked by: tests/cli/test_lab.py */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <ravel.h>

#include "lab/bench.h"

enum { MOST = 64, LINE_BYTES = 128, MEETINGS = 41 };

/* --- parties that begin together --- */

struct party;
typedef void party_fn(struct party *p);

struct meeting {
    _Atomic int here;
    _Atomic bool is_open;
    party_fn *fn;
    void *shared;
    long ops;
    unsigned parties;
};

struct party {
    struct meeting *meeting;
    unsigned number;
};

static void wait_for_others(struct meeting *m)
{
    atomic_fetch_add(&m->here, 1);
    while (!atomic_load_explicit(&m->is_open, memory_order_acquire))
        sched_yield();
}

static void *take_part(void *arg)
{
    struct party *p = arg;

    if (p->meeting->parties <= lab_processors())
        (void)lab_stay_on(p->number);
    wait_for_others(p->meeting);
    p->meeting->fn(p);
    return NULL;
}

/* All do `fn`; nanoseconds until the last has ended, or -errno. */
static double meet(struct meeting *m, unsigned parties)
{
    pthread_t threads[MOST];
    struct party all[MOST];
    unsigned started = 0;
    int err = 0;

    atomic_store(&m->here, 0);
    atomic_store(&m->is_open, false);
    m->parties = parties;
    for (; started < parties && err == 0; started += err == 0) {
        all[started] = (struct party){m, started};
        err = pthread_create(&threads[started], NULL, take_part, &all[started]);
    }
    while (atomic_load(&m->here) < (int)started)
        sched_yield();
    int64_t begin = lab_now();
    atomic_store_explicit(&m->is_open, true, memory_order_release);
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    return err ? -err : (double)(lab_now() - begin);
}

/* The samples of a figure; each is divided by all that was done, or by what one party did. */
static int tell_meetings(struct lab_bench *b, const char *name, double at, struct meeting *m,
                         unsigned parties, bool is_of_all)
{
    double samples[MEETINGS];
    long count = lab_pick(b, 5, MEETINGS);

    for (long i = -1; i < count; i++) { /* the first one warms up */
        double ns = meet(m, parties);
        if (ns < 0)
            return (int)ns;
        if (i >= 0)
            samples[i] = ns / (double)m->ops / (is_of_all ? parties : 1);
    }
    return lab_tell(b, name, at, "ns", samples, (size_t)count);
}

/* --- locks --- */

static int lock_pthread(void *arg, long ops)
{
    volatile long counter = 0;

    for (; ops > 0; ops--) {
        pthread_mutex_lock(arg);
        counter = counter + 1;
        pthread_mutex_unlock(arg);
    }
    return 0;
}

static int lock_rwlock(void *arg, long ops)
{
    for (; ops > 0; ops--) {
        pthread_rwlock_rdlock(arg);
        pthread_rwlock_unlock(arg);
    }
    return 0;
}

static int lock_ravel(void *arg, long ops)
{
    volatile long counter = 0;
    int r = 0;

    for (; ops > 0 && r == 0; ops--) {
        r = rv_mutex_lock(arg, RV_NEVER);
        counter = counter + 1;
        if (r == 0)
            rv_mutex_unlock(arg);
    }
    return r;
}

static void contend_pthread(struct party *p)
{
    lock_pthread(p->meeting->shared, p->meeting->ops);
}

static int time_ravel_alone(void *arg)
{
    static struct rv_mutex mutex = RV_MUTEX_INIT;

    return lab_time(arg, "rv_mutex, by one task", LAB_NOWHERE, lock_ravel, &mutex, 1);
}

/* --- tasks against each other, each on a worker of its own --- */

struct contest {
    struct lab_bench *b;
    struct rv_mutex mutex;
    unsigned parties;
    _Atomic unsigned next;
    long ops;
};

static int contend_ravel(void *arg)
{
    struct contest *c = arg;
    int r = rv_migrate(atomic_fetch_add(&c->next, 1) % c->parties);

    return r < 0 ? r : lock_ravel(&c->mutex, c->ops);
}

static int contend_once(void *arg, long ops)
{
    struct contest *c = arg;
    int err;

    c->ops = ops;
    RV_SCOPE(s, err) {
        for (unsigned i = 0; i < c->parties; i++) {
            int r = rv_go(s, contend_ravel, c);
            if (r < 0)
                return r;
        }
    }
    return err;
}

static int time_ravel_contended(void *arg)
{
    struct contest *c = arg;
    char name[64];

    snprintf(name, sizeof name, "rv_mutex, by %u tasks on %u workers", c->parties, c->parties);
    return lab_time(c->b, name, LAB_NOWHERE, contend_once, c, c->parties);
}

static int time_contended(struct lab_bench *b, unsigned parties)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    struct meeting m = {.fn = contend_pthread, .shared = &mutex, .ops = lab_pick(b, 10000, 100000)};
    struct contest c = {.b = b, .mutex = RV_MUTEX_INIT, .parties = parties};
    struct rv_run_opts opts = {.size = sizeof opts, .workers = parties};
    char name[64];

    snprintf(name, sizeof name, "pthread_mutex, by %u threads", parties);
    int r = tell_meetings(b, name, LAB_NOWHERE, &m, parties, true);
    return r < 0 ? r : rv_run(time_ravel_contended, &c, &opts);
}

int lab_lock(struct lab_bench *b)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
    struct rv_run_opts opts = {.size = sizeof opts, .workers = 1};
    unsigned all = lab_processors() > 2 ? lab_processors() : 2;
    int r = lab_time(b, "pthread_mutex, by one thread", LAB_NOWHERE, lock_pthread, &mutex, 1);

    r = r < 0 ? r
              : lab_time(b, "pthread_rwlock, read by one", LAB_NOWHERE, lock_rwlock, &rwlock, 1);
    r = r < 0 ? r : rv_run(time_ravel_alone, b, &opts);
    r = r < 0 ? r : time_contended(b, 2);
    if (r == 0 && all > 2)
        r = time_contended(b, all < MOST ? all : MOST);
    return r;
}

/* --- atomics --- */

static struct {
    _Alignas(LINE_BYTES) _Atomic long one;
    _Alignas(LINE_BYTES) _Atomic long side_by_side[MOST];
    _Alignas(LINE_BYTES) struct {
        _Alignas(LINE_BYTES) _Atomic long count;
    } apart[MOST];
} counters;

static void add(_Atomic long *counter, long ops)
{
    while (ops-- > 0)
        atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static void add_to_one(struct party *p)
{
    add(&counters.one, p->meeting->ops);
}

static void add_side_by_side(struct party *p)
{
    add(&counters.side_by_side[p->number], p->meeting->ops);
}

static void add_apart(struct party *p)
{
    add(&counters.apart[p->number].count, p->meeting->ops);
}

static int add_by(struct lab_bench *b, unsigned threads)
{
    static const struct {
        const char *name;
        party_fn *fn;
    } ways[] = {{"one counter", add_to_one},
                {"one each, in the same line", add_side_by_side},
                {"one each, apart", add_apart}};
    int r = 0;

    for (size_t i = 0; i < sizeof ways / sizeof ways[0] && r == 0; i++) {
        struct meeting m = {.fn = ways[i].fn, .ops = lab_pick(b, 30000, 500000)};
        r = tell_meetings(b, ways[i].name, threads, &m, threads, false);
    }
    return r;
}

int lab_atomics(struct lab_bench *b)
{
    unsigned most = lab_processors() < MOST ? lab_processors() : MOST;
    int r = 0;

    for (unsigned threads = 1; threads < most && r == 0; threads *= 2)
        r = add_by(b, threads);
    return r < 0 ? r : add_by(b, most);
}
