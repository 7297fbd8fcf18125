/* SPDX-License-Identifier: MIT */
/* probe_share.c - two on one processor: by their nice values, and by its two threads.
 *
 * Checked by: tests/cli/test_lab.py */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/bench.h"
#include "lab/stats.h"
#include "lab/topology.h"

enum { NICE_SAMPLES = 11, SPIN_SAMPLES = 31 };

/* --- nice --- */

static int compute_for_ever(void *arg)
{
    if (nice(*(int *)arg) == -1 || lab_stay_on(0) < 0)
        return -EPERM;
    for (;;)
        lab_spin(1000000);
}

/* Its processor time, once it has ended. */
static double seconds_of(int pid)
{
    struct rusage used;

    if (wait4(pid, NULL, 0, &used) != pid)
        return 0;
    return (double)used.ru_utime.tv_sec + (double)used.ru_utime.tv_usec / 1e6 +
           (double)used.ru_stime.tv_sec + (double)used.ru_stime.tv_usec / 1e6;
}

static double share_of_second(int value, long us)
{
    int plain = 0, first = lab_fork(compute_for_ever, &plain),
        second = first < 0 ? -1 : lab_fork(compute_for_ever, &value);

    if (second > 0)
        usleep((useconds_t)us);
    if (first > 0)
        kill(first, SIGKILL);
    if (second > 0)
        kill(second, SIGKILL);
    double one = first > 0 ? seconds_of(first) : 0, other = second > 0 ? seconds_of(second) : 0;
    return one + other > 0 ? 100 * other / (one + other) : -1;
}

int lab_nice(struct lab_bench *b)
{
    static const int values[] = {0, 1, 5, 10, 19};
    long count = lab_pick(b, 3, NICE_SAMPLES), us = lab_pick(b, 30000, 300000);
    double samples[NICE_SAMPLES];
    int r = 0;

    for (size_t i = 0; i < sizeof values / sizeof values[0] && r == 0; i++) {
        for (long k = 0; k < count; k++) {
            samples[k] = share_of_second(values[i], us);
            if (samples[k] < 0)
                return -EAGAIN;
        }
        r = lab_tell(b, "share of the second", values[i], "%", samples, (size_t)count);
    }
    return r;
}

/* --- two threads on a core --- */

typedef uint64_t spin_fn(long steps);

struct spinner {
    int processor;
    spin_fn *spin;
    long steps;
    double ns;
    pthread_barrier_t *begin;
};

static void *spin_there(void *arg)
{
    struct spinner *s = arg;
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET(s->processor, &one);
    (void)sched_setaffinity(0, sizeof one, &one);
    pthread_barrier_wait(s->begin);
    int64_t begin = lab_now();
    s->spin(s->steps);
    s->ns = (double)(lab_now() - begin);
    return NULL;
}

static double spin_on(spin_fn *spin, const int *processors, unsigned count, long steps)
{
    pthread_barrier_t begin;
    pthread_t threads[2];
    struct spinner spinners[2];
    double worst = 0;

    pthread_barrier_init(&begin, NULL, count);
    for (unsigned i = 0; i < count; i++) {
        spinners[i] = (struct spinner){processors[i], spin, steps, 0, &begin};
        if (pthread_create(&threads[i], NULL, spin_there, &spinners[i]) != 0)
            return -EAGAIN; /* the process ends, and whoever waits at the barrier with it */
    }
    for (unsigned i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        worst = fmax(worst, spinners[i].ns);
    }
    pthread_barrier_destroy(&begin);
    return worst;
}

/* Where they run, and beside whom. */
struct place {
    const char *name;
    int processors[2];
    unsigned count;
};

/* One kind of computation at one place; *ret_median for who compares. */
static int tell_spin(struct lab_bench *b, spin_fn *spin, const struct place *place,
                     double *ret_median)
{
    long steps = lab_steps_for(lab_pick(b, 2000000, 20000000));
    long rounds = lab_pick(b, 5, SPIN_SAMPLES);
    double samples[SPIN_SAMPLES];
    char name[80];

    for (long i = 0; i < rounds; i++) {
        samples[i] = spin_on(spin, place->processors, place->count, steps);
        if (samples[i] < 0)
            return (int)samples[i];
        samples[i] /= (double)steps;
    }
    *ret_median = lab_summarise(samples, (size_t)rounds).median;
    snprintf(name, sizeof name, "%s%s", spin == lab_spin_wide ? "whole core busy, " : "",
             place->name);
    lab_note(b, spin == lab_spin ? "a step of the computation"
                                 : "a step, four of which are under way at a time");
    return lab_tell(b, name, LAB_NOWHERE, "ns", samples, (size_t)rounds);
}

static bool find_pair(bool siblings, int pair[2])
{
    const char *other = getenv("RAVEL_LAB_TOPOLOGY"); /* a machine that a test describes */

    for (unsigned i = 0; i < lab_processors(); i++) {
        for (unsigned k = i + 1; k < lab_processors(); k++) {
            pair[0] = lab_processor(i);
            pair[1] = lab_processor(k);
            if (lab_are_siblings(other ? other : "/sys/devices/system/cpu", pair[0], pair[1]) ==
                siblings)
                return true;
        }
    }
    return false;
}

/* Beside another on a core of its own a computation takes the time that it takes alone; if
 * something else has the processors, one in a chain suffers as one that keeps the core busy does.
 * Only who shares a core is slowed in the second alone. */
static int tell_no_sibling(struct lab_bench *b, const double *slower)
{
    double hidden = slower[1] / slower[0];

    if (hidden > 1.3)
        return lab_missing(b,
                           "no core here shows two threads; but two slow each other to %.1f times "
                           "the time where they keep a core busy: this machine may hide that they "
                           "are threads of one",
                           hidden);
    return lab_missing(b, "no core here shows two threads");
}

int lab_smt(struct lab_bench *b)
{
    static spin_fn *const spins[] = {lab_spin, lab_spin_wide};
    struct place alone = {"alone", {lab_processor(0), 0}, 1},
                 apart = {"beside another, on another core", {0}, 2},
                 together = {"beside another, on the same core", {0}, 2};
    bool has_apart = find_pair(false, apart.processors),
         has_together = find_pair(true, together.processors);
    double slower[2] = {1, 1}, by_itself, beside;
    int r = 0;

    for (int i = 0; i < 2 && r == 0; i++) {
        r = tell_spin(b, spins[i], &alone, &by_itself);
        if (r == 0 && has_apart) {
            r = tell_spin(b, spins[i], &apart, &beside);
            slower[i] = beside / by_itself;
        }
        if (r == 0 && has_together)
            r = tell_spin(b, spins[i], &together, &beside);
    }
    return r < 0 || has_together ? r : tell_no_sibling(b, slower);
}
