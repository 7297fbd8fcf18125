/* SPDX-License-Identifier: MIT */
/* tbb.cpp - what oneTBB's tasks can do of it: start and wait. They have no stack of their own to
 * wait on. */
#include "bench.h"

#include <cstring>
#include <tbb/global_control.h>
#include <tbb/task_group.h>

static void nothing()
{
    __asm__ volatile("");
}

static void run_spawn(void *, long ops)
{
    while (ops-- > 0) {
        tbb::task_group group;
        group.run(nothing);
        group.wait();
    }
}

static void run_million(void *, long ops)
{
    tbb::task_group group;
    while (ops-- > 0)
        group.run(nothing);
    group.wait();
}

int main(int argc, char **argv)
{
    bool spawn = argc > 1 && std::strcmp(argv[1], "spawn") == 0;
    if (!spawn && (argc < 2 || std::strcmp(argv[1], "million") != 0))
        bench_not_here();
    bench_begin(argv[1], "tbb", argc - 1, argv + 1);
    if (spawn && std::strcmp(bench_param_text("how", "close"), "close") != 0)
        bench_not_here();
    long workers = spawn ? 1 : bench_param("workers", 1);
    tbb::global_control limit(tbb::global_control::max_allowed_parallelism,
                              static_cast<size_t>(workers));
    bench_batches(spawn ? run_spawn : run_million, nullptr, 1000000);
}
