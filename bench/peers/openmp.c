/* SPDX-License-Identifier: MIT */
/* openmp.c - what OpenMP tasks can do of it: start and wait. They cannot block without holding
 * their thread, and on one thread they are plain calls, so one worker is left out. */
#include "bench.h"

#include <omp.h>
#include <string.h>

static void nothing(void)
{
    __asm__ volatile("");
}

static void run(void *arg, long ops)
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

int main(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "million") != 0)
        bench_not_here();
    bench_begin(argv[1], "openmp", argc - 1, argv + 1);
    long workers = bench_param("workers", 1);
    if (workers == 1)
        bench_not_here();
    omp_set_num_threads((int)workers);
    bench_batches(run, NULL, 1000000);
}
