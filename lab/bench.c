/* SPDX-License-Identifier: MIT */
/* bench.c - what probes measure with: batches long enough for the clock, and a pipe to report on.
 *
 * A probe runs in a process of its own (runner.c), so it may have any threads, memory and children,
 * and one that dies takes no other's figures with it. What it reports goes through a pipe at once.
 *
 * A figure is the median of several batches. A batch is as many operations as take BATCH_NS, so
 * that reading the clock and being interrupted weigh little; the search for that number is the
 * warm-up.
 *
 * Checked by: tests/cli/test_lab.py */
#include "lab/bench.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lab/wire.h"

enum { MOST_SAMPLES = 64, SAMPLES = 41, SAMPLES_QUICK = 5 };
enum { BATCH_NS = 20000000, BATCH_NS_QUICK = 1000000 };

static cpu_set_t usable;

void lab_bench_init(struct lab_bench *b, int fd, bool is_quick)
{
    *b = (struct lab_bench){.fd = fd, .is_quick = is_quick};
    if (sched_getaffinity(0, sizeof usable, &usable) != 0)
        CPU_ZERO(&usable);
}

bool lab_is_quick(const struct lab_bench *b)
{
    return b->is_quick;
}

long lab_pick(const struct lab_bench *b, long quick, long whole)
{
    return b->is_quick ? quick : whole;
}

/* --- reporting --- */

static int send_record(struct lab_bench *b, const struct lab_record *record)
{
    ssize_t count;

    do {
        count = write(b->fd, record, sizeof *record);
    } while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : 0;
}

/* Six digits are more than any clock has, and make reports that compare as texts. */
static double rounded(double value)
{
    char text[32];

    snprintf(text, sizeof text, "%.6g", value);
    return strtod(text, NULL);
}

int lab_tell(struct lab_bench *b, const char *name, double at, const char *unit, double *samples,
             size_t count)
{
    struct lab_record record = {.kind = LAB_FIGURE};
    struct lab_figure *f = &record.figure;

    for (size_t i = 0; i < count; i++)
        samples[i] = rounded(samples[i]);
    f->value = lab_summarise(samples, count);
    f->value.median = rounded(f->value.median);
    f->value.confidence = rounded(f->value.confidence);
    f->value.q1 = rounded(f->value.q1);
    f->value.q3 = rounded(f->value.q3);
    f->at = at;
    snprintf(f->name, sizeof f->name, "%s", name);
    snprintf(f->unit, sizeof f->unit, "%s", unit);
    memcpy(f->note, b->note, sizeof f->note);
    b->note[0] = '\0';
    return send_record(b, &record);
}

void lab_note(struct lab_bench *b, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(b->note, sizeof b->note, format, args);
    va_end(args);
}

int lab_missing(struct lab_bench *b, const char *format, ...)
{
    struct lab_record record = {.kind = LAB_MISSING};
    va_list args;

    va_start(args, format);
    vsnprintf(record.why_not, sizeof record.why_not, format, args);
    va_end(args);
    return send_record(b, &record);
}

int lab_fail(struct lab_bench *b, const char *why)
{
    struct lab_record record = {.kind = LAB_FAILED};

    snprintf(record.why_not, sizeof record.why_not, "it failed: %s", why);
    return send_record(b, &record);
}

/* --- measuring --- */

int64_t lab_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int time_batch(lab_fn *fn, void *arg, long ops, double *ret_ns)
{
    int64_t begin = lab_now();
    int r = fn(arg, ops);

    *ret_ns = (double)(lab_now() - begin);
    return r < 0 ? r : 0;
}

/* Twice the last number, until one batch tells how many fill the time. */
static int find_ops(struct lab_bench *b, lab_fn *fn, void *arg, long *ret)
{
    double goal = b->is_quick ? BATCH_NS_QUICK : BATCH_NS, ns = 0;
    long ops = 1;
    int r = time_batch(fn, arg, ops, &ns);

    while (r == 0 && ns < goal / 4) {
        ops *= 2;
        r = time_batch(fn, arg, ops, &ns);
    }
    *ret = (long)fmax(1, (double)ops * goal / fmax(ns, 1));
    return r;
}

static int time_all(struct lab_bench *b, const char *name, double at, lab_fn *fn, void *arg,
                    const long *shape)
{
    double samples[MOST_SAMPLES];
    long ops = shape[0], divide = shape[1], count = shape[2];

    for (long i = 0; i < count; i++) {
        int r = time_batch(fn, arg, ops, &samples[i]);
        if (r < 0)
            return r;
        samples[i] /= (double)ops * (double)divide;
    }
    return lab_tell(b, name, at, "ns", samples, (size_t)count);
}

int lab_time(struct lab_bench *b, const char *name, double at, lab_fn *fn, void *arg, long divide)
{
    long shape[3] = {1, divide, lab_pick(b, SAMPLES_QUICK, SAMPLES)};
    int r = find_ops(b, fn, arg, &shape[0]);

    return r < 0 ? r : time_all(b, name, at, fn, arg, shape);
}

int lab_time_once(struct lab_bench *b, const char *name, double at, lab_fn *fn, void *arg,
                  long samples)
{
    return time_all(b, name, at, fn, arg,
                    (long[]){1, 1, samples < MOST_SAMPLES ? samples : MOST_SAMPLES});
}

/* --- helpers --- */

int lab_processor(unsigned nth)
{
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &usable) && nth-- == 0)
            return i;
    }
    return -1;
}

unsigned lab_processors(void)
{
    int count = CPU_COUNT(&usable);

    return count > 0 ? (unsigned)count : 1;
}

int lab_stay_on(unsigned nth)
{
    cpu_set_t one;
    int processor = lab_processor(nth);

    if (processor < 0)
        return -ENODEV;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    return sched_setaffinity(0, sizeof one, &one) == 0 ? 0 : -errno;
}

int lab_stay_anywhere(void)
{
    return sched_setaffinity(0, sizeof usable, &usable) == 0 ? 0 : -errno;
}

double lab_proc_bytes(const char *path, const char *key)
{
    char line[256];
    double kib = -1;
    FILE *in = fopen(path, "re");

    while (in && fgets(line, sizeof line, in)) {
        char *value = strchr(line, ':');
        if (value && strncmp(line, key, strlen(key)) == 0)
            kib = fmax(kib, 0) + strtod(value + 1, NULL);
    }
    if (in)
        fclose(in);
    return kib < 0 ? -1 : kib * 1024;
}

double lab_memory_of(int pid)
{
    char rollup[64], status[64];

    snprintf(rollup, sizeof rollup, "/proc/%d/smaps_rollup", pid);
    snprintf(status, sizeof status, "/proc/%d/status", pid);
    double own = lab_proc_bytes(rollup, "Private_"), tables = lab_proc_bytes(status, "VmPTE");
    return own < 0 || tables < 0 ? -1 : own + tables;
}

int lab_fork(int (*fn)(void *arg), void *arg)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(fn(arg) != 0);
    return pid < 0 ? -errno : pid;
}

int lab_reap(int pid)
{
    int status;
    pid_t got;

    do {
        got = waitpid(pid, &status, 0);
    } while (got < 0 && errno == EINTR);
    return got == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ECHILD;
}

uint64_t lab_spin(long steps)
{
    uint64_t x = 88172645463325252u;

    for (; steps > 0; steps--) { /* Marsaglia, Xorshift RNGs, 2003 */
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        __asm__ volatile("" : "+r"(x));
    }
    return x;
}

uint64_t lab_spin_wide(long steps)
{
    uint64_t a = 88172645463325252u, b = a + 1, c = a + 2, d = a + 3;

    for (; steps > 0; steps -= 4) {
        a ^= a << 13, b ^= b << 13, c ^= c << 13, d ^= d << 13;
        a ^= a >> 7, b ^= b >> 7, c ^= c >> 7, d ^= d >> 7;
        a ^= a << 17, b ^= b << 17, c ^= c << 17, d ^= d << 17;
        __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d));
    }
    return a ^ b ^ c ^ d;
}

long lab_steps_for(int64_t ns)
{
    double best = INFINITY;
    const long steps = 100000;

    for (int i = 0; i < 5; i++) {
        int64_t begin = lab_now();
        lab_spin(steps);
        best = fmin(best, (double)(lab_now() - begin));
    }
    return (long)fmax(1, (double)steps * (double)ns / fmax(best, 1));
}
