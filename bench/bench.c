/* SPDX-License-Identifier: MIT */
/* bench.c - parameters, clock, medians and JSON for every benchmark here; knows nothing of Ravel.
 *
 * One process measures one thing, so its name and parameters are file-scope state. */
#include "bench.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_PARAMS = 16, NOT_HERE = 77, BATCHES = 5, MAX_BATCHES = 100 };

struct param {
    const char *key;
    const char *text; /* NULL: a number */
    long number;
};

static const char *bench_name, *owner;
static char **args;
static int arg_count, args_used;
static struct param params[MAX_PARAMS];
static int param_count;

__attribute__((noreturn)) static void die(const char *what, const char *why)
{
    fprintf(stderr, "%s %s: %s%s%s\n", owner, bench_name, what, why[0] ? ": " : "", why);
    exit(1);
}

void bench_begin(const char *bench, const char *who, int argc, char **argv)
{
    bench_name = bench;
    owner = who;
    args = argv + 1;
    arg_count = argc - 1;
}

/* The text behind `key=`, or NULL. */
static const char *find_arg(const char *key)
{
    size_t length = strlen(key);
    for (int i = 0; i < arg_count; i++) {
        if (strncmp(args[i], key, length) != 0 || args[i][length] != '=')
            continue;
        args_used++;
        return args[i] + length + 1;
    }
    return NULL;
}

static void remember(struct param p)
{
    bench_require(param_count < MAX_PARAMS, "too many parameters");
    params[param_count++] = p;
}

long bench_param_upto(const char *key, long fallback, long most)
{
    const char *text = find_arg(key);
    long number = fallback;
    if (text) {
        char *end;
        number = strtol(text, &end, 10);
        if (end == text || *end || number < 0)
            die(key, "no number from 0 up");
    }
    if (number > most)
        number = most;
    remember((struct param){key, NULL, number});
    return number;
}

long bench_param(const char *key, long fallback)
{
    return bench_param_upto(key, fallback, INT32_MAX);
}

const char *bench_param_text(const char *key, const char *fallback)
{
    const char *text = find_arg(key);
    remember((struct param){key, text ? text : fallback, 0});
    return params[param_count - 1].text;
}

static int64_t read_clock(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t bench_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t bench_cpu(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_percentile(double *values, size_t n, double percent)
{
    bench_require(n > 0, "no values");
    qsort(values, n, sizeof values[0], by_size);
    return values[(size_t)((double)(n - 1) * percent / 100)];
}

void bench_batches(bench_fn *run, void *arg, long ops)
{
    double ns[MAX_BATCHES];
    ops = bench_param("ops", ops);
    long batches = bench_param_upto("batches", BATCHES, MAX_BATCHES);
    bench_require(ops > 0 && batches > 0, "nothing to do");
    for (long i = 0; i < batches; i++) {
        int64_t begin = bench_now();
        run(arg, ops);
        ns[i] = (double)(bench_now() - begin) / (double)ops;
    }
    size_t warm = batches > 1;
    bench_result(NULL, bench_percentile(ns + warm, (size_t)batches - warm, 50), "ns");
}

/* Half of the calls in fib(n), less the leaf that is left over: fib(n + 1) - 1. */
static long forks_of_fib(long n)
{
    long a = 0, b = 1;
    for (long i = 0; i < n; i++) {
        long next = a + b;
        a = b;
        b = next;
    }
    return b - 1;
}

/* The median of several calls, fewer where they are long. */
static void measure_calls(long (*fn)(long), long arg, long expected, long ops)
{
    enum { CALLS = 11, ENOUGH_NS = 200000000 };
    double ns[MAX_BATCHES];
    long most = bench_param_upto("batches", CALLS, MAX_BATCHES), calls = 0;
    bench_require(most > 0, "nothing to do");
    for (int64_t first = bench_now(), begin = first; calls < most; begin = bench_now()) {
        if (calls > 0 && begin - first > ENOUGH_NS)
            break;
        bench_require(fn(arg) == expected, "the result is wrong");
        ns[calls++] = (double)(bench_now() - begin) / (double)ops;
    }
    bench_result(NULL, bench_percentile(ns, (size_t)calls, 50), "ns");
}

void bench_fib(long (*fib)(long n))
{
    enum { SMALLEST = 5, LARGEST = 80 };
    long n = bench_param("n", 35);
    bench_require(n >= SMALLEST && n <= LARGEST, "n: from 5 to 80");
    (void)fib(n - SMALLEST);
    measure_calls(fib, n, forks_of_fib(n - 1) + 1, forks_of_fib(n));
}

void bench_sum_of_leaves(long (*sum)(long leaves))
{
    long leaves = bench_param("leaves", 1000000);
    for (long left = leaves; left != 1; left /= 10)
        bench_require(left >= 10 && left % 10 == 0, "leaves: a power of ten, at least 10");
    (void)sum(leaves);
    measure_calls(sum, leaves, leaves * (leaves - 1) / 2, leaves);
}

void bench_late_sleeps(void (*sleep_until)(int64_t monotonic_ns))
{
    enum { MAX_SLEEPS = 10000 };
    static double late_us[MAX_SLEEPS];
    long sleeps = bench_param_upto("sleeps", 300, MAX_SLEEPS);
    long us = bench_param("us", 3000);
    bench_require(sleeps > 0, "nothing to do");
    for (long i = 0; i < sleeps; i++) {
        int64_t when = bench_now() + us * 1000;
        sleep_until(when);
        late_us[i] = (double)(bench_now() - when) / 1000;
    }
    bench_result("p50", bench_percentile(late_us, (size_t)sleeps, 50), "us");
    bench_result("p99", bench_percentile(late_us, (size_t)sleeps, 99), "us");
}

void bench_result(const char *part, double value, const char *unit)
{
    if (args_used < arg_count)
        die("an argument names no parameter of this benchmark, or comes twice", "");
    printf("{\"bench\": \"%s%s%s\", \"who\": \"%s\", \"params\": {", bench_name, part ? " " : "",
           part ? part : "", owner);
    for (int i = 0; i < param_count; i++) {
        printf("%s\"%s\": ", i ? ", " : "", params[i].key);
        if (params[i].text)
            printf("\"%s\"", params[i].text);
        else
            printf("%ld", params[i].number);
    }
    printf("}, \"value\": %.6g, \"unit\": \"%s\"}\n", value, unit);
    fflush(stdout);
}

/* The bytes of a line "Name:   123 kB" of /proc/self/status. */
static long status_bytes(const char *name)
{
    char line[256];
    long kib = -1;
    size_t length = strlen(name);
    FILE *f = fopen("/proc/self/status", "re");
    while (f && kib < 0 && fgets(line, sizeof line, f)) {
        if (strncmp(line, name, length) == 0 && line[length] == ':')
            kib = strtol(line + length + 1, NULL, 10);
    }
    bench_require(kib >= 0, "/proc/self/status cannot be read");
    fclose(f);
    return kib * 1024;
}

static long count_mappings(void)
{
    FILE *f = fopen("/proc/self/maps", "re");
    bench_require(f != NULL, "/proc/self/maps cannot be read");
    long lines = 0;
    for (int c; (c = getc(f)) != EOF;)
        lines += c == '\n';
    fclose(f);
    return lines;
}

/* The first call notes which there are: later ones find only the one. */
void bench_stay_on(long nth)
{
    static cpu_set_t all;
    static bool is_noted;
    cpu_set_t one;
    if (!is_noted)
        bench_require(sched_getaffinity(0, sizeof all, &all) == 0, "sched_getaffinity");
    is_noted = true;
    for (int core = 0; core < CPU_SETSIZE; core++) {
        if (!CPU_ISSET(core, &all) || nth-- > 0)
            continue;
        CPU_ZERO(&one);
        CPU_SET(core, &one);
        bench_require(sched_setaffinity(0, sizeof one, &one) == 0, "sched_setaffinity");
        return;
    }
    bench_not_here();
}

void bench_touch(long mib)
{
    size_t bytes = (size_t)mib << 20;
    char *memory = malloc(bytes + 1);
    bench_require(memory != NULL, "no memory");
    memset(memory, 1, bytes + 1);
    __asm__ volatile("" : : "r"(memory) : "memory");
}

struct bench_memory bench_memory_now(void)
{
    return (struct bench_memory){status_bytes("VmRSS"), status_bytes("VmPTE"), count_mappings()};
}

void bench_choose(const struct bench_choice *benches, const char *who, int argc, char **argv)
{
    for (; argc > 1 && benches->name; benches++) {
        if (strcmp(argv[1], benches->name) == 0) {
            bench_begin(argv[1], who, argc - 1, argv + 1);
            benches->run();
            return;
        }
    }
    bench_not_here();
}

void bench_must(int result, const char *what)
{
    if (result < 0)
        die(what, strerror(-result));
}

void bench_require(int holds, const char *what)
{
    if (!holds)
        die(what, "");
}

void bench_not_here(void)
{
    exit(NOT_HERE);
}
