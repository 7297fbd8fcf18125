/* SPDX-License-Identifier: MIT */
/* bench.h - what the benchmarks share: parameters, the clock, medians, and lines of JSON.
 *
 * A benchmark is a program that takes `key=value` arguments, does one thing many times and prints
 * one line for each figure. Every parameter that it asks for is in that line, given or not;
 * one that it never asks for is refused, so that a misspelt argument cannot measure something else.
 * Lower is better in every unit. Exit status 77 says that the thing asked for is not to be had. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Name the figure and its owner, and take the arguments: argv[0] is skipped. Call it first. */
void bench_begin(const char *bench, const char *who, int argc, char **argv);

/* A number from 0 up, or a word, from the arguments. */
long bench_param(const char *key, long fallback);
const char *bench_param_text(const char *key, const char *fallback);

/* A parameter that this program bounds: no more than `most`, and the line tells what was used. */
long bench_param_upto(const char *key, long fallback, long most);

/* Monotonic nanoseconds; nanoseconds of CPU that all threads of this process have used. */
int64_t bench_now(void);
int64_t bench_cpu(void);

/* The value below which `percent` of all lie. Sorts the values. */
double bench_percentile(double *values, size_t n, double percent);

/* Do the thing `ops` times. */
typedef void bench_fn(void *arg, long ops);

/* Call run(arg, ops) several times and print the median of nanoseconds for one operation. The first
 * call is the warm-up. Parameters: ops (the default is given, for some 50 ms) and batches. With
 * batches=1 everything that the program does grows with ops alone, which --instructions needs. */
void bench_batches(bench_fn *run, void *arg, long ops);

/* Fork/join: fib(n) without cut-off, in nanoseconds for one of its forks, and the sum of all
 * leaves' numbers of a tree ten wide, in nanoseconds for a leaf: the median of some calls, after
 * one that wakes the threads. Parameters: n or leaves, and batches. */
void bench_fib(long (*fib)(long n));
void bench_sum_of_leaves(long (*sum)(long leaves));

/* Sleep until a time, again and again, with nothing else to do, and print how late that came back.
 * Parameters: sleeps; us, the length of one. */
void bench_late_sleeps(void (*sleep_until)(int64_t monotonic_ns));

/* Read all small files of a tree several times and print the median of nanoseconds for one file.
 * Parameters: root; cache, warm or cold (no file's pages are in memory); batches. */
enum { BENCH_TREE_FILE_BYTES = 256 << 10 }; /* the largest that is read */
struct bench_tree {
    char **paths;
    long count;
};
void bench_tree(void (*read_all)(const struct bench_tree *tree));

/* Print one figure; `part` (or NULL) is added to the name where a program has several. */
void bench_result(const char *part, double value, const char *unit);

/* Have so many MiB of memory, each page written. */
void bench_touch(long mib);

/* Keep the calling thread, and what it starts from now on, to the n-th core of those that the
 * program may use, counted from 0; without so many, the thing is not to be had. */
void bench_stay_on(long nth);

/* What this process occupies; page tables are not part of the resident bytes. */
struct bench_memory {
    long resident_bytes;
    long page_table_bytes;
    long mappings;
};
struct bench_memory bench_memory_now(void);

/* Of a peer with many benchmarks: run what argv[1] names, or say that it is not to be had. The list
 * ends with a NULL name. */
struct bench_choice {
    const char *name;
    void (*run)(void);
};
void bench_choose(const struct bench_choice *benches, const char *who, int argc, char **argv);

/* Stop unless result >= 0 (it is -errno otherwise); unless holds; because it is not to be had. */
void bench_must(int result, const char *what);
void bench_require(int holds, const char *what);
__attribute__((noreturn)) void bench_not_here(void);

#ifdef __cplusplus
}
#endif
