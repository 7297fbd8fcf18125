/* SPDX-License-Identifier: MIT */
/* openmp.c - what OpenMP tasks can do of it: start and wait, fork and join. Compiled twice: gcc's
 * libgomp and clang's libomp are two runtimes. Tasks cannot block without holding their thread.
 * "million" is left out with one worker, where they are plain calls. */
#include "bench.h"

#include <omp.h>
#include <string.h>

enum { WIDTH = 10 };

static void nothing(void)
{
    __asm__ volatile("");
}

static void run_million(void *arg, long ops)
{
    (void)arg;
#pragma omp parallel
#pragma omp single
    {
        for (long i = 0; i < ops; i++) {
#pragma omp task
            nothing();
        }
#pragma omp taskwait
    }
}

static void bench_million(void)
{
    long workers = bench_param("workers", 1);
    if (workers == 1)
        bench_not_here();
    omp_set_num_threads((int)workers);
    bench_batches(run_million, NULL, 1000000);
}

static long fib(long n)
{
    long a, b;
    if (n < 2)
        return n;
#pragma omp task shared(a)
    a = fib(n - 1);
    b = fib(n - 2);
#pragma omp taskwait
    return a + b;
}

static long sum_of_node(long first, long leaves)
{
    long parts[WIDTH], sum = 0, share = leaves / WIDTH;
    if (leaves == 1)
        return first;
    for (long i = 0; i < WIDTH - 1; i++) {
#pragma omp task shared(parts)
        parts[i] = sum_of_node(first + i * share, share);
    }
    parts[WIDTH - 1] = sum_of_node(first + (WIDTH - 1) * share, share);
#pragma omp taskwait
    for (long i = 0; i < WIDTH; i++)
        sum += parts[i];
    return sum;
}

/* A team is started for each call, so it is in the figure; it is some microseconds of it. */
static long fib_in_team(long n)
{
    long value = 0;
#pragma omp parallel
#pragma omp single
    value = fib(n);
    return value;
}

static long sum_in_team(long leaves)
{
    long sum = 0;
#pragma omp parallel
#pragma omp single
    sum = sum_of_node(0, leaves);
    return sum;
}

static void bench_fork(void)
{
    (void)bench_param_text("form", "typed");
    omp_set_num_threads((int)bench_param("workers", 1));
    bench_fib(fib_in_team);
}

static void bench_skynet_fork(void)
{
    omp_set_num_threads((int)bench_param("workers", 1));
    bench_sum_of_leaves(sum_in_team);
}

int main(int argc, char **argv)
{
    static const struct bench_choice benches[] = {
        {"million", bench_million},
        {"fork", bench_fork},
        {"skynet-fork", bench_skynet_fork},
        {NULL, NULL},
    };
    bench_choose(benches, WHO, argc, argv);
}
